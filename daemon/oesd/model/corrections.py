"""Which corrections a spectrum had, one by one: why its ``scope_corrected`` is what it is, for who looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from oesd.model.measured import Measurement
from oesd.model.sentences import BEYOND_LIMITS, DARK_EXPOSED, NONLINEARITY, STRAY_LIGHT


class Correction(NamedTuple):
    """One correction.

    ``doubtful`` is what a person should look at: a dark that is missing or out of its limits, coefficients that are
    not believed. ``note`` says what was applied, or why nothing was.
    """

    name: str
    applied: bool
    doubtful: bool
    note: str


@dataclass(frozen=True, slots=True)
class Means:
    """What a measurement offers to correct it by.

    Attributes
    ----------
    covered : int
        Optically black pixels: their level is taken where there is no dark.
    nonlinearity, stray_light : int
        Coefficients that the device tells; 0 for none.
    """

    dark: bool = False
    covered: int = 0
    nonlinearity: int = 0
    stray_light: int = 0
    short_us: int | None = None
    boxcar_px: int = 0

    @classmethod
    def of(cls, measured: Measurement) -> Means:
        """Return those of a measurement."""
        return cls(
            measured.dark is not None,
            len(measured.electric_dark_pixels),
            len(measured.nonlinearity),
            len(measured.stray_light),
            None if measured.short is None else measured.short_integration_us,
            measured.boxcar_half_width_px,
        )

    def corrections(self, metadata: Mapping[str, Any], warnings: Sequence[str]) -> list[Correction]:
        """Each correction, with what metadata and the engine's warnings tell of it."""
        return [
            self._dark(str(metadata.get("dark_reason") or ""), warnings),
            _by_coefficients("nonlinearity", self.nonlinearity, NONLINEARITY, warnings),
            _by_coefficients("stray_light", self.stray_light, STRAY_LIGHT, warnings),
            *self._others(metadata),
        ]

    def _dark(self, reason: str, warnings: Sequence[str]) -> Correction:
        if not self.dark:
            missing = reason or "none was given"
            if self.covered:
                return Correction("dark", True, True, f"{missing}; only the level of {self.covered} covered pixels")
            return Correction("dark", False, True, missing)
        others = [warning.partition(":")[0] for warning in warnings if warning.startswith(DARK_EXPOSED)]
        note = "; ".join([reason or "as it was given", *others])
        return Correction("dark", True, bool(others) or BEYOND_LIMITS in reason, note)

    def _others(self, metadata: Mapping[str, Any]) -> Iterator[Correction]:
        if self.short_us is not None:
            bracket = metadata.get("bracket")
            pixels = int(bracket.get("replaced_pixels") or 0) if isinstance(bracket, Mapping) else 0
            note = f"{pixels or 'no'} saturated pixels out of the one of {self.short_us / 1000:g} ms"
            yield Correction("shorter_exposure", pixels > 0, False, note)
        if self.boxcar_px:
            yield Correction("boxcar", True, False, f"half width {self.boxcar_px} px, to find peaks only")


def _by_coefficients(name: str, count: int, words: str, warnings: Sequence[str]) -> Correction:
    if not count:
        return Correction(name, False, False, "no coefficients are known")
    if any(warning.startswith(words) for warning in warnings):
        return Correction(name, False, True, "its coefficients are not believable")
    return Correction(name, True, False, f"by {count} coefficient{'s' if count != 1 else ''}")
