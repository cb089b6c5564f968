"""Peaks as columns, which are what is stored of them: made into :class:`~oesd.model.Peak`, or shown as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import add
from typing import Any

import orjson

from oesd.model import Candidate, FloatArray, Peak
from oesd.store.known_lines import Line, line_at, opening, opening_at

MARKS = ("manual", "saturated", "blended", "ambiguous")
_BY_HAND = {"manual": True}


@dataclass(frozen=True, slots=True)
class PeakColumns:
    """Peaks as lists, each of so many values as there are peaks, or candidates; those of all peaks in a row.

    Attributes
    ----------
    places : list of int
        Of the candidates' lines in the list of known lines.
    odd : mapping
        Number of a candidate to its line, where that is not the one of its place.
    """

    ids: list[str]
    numbers: list[list[float]]
    elements: list[str | None]
    marks: list[list[bool]]
    places: list[int]
    odd: Mapping[int, Line]
    chances: FloatArray
    bounds: list[tuple[int, int]]

    def peaks(self) -> tuple[Peak, ...]:
        """The peaks themselves."""
        lines = lines_of(self.places, self.odd)
        candidates = [Candidate(*line, chance) for line, chance in zip(lines, self.chances.tolist(), strict=True)]
        manual, *marks = self.marks
        *numbers, probability = self.numbers
        groups = [tuple(candidates[first:last]) for first, last in self.bounds]
        rows = zip(self.ids, *numbers, self.elements, probability, manual, groups, *marks, strict=True)
        return tuple(Peak(*row) for row in rows)

    def shown(self) -> list[dict[str, Any]]:
        """The peaks as :meth:`Peak.as_dict` has them, made without them: for who only passes them on, by orjson."""
        numbers, marks = zip(*self.numbers, strict=True), zip(*self.marks, strict=True)
        rows = zip(self.ids, self.elements, self._groups(), numbers, marks, strict=True)
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

    def _groups(self) -> list[orjson.Fragment]:
        """The JSON of each peak's candidates: there are hundreds of them, of which only the probability is new."""
        made = list(map(opening_at, self.places))
        for number, line in self.odd.items():
            made[number] = opening(line)
        if made:
            chances = orjson.dumps(self.chances, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
            made = list(map(add, made, chances))
        groups = (b"},".join(made[first:last]) for first, last in self.bounds)
        return [orjson.Fragment(b"[%b}]" % group if group else b"[]") for group in groups]


def lines_of(places: list[int], odd: Mapping[int, Line]) -> list[Line]:
    """The lines at these places, and those that are at none."""
    lines = [line_at(place) for place in places]
    for number, line in odd.items():
        lines[number] = line
    return lines
