"""What a device says of itself, made sane: wavelength axis, non-linearity, dark pixels, saturation. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: No Ocean Optics spectrometer sees beyond; NIRQuest axes of the 900-2500 nm kind end a little above 2500.
SHORTEST_NM, LONGEST_NM = 100.0, 2600.0
LEAST_GAIN, MOST_GAIN = 0.5, 1.5
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


def dark_pixels(indices: Iterable[Any], pixels: int) -> tuple[int, ...]:
    """Flat sorted indices within the detector.

    pyseabreeze nests those of the USB4000 in a second tuple, and gives ``[()]``, which is not empty, for the NIRQuest.
    """
    return tuple(sorted({index for index in _flat(indices) if 0 <= index < pixels}))


def saturation_counts(full_scale: float, normalization: float, told: int | None = None) -> int:
    """Raw count at which a pixel is saturated; full scale where what the device tells is blank or broken.

    Parameters
    ----------
    full_scale : float
        Largest count of the ADC.
    normalization : float
        pyseabreeze multiplies counts by full_scale / saturation of the EEPROM, or by 1.
    told : int, optional
        Saturation level the device gives when asked.
    """
    level = round(full_scale / normalization) if told is None else told
    return level if full_scale / 4 <= level <= full_scale else int(full_scale)


def _flat(indices: Iterable[Any]) -> Iterator[int]:
    for entry in indices:
        if isinstance(entry, Iterable):
            yield from _flat(entry)
        else:
            yield int(entry)
