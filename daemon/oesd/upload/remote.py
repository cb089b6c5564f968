"""The API's result beside ours: how they differ, whose word stands, and what is kept of it.

Two analyses of one spectrum are compared peak by peak. A peak that a person named there and nobody named here is taken
over; one that was named differently here and there is a conflict, which is shown and decided by nobody but a person:
assigning again here, knowing of it, overrules it there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from oesd.model import Peak, Result
from oesd.store import Store, StoreDamaged, UnknownCandidate, UnknownPeak
from oesd.store.remote import RemoteResult
from oesd.upload.answers import RemotePeak, peaks

_SIGMAS = 3.0
_LEAST_WINDOW_NM = 0.3  # two analyses of one spectrum may place a weak peak that far apart
_SPECTRA = ("wavelengths", "sample", "reference", "dark", "scope_corrected")
_MOST = 200  # differences that are listed: beyond that the two have nothing in common
_SAME_SHARE = 1e-3  # of the highest count: spectra that differ by less show the same


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a remote result differs; ``takeovers`` are (peak id, candidate key) of ours to assign as was done there."""

    diff: Mapping[str, Any]
    takeovers: tuple[tuple[str, str], ...]


def keep_remote(store: Store, data_id: str, document: Mapping[str, Any], now: datetime) -> None:
    """Compare a remote result with the latest local one, take over what was assigned there, and keep the rest of it."""
    local = _readable(store, data_id)
    compared = compare(local, document)
    taken = False
    for peak_id, key in compared.takeovers:
        try:
            store.remote.take_over(data_id, peak_id, key, now).result()
            taken = True
        except (UnknownPeak, UnknownCandidate):
            continue  # reprocessed meanwhile: it is met again with the next look
    if taken:
        local = _readable(store, data_id)
        compared = compare(local, document)
    differs = bool(compared.diff["differences"] or compared.diff["conflicts"] or compared.diff["by_hand"])
    kept = {name: value for name, value in document.items() if name not in _SPECTRA} if differs else {}
    store.remote.save(RemoteResult(data_id, local.revision if local else 0, now, compared.diff, kept)).result()


def compare(local: Result | None, document: Mapping[str, Any]) -> Comparison:
    """Compare a remote result, a checked GET document, with the local one.

    The diff has ``differences`` and ``conflicts``, each a list of objects with a sentence under ``text``, and
    ``by_hand``: what persons named there.
    """
    shown = peaks(dict(document))
    ours = list(local.analysis.detected_peaks) if local else []
    pairs = _pairs(ours, shown)
    differences = _unpaired(ours, shown, pairs) + _spectra(local, document)
    conflicts: list[dict[str, Any]] = []
    takeovers: list[tuple[str, str]] = []
    for one, other in pairs:
        if other.manual and one.manual and other.element != (one.element or ""):
            conflicts.append(_said("named by hand here and there", one, other))
        elif other.manual and not one.manual:
            key = _key_of(one, other)
            if key:
                takeovers.append((one.peak_id, key))
            elif other.element != (one.element or ""):
                differences.append(_said("named by hand there; no candidate here", one, other))
        elif other.element != (one.element or "") and not one.manual:
            differences.append(_said("named otherwise", one, other))
    by_hand = [{"wavelength_nm": p.wavelength_nm, "element": p.element} for p in shown if p.manual]
    diff = {"differences": differences[:_MOST], "conflicts": conflicts[:_MOST], "by_hand": by_hand[:_MOST]}
    return Comparison(diff, tuple(takeovers))


def nearest(shown: Sequence[RemotePeak], wavelength_nm: float, sigma_nm: float) -> RemotePeak | None:
    """Peak that one of ours at a wavelength is: the nearest within 3 sigma or 0.3 nm; None without one."""
    window_nm = max(_SIGMAS * sigma_nm, _LEAST_WINDOW_NM)
    near = [peak for peak in shown if abs(peak.wavelength_nm - wavelength_nm) <= window_nm]
    return min(near, key=lambda peak: abs(peak.wavelength_nm - wavelength_nm), default=None)


def _pairs(ours: Sequence[Peak], shown: Sequence[RemotePeak]) -> list[tuple[Peak, RemotePeak]]:
    """Peaks that are the same line, each remote one to the nearest of ours only."""
    best: dict[str, tuple[float, Peak, RemotePeak]] = {}
    for one in ours:
        other = nearest(shown, one.wavelength_nm, one.wavelength_sigma_nm)
        if other is not None:
            off_nm = abs(other.wavelength_nm - one.wavelength_nm)
            if other.peak_id not in best or off_nm < best[other.peak_id][0]:
                best[other.peak_id] = (off_nm, one, other)
    return [(one, other) for _, one, other in best.values()]


def _unpaired(
    ours: Sequence[Peak], shown: Sequence[RemotePeak], pairs: Sequence[tuple[Peak, RemotePeak]]
) -> list[dict[str, Any]]:
    here, there = {one.peak_id for one, _ in pairs}, {other.peak_id for _, other in pairs}
    alone = [_said("found only here", one, None) for one in ours if one.peak_id not in here]
    return alone + [_said("found only there", None, other) for other in shown if other.peak_id not in there]


def _said(how: str, one: Peak | None, other: RemotePeak | None) -> dict[str, Any]:
    nm = one.wavelength_nm if one else other.wavelength_nm if other else 0.0
    here, there = (one.element or "no name" if one else ""), (other.element or "no name" if other else "")
    names = " against ".join(name for name in (here, there) if name)
    return {"wavelength_nm": nm, "here": here, "there": there, "text": f"peak at {nm:.2f} nm {how}: {names}"}


def _key_of(one: Peak, other: RemotePeak) -> str:
    """Candidate of our peak that a name given there means: the likeliest of the element; "" when it has none."""
    of_it = [c for c in one.candidates if c.element == other.element]
    return max(of_it, key=lambda c: c.probability).candidate_key if of_it else ""


def _spectra(local: Result | None, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    there = document.get("scope_corrected")
    if local is None or not isinstance(there, list) or len(there) != len(local.analysis.scope_corrected):
        return []
    values = np.array([_count(value) for value in there])
    off = float(np.nanmax(np.abs(values - local.analysis.scope_corrected), initial=0.0))
    highest = float(np.nanmax(np.abs(local.analysis.scope_corrected), initial=1.0))
    if off <= 1.0 + _SAME_SHARE * highest:
        return []
    return [{"counts": off, "text": f"the corrected spectra differ by up to {off:.0f} counts"}]


def _count(value: object) -> float:
    """A count of a foreign spectrum; NaN for what is none."""
    with suppress(OverflowError):
        return float(value) if isinstance(value, int | float) else math.nan
    return math.nan


def _readable(store: Store, data_id: str) -> Result | None:
    try:
        return store.result(data_id)
    except StoreDamaged:
        return None  # ours is damaged, which is told elsewhere: theirs is all the more worth keeping
