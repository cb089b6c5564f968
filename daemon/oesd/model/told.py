"""What an analysis tells beside its peaks: doubts, the axis, and the evidence for each element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """Elements of which one is in the light, and nothing tells which: none of them is claimed; the likeliest first.

    ``peaks_nm`` are the peaks that they share, on the device's axis.
    """

    elements: tuple[str, ...]
    peaks_nm: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {"elements": list(self.elements), "peaks_nm": list(self.peaks_nm)}


@dataclass(frozen=True, slots=True)
class AxisCorrection:
    """How far the device's axis is off, told by the plasma: true = device - shift_nm - stretch * (device - pivot_nm).

    ``sigma_nm`` is the error of the correction; ``sure`` is False when the comb of lines cannot tell, and ``reason``
    then says why. The device's axis is left as it is.
    """

    shift_nm: float
    stretch: float
    pivot_nm: float
    sigma_nm: float
    sure: bool
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "shift_nm": self.shift_nm,
            "stretch": self.stretch,
            "pivot_nm": self.pivot_nm,
            "sigma_nm": self.sigma_nm,
            "sure": self.sure,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LineEvidence:
    """One line that speaks for an element, or, where ``peak_nm`` is None, one that should be seen and is not.

    Attributes
    ----------
    wavelength_nm : float
        Of the line table, air.
    ionization : int
        1 for the neutral atom, 2 for its ion.
    peak_nm : float or None
        Where the peak is on the device's axis: the ``wavelength_nm`` of the Peak.
    expected, seen, seen_sigma : float
        Heights above the baseline, counts: what the element's other lines let expect, and what is there.
    shared_with : tuple of str
        Other found elements with light in the same peak.
    """

    wavelength_nm: float
    ionization: int
    peak_nm: float | None
    expected: float
    seen: float
    seen_sigma: float
    shared_with: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "wavelength_nm": self.wavelength_nm,
            "ionization": self.ionization,
            "peak_nm": self.peak_nm,
            "expected": self.expected,
            "seen": self.seen,
            "seen_sigma": self.seen_sigma,
            "shared_with": list(self.shared_with),
        }


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why an element is claimed, or nearly was: its lines, strongest first, and a sentence for a person.

    ``margin_nats`` is what it gains beyond its price; ``rivals`` are elements that would explain its light nearly as
    well.
    """

    element: str
    probability: float
    claimed: bool
    margin_nats: float
    lines: tuple[LineEvidence, ...]
    missing: tuple[LineEvidence, ...]
    rivals: tuple[str, ...]
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return {
            "element": self.element,
            "probability": self.probability,
            "claimed": self.claimed,
            "margin_nats": self.margin_nats,
            "lines": [line.as_dict() for line in self.lines],
            "missing": [line.as_dict() for line in self.missing],
            "rivals": list(self.rivals),
            "sentence": self.sentence,
        }
