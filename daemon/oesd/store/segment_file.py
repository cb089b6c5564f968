"""A segment's file: the blobs of captures, one after the other, written once and never changed.

::

    "oesdseg1" | record | record | ...
    record = number of the capture | three lengths | CRC-32 of all of these and of | mask | counts | spread

The catalogue (:mod:`oesd.store.segments`) knows where each record lies. The numbers in the file are there so that it
can be read without: what was interrupted goes on, and what lies wrong is noticed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oesd.store.disk import opened
from oesd.store.encoding import EncodingError

MAGIC = b"oesdseg1"
_NUMBERS = struct.Struct("<QIII")
_CRC = struct.Struct("<I")
_HEAD_BYTES = _NUMBERS.size + _CRC.size
_NONE = 0xFFFFFFFF
_LARGEST = 1 << 28


@dataclass(frozen=True, slots=True)
class Blobs:
    """What the pages hold of a capture until it is sealed; ``spread`` is None with one scan."""

    saturated: bytes
    counts: bytes
    spread: bytes | None


@dataclass(frozen=True, slots=True)
class Record:
    """A record found in a file, and where."""

    capture_no: int
    place: int
    length: int
    blobs: Blobs


def pack_record(capture_no: int, blobs: Blobs) -> bytes:
    """A capture's blobs as they stand in the file."""
    spread = _NONE if blobs.spread is None else len(blobs.spread)
    numbers = _NUMBERS.pack(capture_no, len(blobs.saturated), len(blobs.counts), spread)
    data = blobs.saturated + blobs.counts + (blobs.spread or b"")
    return b"".join((numbers, _CRC.pack(zlib.crc32(data, zlib.crc32(numbers))), data))


def read_record(path: Path, place: int, length: int, capture_no: int) -> Blobs:
    """Read one record of a file.

    Raises
    ------
    EncodingError
        When what is there is not what was written.
    OSError
        When the file cannot be read.
    """
    with opened(path) as file:
        file.seek(place)
        record = _unpacked(file.read(length), place)
    if (record.capture_no, record.length) != (capture_no, length):
        raise EncodingError("another record")
    return record.blobs


def records(path: Path) -> Iterator[Record]:
    """All records of a file in order; raises as :func:`read_record` at the first that is damaged."""
    with opened(path) as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise EncodingError("no segment")
        place = len(MAGIC)
        while head := file.read(_HEAD_BYTES):
            record = _unpacked(head + file.read(_length(head) - _HEAD_BYTES), place)
            yield record
            place += record.length


def _length(head: bytes) -> int:
    """The whole length of a record."""
    if len(head) < _HEAD_BYTES:
        raise EncodingError("too short")
    _, saturated, counts, spread = _NUMBERS.unpack_from(head)
    length = _HEAD_BYTES + saturated + counts + (0 if spread == _NONE else spread)
    if length > _LARGEST:
        raise EncodingError("no sane length")
    return int(length)


def _unpacked(data: bytes, place: int) -> Record:
    if _length(data) != len(data):
        raise EncodingError("record of another length")
    capture_no, saturated, counts, spread = _NUMBERS.unpack_from(data)
    (crc,) = _CRC.unpack_from(data, _NUMBERS.size)
    body = data[_HEAD_BYTES:]
    if zlib.crc32(body, zlib.crc32(data[: _NUMBERS.size])) != crc:
        raise EncodingError("checksum differs")
    end = saturated + counts
    blobs = Blobs(body[:saturated], body[saturated:end], None if spread == _NONE else body[end:])
    return Record(capture_no, place, len(data), blobs)
