"""Rows of verdicts: which darks and references serve, and why the others do not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oesd.model import Device, Kind
from oesd.store.captures import capture_number
from oesd.store.database import Connection
from oesd.store.errors import StoreError
from oesd.store.headings import HEADER, USUAL, head_or_none
from oesd.store.moments import from_us, to_us

_COLUMNS = "c.record_id, v.kind, v.accepted, v.proven, v.begins, v.reason, v.numbers, v.judged_at_us, c.taken_at_us"


@dataclass(frozen=True, slots=True)
class LibraryKey:
    """Whose darks they are: a detector, whatever it is called and whatever its axis."""

    serial: str
    model: str
    pixels: int
    simulated: bool


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """What became of a dark or a reference.

    Attributes
    ----------
    accepted : bool
        It may serve.
    proven : bool
        Light that matters would have been seen.
    begins : bool
        A new library of darks begins with it; those before it are set aside.
    reason : str
        A sentence for a person.
    numbers : mapping
        JSON-ready; how it was found.
    """

    record_id: str
    kind: Kind
    accepted: bool
    proven: bool
    begins: bool
    reason: str
    numbers: Mapping[str, float | int | str]
    judged_at_utc: datetime
    taken_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Shelved:
    """An accepted dark or reference without its counts: what a choice goes by.

    ``temperature_c`` is that of the detector, else of the board, None when neither is known.
    """

    record_id: str
    kind: Kind
    proven: bool
    integration_us: int
    scans: int
    boxcar_half_width_px: int
    temperature_c: float | None
    taken_at_utc: datetime
    monotonic_ns: int = field(default=0)
    boot_id: str = ""


def key_of(device: Device) -> LibraryKey:
    """The library of a spectrometer."""
    return LibraryKey(device.serial, device.model, device.pixels, device.simulated)


def library_number(connection: Connection, key: LibraryKey) -> int:
    """Number of a library, made when it is new."""
    values = (key.serial, key.model, key.pixels, key.simulated)
    found = _library_no(connection, key)
    if found is not None:
        return found
    query = "INSERT INTO libraries (serial, model, pixels, simulated) VALUES (?, ?, ?, ?) RETURNING library_no"
    return int(connection.execute(query, values).fetchone()[0])


def insert_verdict(connection: Connection, library_no: int, record_id: str, verdict: StoredVerdict) -> bool:
    """Insert a verdict; False when the capture has one already.

    Raises
    ------
    StoreError
        When the capture is not stored.
    """
    number = capture_number(connection, record_id)
    if number is None:
        raise StoreError(f"capture {record_id} is not stored: nothing to judge")
    cursor = connection.execute(
        "INSERT INTO verdicts (capture_no, library_no, kind, accepted, proven, begins, reason, numbers, judged_at_us) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (capture_no) DO NOTHING",
        (
            number, library_no, verdict.kind.value, verdict.accepted, verdict.proven, verdict.begins, verdict.reason,
            json.dumps(dict(verdict.numbers), separators=(",", ":")), to_us(verdict.judged_at_utc),
        ),
    )  # fmt: skip
    return cursor.rowcount == 1


def load_verdict(connection: Connection, record_id: str) -> StoredVerdict | None:
    """The verdict on a capture, None before it was judged."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM verdicts v JOIN captures c USING (capture_no) WHERE c.record_id = ?",  # noqa: S608
        (record_id,),
    ).fetchone()
    return None if row is None else _verdict(row)


