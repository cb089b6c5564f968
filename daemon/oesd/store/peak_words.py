"""What is out of the ordinary with peaks that :mod:`oesd.store.peak_numbers` keeps as numbers, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oesd.model import Candidate, Peak
from oesd.store.known_lines import Line, line_at, usual_key


def line_of(places: Sequence[int], odd: Mapping[int, Line], number: int) -> Line:
    """The line of a candidate: that of its place, or the one that is told in words."""
    return odd.get(number) or line_at(places[number])


def words_of(peaks: Sequence[Peak], candidates: Sequence[Candidate], odd: list[int]) -> dict[str, Any]:
    """What is out of the ordinary."""
    told = [(number, candidates[number]) for number in odd]
    beside = set(odd)
    usual = [peak.candidates[0].element if peak.candidates else None for peak in peaks]
    some = {
        "odd": [[k, c.candidate_key, c.element, c.ionization, c.wavelength_nm] for k, c in told],
        "keys": [
            [k, c.candidate_key]
            for k, c in enumerate(candidates)
            if c.candidate_key != usual_key(c.element, c.wavelength_nm) and k not in beside
        ],
        "elements": [[k, p.element] for k, (p, e) in enumerate(zip(peaks, usual, strict=True)) if p.element != e],
        "ids": [] if _are_counted(peaks) else [peak.peak_id for peak in peaks],
    }
    return {name: values for name, values in some.items() if values}


def _are_counted(peaks: Sequence[Peak]) -> bool:
    return all(peak.peak_id == f"p{number}" for number, peak in enumerate(peaks, start=1))


def elements_of(
    words: Mapping[str, Any], places: Sequence[int], odd: Mapping[int, Line], bounds: Sequence[tuple[int, int]]
) -> list[str | None]:
    """The element of each peak: that of its first candidate, unless another one is told."""
    elements: list[str | None] = [line_of(places, odd, a).element if b > a else None for a, b in bounds]
    for number, element in words.get("elements", ()):
        elements[number] = element
    return elements
