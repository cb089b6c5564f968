"""Peaks as columns, which are what is stored of them: made into :class:`~oesd.model.Peak`, or shown as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oesd.model import Candidate, Peak
from oesd.store.known_lines import Line

MARKS = ("manual", "saturated", "blended", "ambiguous")
_BY_HAND = {"manual": True}


@dataclass(frozen=True, slots=True)
class PeakColumns:
    """Peaks as lists, each of so many values as there are peaks, or candidates; those of all peaks in a row."""

    ids: list[str]
    numbers: tuple[list[float], ...]
    elements: list[str | None]
    marks: tuple[list[bool], ...]
    lines: list[Line]
    chances: list[float]
    bounds: list[tuple[int, int]]

    def peaks(self) -> tuple[Peak, ...]:
        """The peaks themselves."""
        candidates = [Candidate(*line, chance) for line, chance in zip(self.lines, self.chances, strict=True)]
        manual, *marks = self.marks
        *numbers, probability = self.numbers
        groups = [tuple(candidates[first:last]) for first, last in self.bounds]
        rows = zip(self.ids, *numbers, self.elements, probability, manual, groups, *marks, strict=True)
        return tuple(Peak(*row) for row in rows)

    def shown(self) -> list[dict[str, Any]]:
        """The peaks as :meth:`Peak.as_dict` has them, made without them: for who only passes them on."""
        candidates = [
            {"candidate_key": key, "element": name, "ionization": stage, "wavelength_nm": nm, "probability": chance}
            for (key, name, stage, nm), chance in zip(self.lines, self.chances, strict=True)
        ]
        groups = [candidates[first:last] for first, last in self.bounds]
        rows = zip(self.ids, self.elements, groups, zip(*self.numbers), zip(*self.marks), strict=True)  # noqa: B905
        return [
            {
                "peak_id": peak_id,
                "wavelength_nm": nm,
                "element": element,
                **(_BY_HAND if by_hand else {}),
                "wavelength_sigma_nm": sigma_nm,
                "center_px": px,
                "fwhm_nm": fwhm_nm,
                "snr": snr,
                "intensity": intensity,
                "area": area,
                "probability": probability,
                "saturated": saturated,
                "blended": blended,
                "ambiguous": ambiguous,
                "candidates": group,
            }
            for peak_id, element, group, (nm, sigma_nm, px, fwhm_nm, snr, intensity, area, probability),
            (by_hand, saturated, blended, ambiguous) in rows
        ]  # fmt: skip
