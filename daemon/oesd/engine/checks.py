"""What may enter the engine; everything that passes is analysed without an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from oesd.engine.errors import SpectrumError
from oesd.engine.lines import line_table
from oesd.model import ConstraintMode, FloatArray, MaskArray, Measurement, Quantity, Recipe

MIN_PIXELS = 2
_LARGEST_WHOLE = 10**12
_SPOKEN = {
    Quantity.TRANSMITTANCE: "a transmittance",
    Quantity.REFLECTANCE: "a reflectance",
    Quantity.ABSORBANCE: "an absorbance",
    Quantity.IRRADIANCE: "an irradiance",
    Quantity.RATIO: "a ratio of two spectra (values lie far below zero)",
}


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
    if not np.isfinite(array).all():
        raise SpectrumError(f"{name} is not finite at pixel {int(np.isfinite(array).argmin())}")
    return array


def axis(values: ArrayLike) -> FloatArray:
    """Wavelength axis: finite, positive, strictly increasing."""
    wavelengths = spectrum(values, "wavelengths_nm")
    if len(wavelengths) < MIN_PIXELS:
        raise SpectrumError(f"a spectrum needs at least {MIN_PIXELS} pixels, this one has {len(wavelengths)}")
    rising = wavelengths[1:] > wavelengths[:-1]
    if not rising.all():
        raise SpectrumError(f"wavelengths are not increasing at pixel {int(rising.argmin()) + 1}")
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


def recipe(chosen: Recipe) -> Recipe:
    """The same recipe with known element symbols, spelled as in the table, and sane numbers."""
    return replace(
        chosen,
        elements=symbols(chosen.elements),
        fwhm_nm=positive(chosen.fwhm_nm, "fwhm_nm"),
        ambient=symbols(chosen.ambient),
        expected=symbols(chosen.expected),
        search_nm=positive(chosen.search_nm, "search_nm"),
    )


def constraint(name: str, elements: tuple[str, ...]) -> ConstraintMode:
    """Constraint by its name; a list of elements without one would be silently without effect."""
    try:
        mode = ConstraintMode(name)
    except ValueError:
        modes = ", ".join(m.value for m in ConstraintMode)
        raise SpectrumError(f"unknown constraint {name!r}: one of {modes}") from None
    if mode is ConstraintMode.AUTO and elements:
        raise SpectrumError("elements are listed but the constraint is auto: say include (only these) or exclude")
    return mode


def symbols(names: Iterable[str]) -> tuple[str, ...]:
    """Symbols of known elements; a single name is a list of one."""
    return tuple(symbol(name) for name in ((names,) if isinstance(names, str) else names))


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
        spread=_optional(given.spread, "spread", pixels),
        dark_variance=_optional(given.dark_variance, "dark_variance", pixels),
        dark_scans=max(int(given.dark_scans), 0),
        dark_integration_us=given.dark_integration_us,
        reference_saturated=_mask(given.reference_saturated, "saturation mask of reference", pixels),
        reference_scans=max(int(given.reference_scans), 1),
        dead_pixels=tuple(int(i) for i in given.dead_pixels),
        stray_light=tuple(float(c) for c in given.stray_light),
        quantity=given.quantity,
    )


def emission(given: Measurement) -> None:
    """Refuse to look for lines in what is no light in counts: peaks there are no lines, and names would be wrong."""
    if given.quantity is not Quantity.COUNTS:
        raise SpectrumError(f"this is {_SPOKEN[given.quantity]}, no emission in counts: it has no lines to name")


def _optional(values: FloatArray | None, name: str, pixels: int) -> FloatArray | None:
    return None if values is None else spectrum(values, name, pixels)


def _mask(mask: MaskArray | None, name: str, pixels: int) -> MaskArray | None:
    if mask is not None and np.shape(mask) != (pixels,):
        raise SpectrumError(f"the {name} has shape {np.shape(mask)}, the wavelength axis {pixels} pixels")
    return None if mask is None else np.asarray(mask, dtype=np.bool_)


def _whole(value: float, name: str) -> int:
    """A number of microseconds or of scans, at least 1."""
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        if 1 <= value <= _LARGEST_WHOLE and value == int(value):
            return int(value)
    raise SpectrumError(f"{name} must be a whole number from 1 on, not {value!r:.40}")


def arrays(
    wavelengths_nm: ArrayLike,
    sample: ArrayLike,
    dark: ArrayLike | None,
    reference: ArrayLike | None,
    integration_us: int | None,
    saturation_counts: float | None,
    nonlinearity: Sequence[float] | None,
    scans: int,
) -> Measurement:
    """Measurement of what a caller from a notebook hands in."""
    return Measurement(
        wavelengths_nm=axis(wavelengths_nm),
        sample=spectrum(sample, "sample"),
        dark=None if dark is None else spectrum(dark, "dark"),
        reference=None if reference is None else spectrum(reference, "reference"),
        integration_us=None if integration_us is None else _whole(integration_us, "integration_us"),
        scans=_whole(scans, "scans_averaged"),
        saturation_counts=saturation_counts,
        nonlinearity=() if nonlinearity is None else tuple(spectrum(nonlinearity, "nonlinearity").tolist()),
    )
