"""A segment's file: the blobs of captures and their results, one after the other, written once and never changed.

::

    "oesdseg2" | record | record | ...
    record = length of the rest | its CRC-32 | number of the capture | revision | lengths of mask, counts, spread
             | mask | counts | spread | the result's payload

Numbers after the CRC are in groups of seven bits, the lowest first; that of the spread is one more, or 0 for none.

The catalogue (:mod:`oesd.store.segments`) knows where each record lies. The numbers in the file are there so that it
can be read without: what was interrupted goes on, and what lies wrong is noticed. Files of "oesdseg1", from before
schema step 8, have neither revision nor result.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

from oesd.store.disk import opened, pieces_of
from oesd.store.encoding import EncodingError

MAGIC = b"oesdseg2"
_MAGIC_BEFORE = b"oesdseg1"
_HEAD = struct.Struct("<II")
_HEAD_BEFORE = struct.Struct("<QIIII")
_NUMBERS = 5
_NONE_BEFORE = 0xFFFFFFFF
_LARGEST = 1 << 28


@dataclass(frozen=True, slots=True)
class Blobs:
    """What the pages hold of a capture until it is sealed; ``spread`` is None with one scan.

    ``result`` is the payload of its entry's result of this ``revision``; 0 and b"" where there is none.
    """

    saturated: bytes
    counts: bytes
    spread: bytes | None
    revision: int = 0
    result: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """A record found in a file, and where."""

    capture_no: int
    place: int
    length: int
    blobs: Blobs


def pack_record(capture_no: int, blobs: Blobs) -> bytes:
    """A capture's blobs as they stand in the file."""
    spread = 0 if blobs.spread is None else len(blobs.spread) + 1
    numbers = capture_no, blobs.revision, len(blobs.saturated), len(blobs.counts), spread
    told = b"".join(_in_sevens(number) for number in numbers)
    rest = b"".join((told, blobs.saturated, blobs.counts, blobs.spread or b"", blobs.result))
    return _HEAD.pack(len(rest), _checksum(len(rest), rest)) + rest


def _checksum(length: int, rest: bytes) -> int:
    return zlib.crc32(rest, zlib.crc32(length.to_bytes(4, "little")))


def _in_sevens(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _from_sevens(data: bytes, place: int) -> tuple[int, int]:
    """A number, and the place after it; EncodingError when there is none."""
    number = 0
    for shift, byte in zip(range(0, 63, 7), data[place : place + 9], strict=False):
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + shift // 7 + 1
    raise EncodingError("no number")


def read_record(path: Path, place: int, length: int, capture_no: int) -> Blobs:
    """Read one record of a file.

    Raises
    ------
    EncodingError
        When what is there is not what was written.
    OSError
        When the file cannot be read.
    """
    magic, data = pieces_of(path, (0, len(MAGIC)), (place, length))
    record = _form(magic)[1](data, place)
    if (record.capture_no, record.length) != (capture_no, length):
        raise EncodingError("another record")
    return record.blobs


def records(path: Path) -> Iterator[Record]:
    """All records of a file in order; raises as :func:`read_record` at the first that is damaged."""
    with opened(path) as file:
        (head_bytes, unpack), place = _form(file.read(len(MAGIC))), len(MAGIC)
        while head := file.read(head_bytes):
            rest = _rest(head) if unpack is _unpacked else _rest_before(head)
            record = unpack(head + file.read(rest), place)
            yield record
            place += record.length


def _form(magic: bytes) -> tuple[int, Callable[[bytes, int], Record]]:
    """How many bytes tell a record's length, and what unpacks it."""
    if magic not in (MAGIC, _MAGIC_BEFORE):
        raise EncodingError("no segment")
    return (_HEAD.size, _unpacked) if magic == MAGIC else (_HEAD_BEFORE.size, _unpacked_before)


def _rest(head: bytes) -> int:
    """The length of a record after its head."""
    if len(head) < _HEAD.size:
        raise EncodingError("too short")
    return _sane(_HEAD.unpack_from(head)[0])


def _unpacked(data: bytes, place: int) -> Record:
    if _rest(data) != len(data) - _HEAD.size:
        raise EncodingError("record of another length")
    length, crc = _HEAD.unpack_from(data)
    if _checksum(length, data[_HEAD.size :]) != crc:
        raise EncodingError("checksum differs")
    numbers, at = [], _HEAD.size
    for _ in range(_NUMBERS):
        number, at = _from_sevens(data, at)
        numbers.append(number)
    capture_no, revision, saturated, counts, spread = numbers
    ends = list(accumulate((saturated, counts, max(spread - 1, 0)), initial=at))
    if ends[-1] > len(data):
        raise EncodingError("record of another length")
    parts = [data[first:last] for first, last in pairwise(ends)]
    blobs = Blobs(parts[0], parts[1], parts[2] if spread else None, revision, data[ends[-1] :])
    return Record(capture_no, place, len(data), blobs)


# -- files from before schema step 8 -------------------------------------------------------------------------------


def _rest_before(head: bytes) -> int:
    if len(head) < _HEAD_BEFORE.size:
        raise EncodingError("too short")
    _, saturated, counts, spread, _ = _HEAD_BEFORE.unpack_from(head)
    return _sane(saturated + counts + (0 if spread == _NONE_BEFORE else spread))


def _unpacked_before(data: bytes, place: int) -> Record:
    if _rest_before(data) != len(data) - _HEAD_BEFORE.size:
        raise EncodingError("record of another length")
    capture_no, saturated, counts, spread, crc = _HEAD_BEFORE.unpack_from(data)
    body = data[_HEAD_BEFORE.size :]
    if zlib.crc32(body, zlib.crc32(data[: _HEAD_BEFORE.size - 4])) != crc:
        raise EncodingError("checksum differs")
    end = saturated + counts
    blobs = Blobs(body[:saturated], body[saturated:end], None if spread == _NONE_BEFORE else body[end:])
    return Record(capture_no, place, len(data), blobs)


def _sane(length: int) -> int:
    if length > _LARGEST:
        raise EncodingError("no sane length")
    return length
