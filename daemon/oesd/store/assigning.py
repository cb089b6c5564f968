"""A person's word on a peak: put, and taken back."""

from __future__ import annotations

from datetime import datetime

from oesd.model import Override, Peak, Result
from oesd.store.anchors import match_overrides
from oesd.store.database import Connection
from oesd.store.entries import entry_number
from oesd.store.errors import UnknownCandidate, UnknownPeak
from oesd.store.overrides import clear_override, insert_override, load_overrides, load_spoken
from oesd.store.results import Revision, list_elements, load_revision


def assign(connection: Connection, data_id: str, peak_id: str, candidate_key: str, now: datetime) -> Result:
    """Put a person's word on a peak of the latest result, in place of an earlier one on the same peak.

    Raises
    ------
    UnknownEntry, UnknownPeak, UnknownCandidate
        When there is no such entry (or it has no result), peak or candidate; nothing is changed.
    """
    entry_no = entry_number(connection, data_id)
    latest = load_revision(connection, data_id, None)
    peaks = () if latest is None else latest.analysis.detected_peaks
    index = next((k for k, peak in enumerate(peaks) if peak.peak_id == peak_id), None)
    if latest is None or index is None:
        raise UnknownPeak(data_id, peak_id)
    standing = match_overrides(peaks, load_overrides(connection, data_id)).get(index)
    insert_override(connection, entry_no, _override(data_id, peaks[index], candidate_key, now), standing)
    return _told(connection, entry_no, data_id, latest)


def clear(connection: Connection, data_id: str, peak_id: str, now: datetime) -> Result:
    """Take back a person's word on a peak of the latest result, or one that no peak matches any more.

    A peak that nobody spoke of stays as it is.

    Raises
    ------
    UnknownEntry, UnknownPeak
        When there is no such entry (or it has no result), or neither a peak nor an orphaned override of this id.
    """
    entry_no = entry_number(connection, data_id)
    latest = load_revision(connection, data_id, None)
    if latest is None:
        raise UnknownPeak(data_id, peak_id)
    peaks, overrides = latest.analysis.detected_peaks, load_overrides(connection, data_id)
    index = next((k for k, peak in enumerate(peaks) if peak.peak_id == peak_id), None)
    matched = match_overrides(peaks, overrides)
    orphaned = [one for one in overrides if one not in matched.values() and one.peak_id == peak_id]
    if index is None and not orphaned:
        raise UnknownPeak(data_id, peak_id)
    for override in orphaned if index is None else [matched[index]] if index in matched else []:
        clear_override(connection, entry_no, override, now)
    return _told(connection, entry_no, data_id, latest)


def _told(connection: Connection, entry_no: int, data_id: str, latest: Revision) -> Result:
    result = latest.shown(data_id, load_spoken(connection, data_id))
    list_elements(connection, entry_no, result)
    return result


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
