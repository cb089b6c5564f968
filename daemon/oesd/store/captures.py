"""Captures: written once, read back verified or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from oesd.model import Capture, CountArray, Device, Kind
from oesd.store.database import Connection
from oesd.store.dense_counts import denser, unpack_either
from oesd.store.devices import device_number, device_of, digest_of_known
from oesd.store.encoding import (
    pack_counts,
    pack_mask,
    pack_spread,
    unpack_mask,
    unpack_spread,
)
from oesd.store.errors import StoreError
from oesd.store.headings import USUAL, head_of, heading_number, pack_header
from oesd.store.integrity import SHORT, fingerprint, intact, verify
from oesd.store.moments import from_us, to_us
from oesd.store.segment_file import Blobs
from oesd.store.segments import read_blobs
from oesd.store.slots import Slot, account_stored, slot_of

_SELECT = """
SELECT c.capture_no, c.segment_no, s.name, c.place, c.length,
       c.record_id, c.kind, c.integration_us, c.taken_at_us, c.header, c.sha256, c.saturated, c.counts, c.spread,
       d.digest, d.device_no, h.text
FROM captures c JOIN devices d USING (device_no) LEFT JOIN segments s ON s.segment_no = c.segment_no
LEFT JOIN headings h ON h.heading_no = c.heading_no
"""
_PLACE = 5  # so many columns tell where the blobs are
Told = tuple[tuple[Any, ...], str | None]
"""The columns that the checksum covers, and the heading."""


@dataclass(frozen=True, slots=True, eq=False)
class PackedCapture:
    """A capture ready to be inserted: packing is the work of the thread that saves, not of the one that writes."""

    device: Device
    device_digest: bytes
    columns: Mapping[str, str | int]
    heading: str
    saturated: bytes
    counts: bytes
    spread: bytes | None
    sha256: bytes
    slot: Slot | None


def pack_capture(capture: Capture) -> PackedCapture:
    """Encode a capture and fingerprint it together with all that is known of it.

    The fingerprint is of the counts themselves, not of a form that they are stored in. The spread is part of it where
    there is one.
    """
    digest = digest_of_known(capture.device)
    header, heading = pack_header(capture)
    columns = {
        "record_id": capture.record_id,
        "kind": capture.kind.value,
        "integration_us": capture.integration_us,
        "taken_at_us": to_us(capture.taken_at_utc),
        "header": header,
    }
    saturated, counts = pack_mask(capture.saturated), pack_counts(capture.counts_sum)
    spread = None if capture.spread is None else pack_spread(capture.spread, capture.scans)
    known = *columns.values(), heading, digest, saturated, _raw(capture.counts_sum), *_given(spread)
    sha256 = fingerprint(*known)[:SHORT]
    return PackedCapture(capture.device, digest, columns, heading, saturated, counts, spread, sha256, slot_of(capture))


def _raw(counts: CountArray) -> bytes:
    return counts.astype("<u4", copy=False).tobytes()


def insert_capture(connection: Connection, packed: PackedCapture) -> int:
    """Insert a capture and, when it is new, its device.

    A capture that is already there, equal in all, counts as inserted: whoever saves again after an error cannot know
    whether the first time was durable.

    Returns
    -------
    int
        Its number.

    Raises
    ------
    StoreError
        When another capture has this record id; SlotTaken when the slot has its spectrum or its loss already.
    """
    number = _insert(connection, packed)
    if number is not None:
        return number
    present = connection.execute(
        "SELECT capture_no, sha256 FROM captures WHERE record_id = ?", (packed.columns["record_id"],)
    ).fetchone()
    if present[1] != packed.sha256 and not _are_same(connection, packed):
        raise StoreError(f"another capture is stored as {packed.columns['record_id']}")
    return int(present[0])


def _are_same(connection: Connection, packed: PackedCapture) -> bool:
    """Whether a stored capture of this id, in an earlier form, is the same."""
    there = load_capture(connection, str(packed.columns["record_id"]))
    return there is not None and pack_capture(there).sha256 == packed.sha256


def capture_number(connection: Connection, record_id: str | None) -> int | None:
    """Number of a capture, None when it is not stored."""
    if record_id is None:
        return None
    row = connection.execute("SELECT capture_no FROM captures WHERE record_id = ?", (record_id,)).fetchone()
    return None if row is None else int(row[0])


def load_capture(connection: Connection, record_id: str | None) -> Capture | None:
    """A capture by its id, None when it is not stored.

    Raises
    ------
    StoreDamaged
        When what is on the disk is not what was stored.
    """
    found = load_with_blobs(connection, record_id)
    return None if found is None else found[0]


def load_with_blobs(connection: Connection, record_id: str | None) -> tuple[Capture, Blobs] | None:
    """The same, and its blobs: with those of a sealed one is the result of its entry."""
    row = connection.execute(_SELECT + "WHERE c.record_id = ?", (record_id,)).fetchone()
    return None if row is None else _unpacked(connection, row)


def load_blobs(connection: Connection, capture_no: int, segment_no: int | None) -> Blobs | None:
    """A capture's blobs, verified, when they are in this segment (None: in the pages); None when they are elsewhere.

    The counts are in the form that takes least, but of captures whose checksum is of the form they have.

    Raises
    ------
    StoreDamaged
        When what is on the disk is not what was stored.
    """
    row = connection.execute(_SELECT + "WHERE c.capture_no = ?", (capture_no,)).fetchone()
    if row is None or row[1] != segment_no:
        return None
    columns = tuple(row[_PLACE : _PLACE + 5])
    what = _named(row)
    with intact(what):
        blobs, (digest, device_no, heading) = _blobs(connection, row), row[_PLACE + 9 :]
        _, digest = device_of(connection, device_no, digest, what)
        _verify(what, (columns, heading), row[_PLACE + 5], digest, blobs)
        return blobs if heading is None else replace(blobs, counts=denser(blobs.counts))


def _named(row: tuple[Any, ...]) -> str:
    """What a person is told is damaged: for a sealed one with the file, of which a backup may have a good one."""
    name, record_id = row[2], row[_PLACE]
    return f"capture {record_id}" if name is None else f"capture {record_id} (segments/{name})"


def _blobs(connection: Connection, row: tuple[Any, ...]) -> Blobs:
    number, segment_no, name, place, length = row[:_PLACE]
    return (
        Blobs(*row[_PLACE + 6 : _PLACE + 9])
        if segment_no is None
        else read_blobs(connection, name, place, length, number)
    )


def _verify(what: str, told: Told, sha256: bytes, digest: bytes, blobs: Blobs) -> CountArray:
    """The counts, when a capture is what was stored."""
    (columns, heading), counts = told, unpack_either(blobs.counts)
    # Before schema step 8 there were no headings, and the checksum was of the counts' blob.
    parts = (
        (digest, blobs.saturated, blobs.counts) if heading is None else (heading, digest, blobs.saturated, _raw(counts))
    )
    verify(what, sha256, *columns, *parts, *_given(blobs.spread))
    return counts


def _insert(connection: Connection, packed: PackedCapture) -> int | None:
    """Insert a capture that is new; None when there is one of its id."""
    columns = packed.columns
    row = connection.execute(
        "INSERT INTO captures (record_id, device_no, kind, integration_us, taken_at_us, header, sha256, saturated, "
        "counts, spread, heading_no) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (record_id) DO NOTHING "
        "RETURNING capture_no",
        (
            columns["record_id"],
            device_number(connection, packed.device_digest, packed.device),
            columns["kind"],
            columns["integration_us"],
            columns["taken_at_us"],
            columns["header"],
            packed.sha256,
            packed.saturated,
            packed.counts,
            packed.spread,
            heading_number(connection, packed.heading),
        ),
    ).fetchone()
    if row is not None and packed.slot is not None:
        account_stored(connection, packed.slot)
    return None if row is None else int(row[0])


def _unpacked(connection: Connection, row: tuple[Any, ...]) -> tuple[Capture, Blobs]:
    *columns, sha256, _, _, _, digest, device_no, heading = row[_PLACE:]
    what = _named(row)
    with intact(what):
        blobs = _blobs(connection, row)
        device, digest = device_of(connection, device_no, digest, what)
        # One dark, one reference belong to many samples; a sample is read once.
        made = _verified if columns[1] == Kind.SAMPLE.value else _verified_before
        return made(what, (tuple(columns), heading), sha256, digest, blobs, device), blobs


def _verified(what: str, told: Told, sha256: bytes, digest: bytes, blobs: Blobs, device: Device) -> Capture:
    counts = _verify(what, told, sha256, digest, blobs)
    (record_id, kind, integration_us, taken_at_us, header), heading = told
    return Capture(
        record_id=record_id,
        device=device,
        kind=Kind(kind),
        taken_at_utc=from_us(taken_at_us),
        integration_us=integration_us,
        counts_sum=counts,
        saturated=unpack_mask(blobs.saturated, device.pixels),
        spread=None if blobs.spread is None else unpack_spread(blobs.spread),
        **USUAL | head_of(header, heading),
    )


_verified_before = lru_cache(maxsize=16)(_verified)
"""Known by every byte that is read: what has changed on the disk is another capture, and is found damaged."""


def _given(spread: bytes | None) -> tuple[bytes, ...]:
    return () if spread is None else (spread,)
