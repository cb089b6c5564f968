"""Results: what the engine made of an entry, revision by revision, and a person's corrections on top."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from oesd.model import Analysis, Measurement, Peak, Result
from oesd.store.analysis_form import PackedAnalysis, content_of, unpack_payload, unpack_shown
from oesd.store.anchors import apply_overrides, carry_peak_ids, first_free_number
from oesd.store.database import Connection
from oesd.store.entries import ENTRY_COLUMNS, ENTRY_PARTS, entry_number, entry_of_row
from oesd.store.errors import StoreDamaged
from oesd.store.integrity import SHORT, fingerprint, intact, verify
from oesd.store.moments import from_us, to_us
from oesd.store.named_traces import note_readings
from oesd.store.overrides import Spoken, load_spoken
from oesd.store.sealed_results import sealed_payload
from oesd.store.sources import sources_of
from oesd.store.traces import note, pack_points

T = TypeVar("T")
_OVERRIDES = "FROM overrides o WHERE o.entry_no = e.entry_no"
_SPOKEN = (
    f"(SELECT coalesce(max(o.override_no), 0) {_OVERRIDES}), (SELECT count(*) {_OVERRIDES} AND o.replaced_by IS NULL)"
)
"""Of an entry ``e``, the number of the last override ever made, and how many stand."""
_SELECT = (
    "SELECT e.entry_no, r.revision, r.made_at_us, r.content, r.payload, r.sha256, "  # noqa: S608  (fixed texts)
    f"{_SPOKEN}, {ENTRY_COLUMNS} "
    "FROM entries e JOIN processing p ON p.entry_no = e.entry_no JOIN results r ON r.entry_no = e.entry_no "
    f"{ENTRY_PARTS} WHERE e.data_id = ? AND r.revision = coalesce(?, p.revision)"
)
_BEGUN, _BEGUN_AGAIN = "its analysis began", "its analysis began again"
"""Reason of an entry that waits; nothing is shown of it."""
_TOLD_BY_PAYLOAD = b""
"""The content of a result since schema step 8: its fingerprint is made again where it is asked for."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """One revision as it is on the disk: no overrides applied."""

    number: int
    made_at_utc: datetime
    payload: bytes
    analysis: Analysis
    metadata: Mapping[str, Any]

    def shown(self, data_id: str, spoken: Spoken) -> Result:
        """The result as people see it; its time is that of the last change, by the engine or by hand."""
        analysis, orphaned = apply_overrides(self.analysis, spoken.standing)
        changed = max(self.made_at_utc, spoken.last_utc or self.made_at_utc)
        return Result(data_id, self.number, changed, analysis, self.metadata, orphaned)


@dataclass(frozen=True, slots=True, eq=False)
class ShownResult:
    """A result for who only passes it on: its peaks are beside it, JSON-ready as ``Peak.as_dict`` has them.

    ``result.analysis`` may have none. ``mark`` is that of :func:`mark`.
    """

    result: Result
    peaks: list[dict[str, Any]]
    mark: str


def load_result(connection: Connection, data_id: str, revision: int | None) -> Result | None:
    """A revision, the latest when None, with the overrides that stand now; None when there is none.

    Raises
    ------
    StoreDamaged
        When it, or the measurement it belongs to, is not what was stored.
    """
    found = load_revision(connection, data_id, revision)
    return None if found is None else found.shown(data_id, load_spoken(connection, data_id))


def load_shown(connection: Connection, data_id: str) -> ShownResult | None:
    """The latest revision for a document, None when there is none; raises as :func:`load_result`."""
    found = _load(connection, data_id, None, unpack_shown)
    if found is None:
        return None
    row, (analysis, peaks, metadata), (last, standing) = found
    result: Result | None = Result(data_id, row[1], from_us(row[2]), analysis, metadata, ())
    if last:
        result = load_result(connection, data_id, None)
        peaks = [] if result is None else [peak.as_dict() for peak in result.analysis.detected_peaks]
    return None if result is None else ShownResult(result, peaks, _mark(row[1], last, standing))


def add_revision(
    connection: Connection,
    data_id: str,
    analysis: Analysis,
    packed: PackedAnalysis,
    metadata: Mapping[str, Any],
    known: Mapping[str, Any],
    now: datetime,
    readings: bytes = b"",
) -> Result:
    """Store an analysis as the entry's next revision, its peaks keeping the ids they had.

    When the engine says the same as in the latest revision (recipe, versions, peaks, elements, warnings, spectra)
    there is no new one: the latest is returned, with the metadata it has.

    Parameters
    ----------
    packed : PackedAnalysis
        The same analysis, packed by the caller's thread to spare the writer's.
    known : mapping
        What is known of the metadata without them: that of :func:`load_sources`.
    readings : bytes
        Its named traces, as :func:`~oesd.store.named_traces.pack_readings` makes them; none when empty.

    Raises
    ------
    UnknownEntry
        When there is no such entry.
    """
    entry_no = entry_number(connection, data_id)
    latest = _latest_if_readable(connection, data_id)
    last, next_peak = connection.execute(
        "SELECT revision, next_peak FROM processing WHERE entry_no = ?", (entry_no,)
    ).fetchone()
    previous = () if latest is None else latest.analysis.detected_peaks
    peaks = carry_peak_ids(previous, analysis.detected_peaks, next_number=next_peak)
    packed = packed.with_peaks(peaks)
    if latest is None or content_of(latest.payload) != packed.content:
        latest = Revision(last + 1, now, packed.payload(metadata, known), _kept(analysis, peaks), metadata)
        _insert(connection, entry_no, latest)
        note(connection, entry_no, pack_points(peaks))
        if readings:
            note_readings(connection, entry_no, latest.number, readings)
    result = latest.shown(data_id, load_spoken(connection, data_id))
    _mark_processed(connection, entry_no, result, max(next_peak, first_free_number(peaks)))
    return result


def trace_points(connection: Connection, data_id: str) -> bytes:
    """The peaks of an entry's latest result as :func:`~oesd.store.traces.note` takes them.

    Raises
    ------
    StoreDamaged
        When it, or the measurement it belongs to, is not what was stored.
    """
    latest = load_revision(connection, data_id, None)
    return pack_points(() if latest is None else latest.analysis.detected_peaks)


def mark_failed(connection: Connection, data_id: str, reason: str) -> None:
    """Note that the engine cannot make a result of an entry; one that has a result keeps it.

    Raises
    ------
    UnknownEntry
        When there is no such entry.
    """
    entry_no = entry_number(connection, data_id)
    connection.execute(
        "UPDATE processing SET state = CASE WHEN revision > 0 THEN 'processed' ELSE 'failed' END, reason = ? "
        "WHERE entry_no = ?",
        (reason, entry_no),
    )
    _release(connection, entry_no)


def note_attempt(connection: Connection, data_id: str) -> bool:
    """Note that the analysis of an entry that waits begins; False when that was noted twice, and no result came of it.

    For what an earlier process left behind: it may be what ended that process. Once may be chance: a power cut, a disk
    that was full when its result was to be stored.
    """
    noted = connection.execute(
        "UPDATE processing SET reason = CASE reason WHEN '' THEN ? ELSE ? END "
        "WHERE state = 'waiting' AND reason IN ('', ?) AND entry_no = ? RETURNING entry_no",
        (_BEGUN, _BEGUN_AGAIN, _BEGUN, entry_number(connection, data_id)),
    )
    return noted.fetchone() is not None


def mark(connection: Connection, data_id: str) -> str | None:
    """A short text that is another whenever the latest result or what a person said of it is; None without a result."""
    row = connection.execute(
        f"SELECT p.revision, {_SPOKEN} FROM entries e JOIN processing p ON p.entry_no = e.entry_no "  # noqa: S608
        "WHERE e.data_id = ?",
        (data_id,),
    ).fetchone()
    return _mark(*row) if row and row[0] else None


def _mark(revision: int, last_override: int, standing: int) -> str:
    return f"{revision}.{last_override}.{standing}"


def first_mark(result: Result) -> str:
    """The mark of an entry as long as this is its latest result and nobody ever spoke of it."""
    return _mark(result.revision, 0, 0)


def _insert(connection: Connection, entry_no: int, revision: Revision) -> None:
    connection.execute(
        "INSERT INTO results (entry_no, revision, made_at_us, peaks, elements, content, sha256, payload) "
        "VALUES (?, ?, ?, ?, '[]', ?, ?, ?)",
        (
            entry_no,
            revision.number,
            to_us(revision.made_at_utc),
            len(revision.analysis.detected_peaks),
            _TOLD_BY_PAYLOAD,
            _checksum(entry_no, revision),
            revision.payload,
        ),
    )


def _checksum(entry_no: int, revision: Revision) -> bytes:
    made_at_us = to_us(revision.made_at_utc)
    return fingerprint(entry_no, revision.number, made_at_us, _TOLD_BY_PAYLOAD, revision.payload)[:SHORT]


def _mark_processed(connection: Connection, entry_no: int, result: Result, next_peak: int) -> None:
    connection.execute(
        "UPDATE processing SET state = 'processed', reason = '', revision = ?, next_peak = ? WHERE entry_no = ?",
        (result.revision, next_peak, entry_no),
    )
    list_elements(connection, entry_no, result)
    _release(connection, entry_no)


def list_elements(connection: Connection, entry_no: int, result: Result) -> None:
    """Note what a list shows of a result."""
    connection.execute(
        "UPDATE results SET elements = ? WHERE entry_no = ? AND revision = ?",
        (json.dumps([e.element for e in result.analysis.elements]), entry_no, result.revision),
    )


def _release(connection: Connection, entry_no: int) -> None:
    """Let the forwarder have the entry."""
    connection.execute("UPDATE outbox SET ready = 1 WHERE entry_no = ? AND ready = 0", (entry_no,))


def _latest_if_readable(connection: Connection, data_id: str) -> Revision | None:
    # A damaged revision must not keep the entry from being processed again; its peak ids are lost, and stay unused.
    try:
        return load_revision(connection, data_id, None)
    except StoreDamaged as error:
        _log.error("%s; the next revision starts afresh", error)
        return None


def load_revision(connection: Connection, data_id: str, revision: int | None) -> Revision | None:
    """A revision, the latest when None, without what a person said of it; None when there is none."""
    found = _load(connection, data_id, revision, unpack_payload)
    if found is None:
        return None
    row, (analysis, metadata), _ = found
    return Revision(row[1], from_us(row[2]), row[4], analysis, metadata)


def _load(
    connection: Connection,
    data_id: str,
    revision: int | None,
    unpack: Callable[[bytes, Measurement, Mapping[str, Any]], T],
) -> tuple[tuple[Any, ...], T, tuple[int, int]] | None:
    """The row of a revision, verified, with its payload; that unpacked; and :data:`_SPOKEN`. None without a row."""
    found = connection.execute(_SELECT, (data_id, revision)).fetchone()
    if found is None:
        return None
    row, spoken, of_entry = found[:6], found[6:8], found[8:]
    sources = sources_of(connection, entry_of_row(data_id, of_entry))
    what = f"result {row[1]} of entry {data_id}"
    with intact(what):
        payload = row[4] or sealed_payload(sources.blobs, row[1])
        verify(what, row[-1], *row[:-2], payload)
        return (*row[:4], payload), unpack(payload, sources.measurement, sources.known), spoken


def _kept(analysis: Analysis, peaks: tuple[Peak, ...]) -> Analysis:
    """The analysis as it comes back from the store."""
    return replace(analysis, detected_peaks=peaks, baseline=None, noise=None, evidence=())
