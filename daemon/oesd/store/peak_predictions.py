"""What the axis, or another number, tells of a peak's numbers: wavelengths of centres, areas of heights and widths.

A prediction consists of single operations, which IEEE 754 rounds the same way everywhere: what was packed on one
machine is read on any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.store.whole_numbers import LARGEST

Integers = NDArray[np.int64]
_PIXEL = 10_000
_AREA = 1.0644670194312262e-4  # of a Gaussian of height 1 and FWHM 1; widths are in 10**-4 nm
_PIXEL_FWHM = 0.67979e4  # of the Gaussian as wide as a pixel (engine/linespread.py), 10**-4 pixels


def whole_multiples(values: Sequence[float], places: int) -> Integers | None:
    """Values as whole multiples of 10**-places; None when they are none."""
    numbers = np.array(values, dtype=np.float64)
    scale = 10.0**places
    if not (np.abs(numbers) < LARGEST / scale).all():
        return None
    whole = np.rint(numbers * scale)
    same = np.array_equal(whole / scale, numbers) and not np.signbit(numbers[numbers == 0]).any()
    return whole.astype(np.int64) if same else None


def is_axis(wavelengths_nm: FloatArray) -> bool:
    """Whether positions on it can be predicted."""
    return len(wavelengths_nm) > 1 and bool((np.abs(wavelengths_nm) < 1e9).all())


def on_axis(center: Integers, wavelengths_nm: FloatArray) -> tuple[Integers, FloatArray]:
    """Where the axis has these centres, in 10**-4 nm, and the width of the pixels there, in nm."""
    pixel = np.minimum(np.maximum(center // _PIXEL, 0), len(wavelengths_nm) - 2)
    left = wavelengths_nm[pixel]
    pixel_nm = wavelengths_nm[pixel + 1] - left
    return _rounded((left + pixel_nm * ((center - pixel * _PIXEL) / _PIXEL)) * 1e4), pixel_nm


def gaussian_areas(height: Integers, width: Integers, pixel_nm: FloatArray) -> Integers:
    """Areas of Gaussians of these heights and widths, on pixels of these widths, in 10**-3 counts nm."""
    pixel = pixel_nm * _PIXEL_FWHM
    looks = np.sqrt(width.astype(np.float64) * width + pixel * pixel)
    return _rounded(height.astype(np.float64) * looks * _AREA)


def _rounded(values: FloatArray) -> Integers:
    # np.clip takes longer than both.
    whole: Integers = np.rint(np.minimum(np.maximum(values, -LARGEST), LARGEST)).astype(np.int64)
    return whole
