"""Peaks and overrides find each other by physics, whatever their numbers are.

Two peaks are the same line when they stand within half a line width of each other, or within three times their
combined uncertainty where that is more. Where several could be meant, the nearest pair is joined first, and each peak
is joined once: a shift smaller than half a line width never joins neighbours that are a line width apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from oesd.model import Analysis, ElementFinding, Override, Peak

SIGMAS = 3.0
# Room for the rounding of a wavelength to 1e-3 nm, twice.
_ROUNDING_NM = 1e-3


def carry_peak_ids(previous: Sequence[Peak], new: Sequence[Peak], *, next_number: int = 1) -> tuple[Peak, ...]:
    """Give each new peak the id of the previous peak that is the same line, or a fresh one.

    Parameters
    ----------
    previous, new : sequence of Peak
        Of the revision before and of this one. The ids that ``new`` brings count for nothing.
    next_number : int
        Numbers below it were used before in this entry; fresh ids are ``p<number>`` from here, by wavelength.

    Returns
    -------
    tuple of Peak
        ``new`` in its order, with ids that are unique and not used by another line before.
    """
    pairs = [
        (abs(old.wavelength_nm - peak.wavelength_nm), i, k)
        for i, old in enumerate(previous)
        for k, peak in enumerate(new)
        if abs(old.wavelength_nm - peak.wavelength_nm) <= _tolerance_nm(old, peak)
    ]
    ids = {k: previous[i].peak_id for i, k in _joined(pairs)}
    fresh = max(next_number, first_free_number(previous))
    for k in sorted(set(range(len(new))) - ids.keys(), key=lambda k: new[k].wavelength_nm):
        ids[k] = f"p{fresh}"
        fresh += 1
    return tuple(peak._replace(peak_id=ids[k]) for k, peak in enumerate(new))


def first_free_number(peaks: Iterable[Peak]) -> int:
    """Return a number above all that the peaks' ids carry."""
    return 1 + max((_number(peak.peak_id) for peak in peaks), default=0)


def match_overrides(peaks: Sequence[Peak], overrides: Sequence[Override]) -> dict[int, Override]:
    """Which override stands for which peak (by index); those that no peak matches are left out.

    A peak that still lists the override's candidate is preferred to a nearer one that does not.
    """
    pairs = [
        ((not _lists(peak, override.candidate_key), distance), i, k)
        for i, override in enumerate(overrides)
        for k, peak in enumerate(peaks)
        if (distance := abs(override.wavelength_nm - peak.wavelength_nm)) <= _reach_nm(override, peak)
    ]
    return {k: overrides[i] for i, k in _joined(pairs)}


def apply_overrides(analysis: Analysis, overrides: Sequence[Override]) -> tuple[Analysis, tuple[Override, ...]]:
    """Put the overrides on the peaks they mean.

    The peak takes the override's element and key, ``manual`` and probability 1; its candidates stay as the engine gave
    them, whether or not they still list the chosen one. An element that the engine did not find is added with
    probability 1.

    Returns
    -------
    analysis, orphaned
        The orphaned overrides are those that no peak matches.
    """
    matched = match_overrides(analysis.detected_peaks, overrides)
    if not overrides:
        return analysis, ()
    peaks = tuple(_said(peak, matched[k]) if k in matched else peak for k, peak in enumerate(analysis.detected_peaks))
    orphaned = tuple(override for override in overrides if override not in matched.values())
    elements = _with_elements(analysis.elements, [o.element for o in overrides if o not in orphaned])
    return replace(analysis, detected_peaks=peaks, elements=elements), orphaned


def _said(peak: Peak, by: Override) -> Peak:
    return peak._replace(element=by.element, candidate_key=by.candidate_key, manual=True, probability=1.0)


def _with_elements(found: tuple[ElementFinding, ...], assigned: list[str]) -> tuple[ElementFinding, ...]:
    known = {finding.element for finding in found}
    added = (ElementFinding(element, 1.0) for element in dict.fromkeys(assigned) if element not in known)
    return (*found, *added)


def _joined(pairs: Iterable[tuple[Any, int, int]]) -> list[tuple[int, int]]:
    """Join the best pair, then the best of those left, each index once."""
    left: set[int] = set()
    right: set[int] = set()
    joined = []
    for _, i, k in sorted(pairs):
        if i not in left and k not in right:
            left.add(i)
            right.add(k)
            joined.append((i, k))
    return joined


def _tolerance_nm(one: Peak, other: Peak) -> float:
    width = min(one.fwhm_nm, other.fwhm_nm)
    return _within(width, one.wavelength_sigma_nm, other.wavelength_sigma_nm)


def _reach_nm(override: Override, peak: Peak) -> float:
    return _within(peak.fwhm_nm, override.wavelength_sigma_nm, peak.wavelength_sigma_nm)


def _within(fwhm_nm: float, *sigmas_nm: float) -> float:
    return max(fwhm_nm / 2, SIGMAS * math.hypot(*sigmas_nm), _ROUNDING_NM)


def _lists(peak: Peak, candidate_key: str) -> bool:
    return any(candidate.candidate_key == candidate_key for candidate in peak.candidates)


def _number(peak_id: str) -> int:
    digits = peak_id.removeprefix("p")
    return int(digits) if digits.isascii() and digits.isdigit() else 0
