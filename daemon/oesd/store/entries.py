"""Entries: a sample with its dark and reference, or a file; their lists, and what is still to be processed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oesd.model import Capture, Entry
from oesd.store.captures import capture_number
from oesd.store.database import Connection
from oesd.store.errors import StoreError, UnknownEntry
from oesd.store.modelled import modelled_number
from oesd.store.moments import from_us, to_us

SUMMARY_COLUMNS = (
    "e.data_id, coalesce(c.record_id, e.data_id), e.device_name, e.model, e.taken_at_us, r.elements, "
    "coalesce(r.peaks, 0), p.revision, p.state, p.reason, e.simulated"
)
"""Of entries ``e``, processing ``p``, the latest of results ``r`` and captures ``c``."""
ENTRY_COLUMNS = (
    "coalesce(s.record_id, e.data_id), coalesce(d.record_id, m.record_id), f.record_id, e.dark_reason, "
    "e.reference_reason, e.created_at_us, b.record_id"
)
"""Of entries ``e`` and :data:`ENTRY_PARTS`."""
ENTRY_PARTS = (
    "LEFT JOIN captures s ON s.capture_no = e.sample_no LEFT JOIN captures d ON d.capture_no = e.dark_no "
    "LEFT JOIN captures f ON f.capture_no = e.reference_no LEFT JOIN captures b ON b.capture_no = e.short_no "
    "LEFT JOIN modelled_darks m ON m.modelled_no = e.modelled_no"
)


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """An entry as a list shows it.

    Attributes
    ----------
    device_name, model : str
        The spectrometer; for a file what its header tells, ``""`` where it does not.
    elements : tuple of str
        Named in the latest result, overrides applied.
    peaks, revision : int
        Number of peaks in the latest result, and its number; 0 when there is none.
    state : str
        ``waiting``, ``processed`` or ``failed: <reason>``.
    """

    data_id: str
    sample_id: str
    device_name: str
    model: str
    taken_at_utc: datetime
    elements: tuple[str, ...]
    peaks: int
    revision: int
    state: str
    simulated: bool


def insert_entry(
    connection: Connection,
    entry: Entry,
    sample: Capture,
    sample_no: int,
    upload: bool,
    short_no: int | None = None,
) -> None:
    """Insert an entry of captures that are stored, to be processed and, if asked, uploaded; twice is once.

    A dark or reference that is not stored (its own write failed) does not cost the sample its entry: the entry has
    none, and its reason says so. A dark may be a modelled one. ``short_no`` is the number of its shorter exposure,
    which from here on counts as such and no more as a sample.

    Raises
    ------
    StoreError
        When another entry has this id, or the sample belongs to another entry.
    """
    if entry.sample_id != sample.record_id:
        raise StoreError(f"entry {entry.data_id} is not of sample {sample.record_id}")
    modelled_no = modelled_number(connection, entry.dark_id)
    dark_no, dark_reason = _applied(connection, None if modelled_no else entry.dark_id, entry.dark_reason)
    reference_no, reference_reason = _applied(connection, entry.reference_id, entry.reference_reason)
    number = add_entry(
        connection,
        data_id=entry.data_id,
        sample_no=sample_no,
        dark_no=dark_no,
        modelled_no=modelled_no,
        reference_no=reference_no,
        short_no=short_no,
        dark_reason=dark_reason,
        reference_reason=reference_reason,
        created_at_us=to_us(entry.created_at_utc),
        taken_at_us=to_us(sample.taken_at_utc),
        device_name=sample.device.name,
        model=sample.device.model,
        simulated=sample.device.simulated,
    )
    if number is None:
        _require_same(connection, entry, sample_no)
        return
    if upload:
        connection.execute("INSERT INTO outbox (entry_no) VALUES (?)", (number,))


def _require_same(connection: Connection, entry: Entry, sample_no: int) -> None:
    """See that what stands in an entry's way is the entry itself."""
    present = connection.execute(
        "SELECT data_id, sample_no FROM entries WHERE data_id = ? OR sample_no = ?", (entry.data_id, sample_no)
    ).fetchone()
    if present != (entry.data_id, sample_no):
        raise StoreError(f"entry {entry.data_id} or sample {entry.sample_id} is stored in another pair")


def require_named(entry: Entry | None, short: Capture | None) -> None:
    """See that a shorter exposure comes with the entry that names it: alone it would count as a sample.

    Raises
    ------
    StoreError
        When it does not, or when the entry names one that did not come.
    """
    named, given = None if entry is None else entry.short_id, None if short is None else short.record_id
    if named != given:
        raise StoreError(f"the entry does not name the shorter exposure that came with it: {named}, {given}")


