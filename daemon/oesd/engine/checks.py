"""What may enter the engine; everything that passes is analysed without an error."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

from oesd.engine.errors import SpectrumError
from oesd.engine.lines import line_table
from oesd.model import ConstraintMode, FloatArray, MaskArray, Measurement, Recipe

MIN_PIXELS = 2


def spectrum(values: ArrayLike, name: str, pixels: int | None = None) -> FloatArray:
    """One-dimensional finite float64 array, of ``pixels`` values if that is given."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise SpectrumError(f"{name} is not a list of numbers") from None
    if array.ndim != 1:
        raise SpectrumError(f"{name} has {array.ndim} dimensions, not one")
    if pixels is not None and len(array) != pixels:
        raise SpectrumError(f"{name} has {len(array)} values, the wavelength axis has {pixels}")
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise SpectrumError(f"{name} is not finite at pixel {bad[0]}")
    return array


def axis(values: ArrayLike) -> FloatArray:
    """Wavelength axis: finite, positive, strictly increasing."""
    wavelengths = spectrum(values, "wavelengths_nm")
    if len(wavelengths) < MIN_PIXELS:
        raise SpectrumError(f"a spectrum needs at least {MIN_PIXELS} pixels, this one has {len(wavelengths)}")
    steps = np.flatnonzero(wavelengths[1:] <= wavelengths[:-1])
    if len(steps):
        raise SpectrumError(f"wavelengths are not increasing at pixel {steps[0] + 1}")
    if wavelengths[0] <= 0.0:
        raise SpectrumError(f"wavelength {wavelengths[0]:g} nm at pixel 0 is not positive")
    return wavelengths


def positive(value: float | None, name: str) -> float | None:
    """Optional number above zero."""
    if value is None:
        return None
    number = float(value)
    if not (np.isfinite(number) and number > 0.0):
        raise SpectrumError(f"{name} must be a positive number, not {value!r}")
    return number


def recipe(constraint: str, elements: Iterable[str], fwhm_nm: float | None) -> Recipe:
    """Recipe with known element symbols, spelled as in the table."""
    try:
        mode = ConstraintMode(constraint)
    except ValueError:
        modes = ", ".join(m.value for m in ConstraintMode)
        raise SpectrumError(f"unknown constraint {constraint!r}: one of {modes}") from None
    chosen = (elements,) if isinstance(elements, str) else tuple(elements)
    return Recipe(mode, tuple(symbol(name) for name in chosen), positive(fwhm_nm, "fwhm_nm"))


def symbol(name: str) -> str:
    """Symbol of a known element, as the table spells it."""
    spelled = str(name).strip().capitalize()
    if spelled not in line_table().index_of:
        raise SpectrumError(f"unknown element {str(name)!r}")
    return spelled


def measurement(given: Measurement) -> Measurement:
    """The same measurement with every array checked."""
    wavelengths = axis(given.wavelengths_nm)
    pixels = len(wavelengths)
    return Measurement(
        wavelengths_nm=wavelengths,
        sample=spectrum(given.sample, "sample", pixels),
        dark=_optional(given.dark, "dark", pixels),
        reference=_optional(given.reference, "reference", pixels),
        integration_us=given.integration_us,
        scans=max(int(given.scans), 1),
        boxcar_half_width_px=max(int(given.boxcar_half_width_px), 0),
        saturation_counts=positive(given.saturation_counts, "saturation_counts"),
        saturated=_mask(given.saturated, "saturation mask", pixels),
        nonlinearity=tuple(float(c) for c in given.nonlinearity),
        electric_dark_pixels=tuple(int(i) for i in given.electric_dark_pixels),
        short=_optional(given.short, "short", pixels),
        short_saturated=_mask(given.short_saturated, "saturation mask of short", pixels),
        short_dark=_optional(given.short_dark, "short_dark", pixels),
        short_integration_us=given.short_integration_us,
    )


def _optional(values: FloatArray | None, name: str, pixels: int) -> FloatArray | None:
    return None if values is None else spectrum(values, name, pixels)


def _mask(mask: MaskArray | None, name: str, pixels: int) -> MaskArray | None:
    if mask is not None and np.shape(mask) != (pixels,):
        raise SpectrumError(f"the {name} has shape {np.shape(mask)}, the wavelength axis {pixels} pixels")
    return None if mask is None else np.asarray(mask, dtype=np.bool_)