def unjudged(connection: Connection, limit: int) -> list[str]:
    """The newest darks and references after the last judged one, in the order of storing."""
    rows = connection.execute(
        "SELECT record_id FROM captures INDEXED BY captures_calibration WHERE kind != 'sample' "
        "AND capture_no > coalesce((SELECT max(capture_no) FROM verdicts), 0) ORDER BY capture_no DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


def key_named(connection: Connection, device_name: str, pixels: int) -> LibraryKey | None:
    """The library of the spectrometer that was stored last under a name."""
    row = connection.execute(
        "SELECT description, model, simulated FROM devices WHERE name = ? ORDER BY device_no DESC LIMIT 1",
        (device_name,),
    ).fetchone()
    if row is None:
        return None
    serial = _values(row[0]).get("serial")
    return LibraryKey(serial, row[1], pixels, bool(row[2])) if isinstance(serial, str) else None


def load_shelved(connection: Connection, key: LibraryKey, kind: Kind, limit: int) -> list[Shelved]:
    """Accepted ones that were judged last, the newest first; a damaged header leaves one out."""
    rows = connection.execute(
        f"SELECT c.record_id, v.proven, c.integration_us, c.taken_at_us, {HEADER} "  # noqa: S608
        "FROM verdicts v JOIN captures c USING (capture_no) "
        "WHERE v.library_no = :library AND v.kind = :kind AND v.accepted = 1 AND v.verdict_no >= coalesce("
        "(SELECT max(verdict_no) FROM verdicts WHERE library_no = :library AND kind = :kind AND accepted = 1 "
        "AND begins = 1), 0) ORDER BY v.verdict_no DESC LIMIT :limit",
        {"library": _library_no(connection, key), "kind": kind.value, "limit": limit},
    )
    return [shelved for row in rows if (shelved := _shelved(kind, row)) is not None]


def tally(connection: Connection, key: LibraryKey, kind: Kind, accepted: bool) -> tuple[int, StoredVerdict | None]:
    """Number of verdicts of a sort, and the last one."""
    where = "v.library_no = ? AND v.kind = ? AND v.accepted = ?"
    values = (_library_no(connection, key), kind.value, accepted)
    (number,) = connection.execute(f"SELECT count(*) FROM verdicts v WHERE {where}", values).fetchone()  # noqa: S608
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM verdicts v JOIN captures c USING (capture_no) WHERE {where} "  # noqa: S608
        "ORDER BY verdict_no DESC LIMIT 1",
        values,
    ).fetchone()
    return number, None if row is None else _verdict(row)


def _library_no(connection: Connection, key: LibraryKey) -> int | None:
    row = connection.execute(
        "SELECT library_no FROM libraries WHERE serial = ? AND model = ? AND pixels = ? AND simulated = ?",
        (key.serial, key.model, key.pixels, key.simulated),
    ).fetchone()
    return None if row is None else int(row[0])


def _verdict(row: tuple[Any, ...]) -> StoredVerdict:
    record_id, kind, accepted, proven, begins, reason, numbers, judged_at_us, taken_at_us = row
    return StoredVerdict(
        record_id=record_id,
        kind=Kind(kind),
        accepted=bool(accepted),
        proven=bool(proven),
        begins=bool(begins),
        reason=reason,
        numbers=_values(numbers),
        judged_at_utc=from_us(judged_at_us),
        taken_at_utc=from_us(taken_at_us),
    )


def _shelved(kind: Kind, row: tuple[Any, ...]) -> Shelved | None:
    record_id, proven, integration_us, taken_at_us, *header = row
    head = head_or_none(*header)
    detector_c, board_c = head.get("detector_temperature_c"), head.get("board_temperature_c")
    try:
        return Shelved(
            record_id=record_id,
            kind=kind,
            proven=bool(proven),
            integration_us=integration_us,
            scans=int(head.get("scans", USUAL["scans"])),
            boxcar_half_width_px=int(head.get("boxcar_half_width_px", USUAL["boxcar_half_width_px"])),
            temperature_c=board_c if detector_c is None else detector_c,
            taken_at_utc=from_us(taken_at_us),
            monotonic_ns=int(head["monotonic_ns"]),
            boot_id=str(head["boot_id"]),
        )
    except (KeyError, TypeError, ValueError):
        return None  # a damaged header: the capture itself would be refused as damaged


def _values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