def add_entry(connection: Connection, **columns: Any) -> int | None:
    """Insert the row of an entry, which waits to be processed; returns its number, None when it cannot be a new one."""
    names = ", ".join(columns)
    values = ", ".join(f":{name}" for name in columns)
    row = connection.execute(
        f"INSERT INTO entries ({names}) VALUES ({values}) ON CONFLICT DO NOTHING RETURNING entry_no",  # noqa: S608
        columns,
    ).fetchone()
    if row is None:
        return None
    connection.execute("INSERT INTO processing (entry_no, state) VALUES (?, 'waiting')", (row[0],))
    return int(row[0])


def entry_number(connection: Connection, data_id: str) -> int:
    """Number of an entry.

    Raises
    ------
    UnknownEntry
        When there is none with this id.
    """
    row = connection.execute("SELECT entry_no FROM entries WHERE data_id = ?", (data_id,)).fetchone()
    if row is None:
        raise UnknownEntry(data_id)
    return int(row[0])


def load_entry(connection: Connection, data_id: str) -> Entry | None:
    """An entry by its id; a file's entry is its own sample."""
    row = connection.execute(
        f"SELECT {ENTRY_COLUMNS} FROM entries e {ENTRY_PARTS} WHERE e.data_id = ?",  # noqa: S608  (fixed texts)
        (data_id,),
    ).fetchone()
    return None if row is None else entry_of_row(data_id, row)


def entry_of_row(data_id: str, row: Sequence[Any]) -> Entry:
    """Entry from :data:`ENTRY_COLUMNS`."""
    sample_id, dark_id, reference_id, dark_reason, reference_reason, created_at_us, short_id = row
    created_at_utc = from_us(created_at_us)
    return Entry(data_id, sample_id, dark_id, reference_id, dark_reason, reference_reason, created_at_utc, short_id)


def list_entries(connection: Connection, limit: int, before: str | None, device_name: str | None) -> list[EntrySummary]:
    """Entries, the last stored first; ``before`` is the id of the entry to go on after."""
    query = (
        f"SELECT {SUMMARY_COLUMNS} "  # noqa: S608  (fixed texts)
        "FROM entries e JOIN processing p USING (entry_no) LEFT JOIN captures c ON c.capture_no = e.sample_no "
        "LEFT JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision "
        f"WHERE {_bounds(before, device_name)} ORDER BY e.entry_no DESC LIMIT :limit"
    )
    rows = connection.execute(query, {"limit": limit, "before": before, "device_name": device_name})
    return [summary_of_row(row) for row in rows]


def latest_entry(connection: Connection, device_name: str | None) -> str | None:
    """Id of the entry stored last."""
    row = connection.execute(
        f"SELECT data_id FROM entries e WHERE {_bounds(None, device_name)} "  # noqa: S608
        "ORDER BY entry_no DESC LIMIT 1",
        {"device_name": device_name},
    ).fetchone()
    return None if row is None else str(row[0])


def waiting_entries(connection: Connection, limit: int) -> list[str]:
    """Ids of entries without a result that have not failed, the first stored first."""
    rows = connection.execute(
        "SELECT data_id FROM processing JOIN entries USING (entry_no) WHERE state = 'waiting' "
        "ORDER BY processing.entry_no LIMIT ?",
        (limit,),
    )
    return [row[0] for row in rows]


def _applied(connection: Connection, record_id: str | None, reason: str) -> tuple[int | None, str]:
    number = capture_number(connection, record_id)
    missing = record_id is not None and number is None
    return number, f"{reason} (capture {record_id} is not stored)" if missing else reason


def _bounds(before: str | None, device_name: str | None) -> str:
    bounds = ["1 = 1"]
    if before is not None:
        bounds.append("e.entry_no < (SELECT entry_no FROM entries WHERE data_id = :before)")
    if device_name is not None:
        bounds.append("e.device_name = :device_name")
    return " AND ".join(bounds)


def summary_of_row(row: tuple[Any, ...]) -> EntrySummary:
    """Entry in short from :data:`SUMMARY_COLUMNS`."""
    data_id, sample_id, device_name, model, taken_at_us, elements, peaks, revision, state, reason, simulated = row
    return EntrySummary(
        data_id=data_id,
        sample_id=sample_id,
        device_name=device_name,
        model=model,
        taken_at_utc=from_us(taken_at_us),
        elements=_elements(elements),
        peaks=peaks,
        revision=revision,
        state=f"failed: {reason}" if state == "failed" else state,
        simulated=bool(simulated),
    )


def _elements(text: str | None) -> tuple[str, ...]:
    """Symbols of a list's column; none of a damaged one, which the inspection names: the other rows are well."""
    try:
        symbols = json.loads(text or "[]")
    except ValueError:
        return ()
    return tuple(map(str, symbols)) if isinstance(symbols, list) else ()
