"""Results: what the engine made of an entry, revision by revision, and a person's corrections on top."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from oesd.model import Analysis, Measurement, Override, Peak, Result
from oesd.store.analysis_form import PackedAnalysis, unpack_payload, unpack_shown
from oesd.store.anchors import apply_overrides, carry_peak_ids, first_free_number, match_overrides
from oesd.store.database import Connection
from oesd.store.entries import entry_number
from oesd.store.errors import StoreDamaged, UnknownCandidate, UnknownPeak
from oesd.store.integrity import fingerprint, intact, verify
from oesd.store.moments import from_us, to_us
from oesd.store.named_traces import note_readings
from oesd.store.overrides import clear_override, insert_override, load_overrides
from oesd.store.sources import load_sources
from oesd.store.traces import note, pack_points

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """One revision as it is on the disk: no overrides applied."""

    number: int
    made_at_utc: datetime
    content: bytes
    analysis: Analysis
    metadata: Mapping[str, Any]

    def shown(self, data_id: str, overrides: Sequence[Override]) -> Result:
        """The result as people see it; its time is that of the last change, by the engine or by hand."""
        analysis, orphaned = apply_overrides(self.analysis, overrides)
        changed = max([self.made_at_utc, *(override.made_at_utc for override in overrides)])
        return Result(data_id, self.number, changed, analysis, self.metadata, orphaned)


@dataclass(frozen=True, slots=True, eq=False)
class ShownResult:
    """A result for who only passes it on: its peaks are beside it, JSON-ready as ``Peak.as_dict`` has them.

    ``result.analysis`` may have none.
    """

    result: Result
    peaks: list[dict[str, Any]]


def load_result(connection: Connection, data_id: str, revision: int | None) -> Result | None:
    """A revision, the latest when None, with the overrides that stand now; None when there is none.

    Raises
    ------
    StoreDamaged
        When it, or the measurement it belongs to, is not what was stored.
    """
    found = _load_revision(connection, data_id, revision)
    return None if found is None else found.shown(data_id, load_overrides(connection, data_id))


def load_shown(connection: Connection, data_id: str) -> ShownResult | None:
    """The latest revision for a document, None when there is none; raises as :func:`load_result`."""
    if load_overrides(connection, data_id):
        result = load_result(connection, data_id, None)
        corrected = () if result is None else result.analysis.detected_peaks
        return None if result is None else ShownResult(result, [peak.as_dict() for peak in corrected])
    found = _load(connection, data_id, None, unpack_shown)
    if found is None:
        return None
    row, (analysis, peaks, metadata) = found
    return ShownResult(Result(data_id, row[1], from_us(row[2]), analysis, metadata, ()), peaks)


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
    if latest is None or latest.content != packed.content:
        latest = Revision(last + 1, now, packed.content, _kept(analysis, peaks), metadata)
        _insert(connection, entry_no, latest, packed.payload(metadata, known))
        note(connection, entry_no, pack_points(peaks))
        if readings:
            note_readings(connection, entry_no, latest.number, readings)
    result = latest.shown(data_id, load_overrides(connection, data_id))
    _mark_processed(connection, entry_no, result, max(next_peak, first_free_number(peaks)))
    return result


def trace_points(connection: Connection, data_id: str) -> bytes:
    """The peaks of an entry's latest result as :func:`~oesd.store.traces.note` takes them.

    Raises
    ------
    StoreDamaged
        When it, or the measurement it belongs to, is not what was stored.
    """
    latest = _load_revision(connection, data_id, None)
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


def assign(connection: Connection, data_id: str, peak_id: str, candidate_key: str, now: datetime) -> Result:
    """Put a person's word on a peak of the latest result, in place of an earlier one on the same peak.

    Raises
    ------
    UnknownEntry, UnknownPeak, UnknownCandidate
        When there is no such entry (or it has no result), peak or candidate; nothing is changed.
    """
    entry_no = entry_number(connection, data_id)
    latest = _load_revision(connection, data_id, None)
    peaks = () if latest is None else latest.analysis.detected_peaks
    index = next((k for k, peak in enumerate(peaks) if peak.peak_id == peak_id), None)
    if latest is None or index is None:
        raise UnknownPeak(data_id, peak_id)
    standing = match_overrides(peaks, load_overrides(connection, data_id)).get(index)
    insert_override(connection, entry_no, _override(data_id, peaks[index], candidate_key, now), standing)
    result = latest.shown(data_id, load_overrides(connection, data_id))
    _list_elements(connection, entry_no, result)
    return result


def clear(connection: Connection, data_id: str, peak_id: str) -> Result:
    """Take back a person's word on a peak of the latest result, or one that no peak matches any more.

    A peak that nobody spoke of stays as it is.

    Raises
    ------
    UnknownEntry, UnknownPeak
        When there is no such entry (or it has no result), or neither a peak nor an orphaned override of this id.
    """
    entry_no = entry_number(connection, data_id)
    latest = _load_revision(connection, data_id, None)
    if latest is None:
        raise UnknownPeak(data_id, peak_id)
    peaks, overrides = latest.analysis.detected_peaks, load_overrides(connection, data_id)
    index = next((k for k, peak in enumerate(peaks) if peak.peak_id == peak_id), None)
    matched = match_overrides(peaks, overrides)
    orphaned = [one for one in overrides if one not in matched.values() and one.peak_id == peak_id]
    if index is None and not orphaned:
        raise UnknownPeak(data_id, peak_id)
    for override in orphaned if index is None else [matched[index]] if index in matched else []:
        clear_override(connection, entry_no, override)
    result = latest.shown(data_id, load_overrides(connection, data_id))
    _list_elements(connection, entry_no, result)
    return result


def mark(connection: Connection, data_id: str) -> str | None:
    """A short text that is another whenever the latest result or what a person said of it is; None without a result."""
    row = connection.execute(
        "SELECT p.revision, coalesce(max(o.override_no), 0), count(o.override_no) - count(o.replaced_by) "
        "FROM entries e JOIN processing p ON p.entry_no = e.entry_no LEFT JOIN overrides o ON o.entry_no = e.entry_no "
        "WHERE e.data_id = ? GROUP BY p.revision",
        (data_id,),
    ).fetchone()
    return f"{row[0]}.{row[1]}.{row[2]}" if row and row[0] else None


def _override(data_id: str, peak: Peak, candidate_key: str, now: datetime) -> Override:
    chosen = next((c for c in peak.candidates if c.candidate_key == candidate_key), None)
    if chosen is None:
        raise UnknownCandidate(peak.peak_id, candidate_key, tuple(c.candidate_key for c in peak.candidates))
    return Override(
        data_id=data_id,
        peak_id=peak.peak_id,
        wavelength_nm=peak.wavelength_nm,
        wavelength_sigma_nm=peak.wavelength_sigma_nm,
        candidate_key=candidate_key,
        element=chosen.element,
        made_at_utc=now,
    )


def _insert(connection: Connection, entry_no: int, revision: Revision, payload: bytes) -> None:
    connection.execute(
        "INSERT INTO results (entry_no, revision, made_at_us, peaks, elements, content, sha256, payload) "
        "VALUES (?, ?, ?, ?, '[]', ?, ?, ?)",
        (
            entry_no,
            revision.number,
            to_us(revision.made_at_utc),
            len(revision.analysis.detected_peaks),
            revision.content,
            fingerprint(entry_no, revision.number, to_us(revision.made_at_utc), revision.content, payload),
            payload,
        ),
    )


def _mark_processed(connection: Connection, entry_no: int, result: Result, next_peak: int) -> None:
    connection.execute(
        "UPDATE processing SET state = 'processed', reason = '', revision = ?, next_peak = ? WHERE entry_no = ?",
        (result.revision, next_peak, entry_no),
    )
    _list_elements(connection, entry_no, result)
    _release(connection, entry_no)


def _list_elements(connection: Connection, entry_no: int, result: Result) -> None:
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
        return _load_revision(connection, data_id, None)
    except StoreDamaged as error:
        _log.error("%s; the next revision starts afresh", error)
        return None


def _load_revision(connection: Connection, data_id: str, revision: int | None) -> Revision | None:
    found = _load(connection, data_id, revision, unpack_payload)
    if found is None:
        return None
    row, (analysis, metadata) = found
    return Revision(row[1], from_us(row[2]), row[3], analysis, metadata)


def _load(
    connection: Connection,
    data_id: str,
    revision: int | None,
    unpack: Callable[[bytes, Measurement, Mapping[str, Any]], T],
) -> tuple[tuple[Any, ...], T] | None:
    """The row of a revision, verified, and its payload unpacked; None when there is none."""
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT entry_no, r.revision, made_at_us, content, payload, sha256 "
        "FROM entries JOIN processing p USING (entry_no) JOIN results r USING (entry_no) "
        "WHERE data_id = ? AND r.revision = coalesce(?, p.revision)",
        (data_id, revision),
    ).fetchone()
    if row is None:
        return None
    sources = load_sources(connection, data_id)
    what = f"result {row[1]} of entry {data_id}"
    assert sources is not None  # the entry was there in this transaction
    with intact(what):
        verify(what, row[-1], *row[:-1])
        return row, unpack(row[4], sources.measurement, sources.known)


def _kept(analysis: Analysis, peaks: tuple[Peak, ...]) -> Analysis:
    """The analysis as it comes back from the store."""
    return replace(analysis, detected_peaks=peaks, baseline=None, noise=None, evidence=())
