"""What a new analysis of an entry would change, as a person would tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from oesd.model import Analysis, Override, Peak, Result
from oesd.store.anchors import apply_overrides, carry_peak_ids


@dataclass(frozen=True, slots=True)
class Renamed:
    """A peak whose name is another; None for no name."""

    peak_id: str
    wavelength_nm: float
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """Of an entry's latest result and a new analysis, overrides applied to both.

    Attributes
    ----------
    gained, lost : tuple of str
        Elements and molecules named now only, and before only.
    renamed : tuple of Renamed
        Peaks that are the same line (their ids stay) under another name.
    peaks_before, peaks_after : int
    orphaned : tuple of str
        Candidate keys of choices by hand that find no peak any more.
    numbers : bool
        Whether anything differs at all, if only a number.
    """

    data_id: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    renamed: tuple[Renamed, ...]
    peaks_before: int
    peaks_after: int
    orphaned: tuple[str, ...]
    numbers: bool

    @property
    def names(self) -> bool:
        """Whether a person would see another result: other names, other peaks, an orphaned choice."""
        told = (self.gained, self.lost, self.renamed, self.orphaned)
        return any(told) or self.peaks_before != self.peaks_after

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "data_id": self.data_id,
            "gained": list(self.gained),
            "lost": list(self.lost),
            "renamed": [
                {"peak_id": r.peak_id, "wavelength_nm": r.wavelength_nm, "before": r.before, "after": r.after}
                for r in self.renamed
            ],
            "peaks_before": self.peaks_before,
            "peaks_after": self.peaks_after,
            "orphaned": list(self.orphaned),
            "numbers": self.numbers,
        }


def difference(data_id: str, before: Result | None, after: Analysis, overrides: Sequence[Override]) -> Difference:
    """Compare the latest result of an entry, None when there is none, with what its analysis would give now."""
    old = () if before is None else before.analysis.detected_peaks
    carried = replace(after, detected_peaks=carry_peak_ids(old, after.detected_peaks))
    now, orphaned = apply_overrides(carried, overrides)
    was_orphaned = set() if before is None else {override.candidate_key for override in before.orphaned}
    old_names = [] if before is None else _named(before.analysis)
    new_names = _named(now)
    return Difference(
        data_id,
        gained=_without(new_names, old_names),
        lost=_without(old_names, new_names),
        renamed=_renamed(old, now.detected_peaks),
        peaks_before=len(old),
        peaks_after=len(now.detected_peaks),
        orphaned=tuple(o.candidate_key for o in orphaned if o.candidate_key not in was_orphaned),
        numbers=before is None or _said(before.analysis) != _said(now),
    )


def _named(analysis: Analysis) -> list[str]:
    return [found.element for found in (*analysis.elements, *analysis.molecules)]


def _without(names: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    left_out = set(others)
    return tuple(name for name in names if name not in left_out)


def _renamed(old: Sequence[Peak], new: Sequence[Peak]) -> tuple[Renamed, ...]:
    by_id = {peak.peak_id: peak for peak in old}
    pairs = ((by_id[peak.peak_id], peak) for peak in new if peak.peak_id in by_id)
    return tuple(
        Renamed(peak.peak_id, peak.wavelength_nm, was.element, peak.element)
        for was, peak in pairs
        if was.element != peak.element
    )


def _said(analysis: Analysis) -> tuple[Any, ...]:
    """All that a result tells of the light, its versions and recipe left out."""
    return (
        analysis.elements,
        analysis.molecules,
        analysis.ambiguous,
        analysis.axis,
        analysis.warnings,
        analysis.detected_peaks,
        analysis.scope_corrected.tolist(),
    )
