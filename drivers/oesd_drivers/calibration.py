"""What a device says of itself, made sane: wavelength axis, non-linearity, saturation, temperature. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import Refused

#: No Ocean Optics spectrometer sees beyond; NIRQuest axes of the 900-2500 nm kind end a little above 2500.
SHORTEST_NM, LONGEST_NM = 100.0, 2600.0
LEAST_GAIN, MOST_GAIN = 0.5, 1.5
COLDEST_C, WARMEST_C = -60.0, 40.0
_GRID = 513


def wavelength_axis(
    coefficients: Sequence[float | None], pixels: int, first_index: int = 0
) -> tuple[NDArray[np.float64], bool]:
    """Axis from polynomial coefficients, and whether it is one.

    Parameters
    ----------
    coefficients : sequence of float or None
        c0, c1, ... in nm per pixel to the n; None for one that could not be read.
    pixels : int
    first_index : int
        Index of the first pixel in the polynomial (QE65000 begins at -10).

    Returns
    -------
    wavelengths_nm : (pixels,) float64
        Strictly increasing; the pixel numbers when the polynomial is no sane axis.
    calibrated : bool
    """
    plain = np.arange(pixels, dtype=np.float64)
    known = [c for c in coefficients if c is not None]
    if len(known) < max(2, len(coefficients)):
        return plain, False
    with np.errstate(all="ignore"):
        axis = np.asarray(np.polynomial.polynomial.polyval(plain + first_index, known), dtype=np.float64)
        sane = bool(np.isfinite(axis).all() and (np.diff(axis) > 0).all())
    sane = sane and bool(axis[0] >= SHORTEST_NM and axis[-1] <= LONGEST_NM)
    return (axis, True) if sane else (plain, False)


def nonlinearity(coefficients: Sequence[float | None], saturation_counts: int) -> tuple[float, ...]:
    """Coefficients of a polynomial that stays near one over the whole range of counts, else empty.

    Dividing by a polynomial of blank EEPROM slots gives infinities (python-seabreeze issue 40).
    """
    known = tuple(float(c) for c in coefficients if c is not None)
    if not known or len(known) < len(coefficients):
        return ()
    with np.errstate(all="ignore"):
        gain = np.polynomial.polynomial.polyval(np.linspace(0.0, saturation_counts, _GRID), known)
    sane = np.isfinite(gain).all() and (gain >= LEAST_GAIN).all() and (gain <= MOST_GAIN).all()
    return known if sane else ()


def saturation_counts(told: int | None, full_scale: int, usual: int = 0) -> int:
    """Raw count at which a pixel is saturated.

    Parameters
    ----------
    told : int or None
        What the device tells; believed where it is neither blank nor broken.
    full_scale : int
        Largest count of the ADC.
    usual : int
        What the model is known for, 0 for full scale.
    """
    return told if told is not None and full_scale / 4 <= told <= full_scale else usual or full_scale


def sane_temperature_c(told_c: float | None) -> float | None:
    """Temperature in degrees Celsius, None for what no laboratory has."""
    return told_c if told_c is not None and -100.0 <= told_c <= 125.0 else None


def detector_goal_c(setpoint_c: float | None) -> float | None:
    """Temperature to cool to in degrees Celsius, None for not at all; :class:`Refused` for what no cooler reaches."""
    if setpoint_c is None or COLDEST_C <= setpoint_c <= WARMEST_C:
        return None if setpoint_c is None else float(setpoint_c)
    raise Refused(f"{setpoint_c} is no temperature for a detector: {COLDEST_C:g} to {WARMEST_C:g} degrees")
