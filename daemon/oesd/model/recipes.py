"""What a person, or what is known of a device, asks of an analysis: recipes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class ConstraintMode(StrEnum):
    """How the element list of a recipe bounds the assignment."""

    AUTO = "auto"
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class LineSpread:
    """Width of a single line along a device's axis, as its spectra show it; the tuples are equally long.

    Attributes
    ----------
    wavelengths_nm : tuple of float
        On the device's axis, ascending: at 1/6, 1/2 and 5/6 of its pixels.
    fwhm_nm, sigma_nm : tuple of float
        Full width at half maximum of a single line there, without the width of a pixel, and its standard deviation.
    wing : float
        Share of a line's height that lies in a Lorentzian of the same width; 0 for a Gaussian.
    lines : int
        Lines that it rests on.
    """

    wavelengths_nm: tuple[float, ...]
    fwhm_nm: tuple[float, ...]
    sigma_nm: tuple[float, ...]
    wing: float = 0.0
    lines: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, the inverse of :meth:`from_dict`."""
        return {
            "wavelengths_nm": list(self.wavelengths_nm),
            "fwhm_nm": list(self.fwhm_nm),
            "sigma_nm": list(self.sigma_nm),
            "wing": self.wing,
            "lines": self.lines,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LineSpread:
        """Line spread from its stored form."""
        wavelengths_nm, fwhm_nm, sigma_nm = (tuple(values[name]) for name in ("wavelengths_nm", "fwhm_nm", "sigma_nm"))
        return cls(wavelengths_nm, fwhm_nm, sigma_nm, values["wing"], values["lines"])


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a person can choose about an analysis; stored with each result.

    ``elements`` counts only with include (only these) and exclude (never these); ``ambient`` are gases that include
    lets in besides. ``expected`` is what the process makes likely: evidence decides all the same, and forbids nothing.
    ``fwhm_nm`` is a hint; None lets the engine learn the line width from the spectrum. ``search_nm`` says how far off
    the axis may be; None for what is routine. ``line_spread`` is what earlier spectra of the device showed; it is kept
    with the result, so that the same can be made again, and counts where ``fwhm_nm`` is None.
    """

    constraint: ConstraintMode = ConstraintMode.AUTO
    elements: tuple[str, ...] = ()
    fwhm_nm: float | None = None
    ambient: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    search_nm: float | None = None
    line_spread: LineSpread | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, the inverse of :meth:`from_dict`; what is not chosen is left out."""
        shown: dict[str, Any] = {
            "constraint": self.constraint.value,
            "elements": list(self.elements),
            "fwhm_nm": self.fwhm_nm,
        }
        chosen = {
            "ambient": list(self.ambient),
            "expected": list(self.expected),
            "search_nm": self.search_nm,
            "line_spread": None if self.line_spread is None else self.line_spread.as_dict(),
        }
        return shown | {name: value for name, value in chosen.items() if value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Recipe from its stored form."""
        return cls(
            ConstraintMode(values["constraint"]),
            tuple(values["elements"]),
            values["fwhm_nm"],
            tuple(values.get("ambient", ())),
            tuple(values.get("expected", ())),
            values.get("search_nm"),
            LineSpread.from_dict(values["line_spread"]) if values.get("line_spread") else None,
        )
