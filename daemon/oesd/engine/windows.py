"""Window arithmetic on spectra: reflected edges, vectorised, linear in the number of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray, MaskArray

_EXCHANGES = (
    (0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4),
)  # fmt: skip
FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2), width of a Gaussian at half height


def reflected(values: FloatArray, margin: int) -> FloatArray:
    """Return the values with ``margin`` mirrored ones on each side, shape (n + 2 margin,); any n >= 1."""
    if len(values) > margin:  # np.pad takes longer to find out what is wanted than to do it
        return np.concatenate([values[margin:0:-1], values, values[-2 : -margin - 2 : -1]]) if margin else values
    return np.pad(values, margin, mode="reflect") if len(values) > 1 else np.pad(values, margin, mode="edge")


def gaussian_kernel(fwhm_px: float) -> FloatArray:
    """Symmetric kernel of unit sum and odd length, cut at 3 sigma."""
    sigma = max(fwhm_px, 1e-3) / FWHM_PER_SIGMA
    half = max(1, int(np.ceil(3.0 * sigma)))
    x = np.arange(-half, half + 1) / sigma
    kernel = np.exp(-0.5 * x * x)
    unit: FloatArray = kernel / kernel.sum()
    return unit


def filtered(values: FloatArray, kernel: FloatArray) -> FloatArray:
    """Convolution with a symmetric kernel of odd length, same length as the values."""
    half = len(kernel) // 2
    return np.convolve(reflected(values, half), kernel, mode="valid")


def median(values: FloatArray, axis: int = -1) -> FloatArray:
    """Median along an axis; the values are finite and at least one.

    ``np.median`` looks for NaN and masks, which takes most of its time here, and loads numpy.ma for it (2 MB).
    """
    count = values.shape[axis]
    middle = (count - 1) // 2, count // 2
    parts = np.partition(values, middle, axis=axis)
    center: FloatArray = 0.5 * (parts.take(middle[0], axis=axis) + parts.take(middle[1], axis=axis))
    return center


def quantile(values: FloatArray, share: float) -> float:
    """Value below which a share of the values lies, interpolated; of finite values, at least one."""
    place = share * (len(values) - 1)
    below = int(place)
    pair = below, min(below + 1, len(values) - 1)
    parts = np.partition(values, pair)
    return float(parts[pair[0]] + (place - below) * (parts[pair[1]] - parts[pair[0]]))


def median_of_seven(values: FloatArray) -> FloatArray:
    """Median of each value and its three neighbours on either side.

    Thirteen exchanges on whole arrays bring the median to the middle (Devillard, Fast median search, 1998), several
    times as fast as sorting every window.
    """
    wide = reflected(values, 3)
    p = [wide[i : i + len(values)] for i in range(7)]
    for i, j in _EXCHANGES:
        p[i], p[j] = np.minimum(p[i], p[j]), np.maximum(p[i], p[j])
    return p[3]


def lowest_of_fifteen(values: FloatArray) -> FloatArray:
    """Lowest of each value and its seven neighbours on either side."""
    lowest = reflected(values, 7)
    for step in (1, 2, 4, 7):  # windows of 2, 4, 8 and 15
        lowest = np.minimum(lowest[:-step], lowest[step:])
    return lowest


def moving_mean(values: FloatArray, half_width: int) -> FloatArray:
    """Boxcar: mean of the 2 h + 1 values around each one."""
    if half_width <= 0:
        return values
    return filtered(values, np.full(2 * half_width + 1, 1.0 / (2 * half_width + 1)))


def grown(mask: MaskArray, by: int) -> MaskArray:
    """Mask with every true run made longer by ``by`` pixels on each side."""
    if by <= 0 or not mask.any():
        return mask
    return np.convolve(mask, np.ones(2 * by + 1, dtype=np.int64), mode="same")[: len(mask)] > 0


def long_runs(mask: MaskArray, longer_than: float) -> MaskArray:
    """Those true runs of a mask that have more pixels than the limit."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    result = np.zeros(len(mask), dtype=np.bool_)
    for start, end in edges.reshape(-1, 2)[np.diff(edges.reshape(-1, 2), axis=1)[:, 0] > longer_than].tolist():
        result[start:end] = True
    return result


def binned(place: NDArray[np.integer[Any]], weights: FloatArray, size: int) -> FloatArray:
    """Sum of the weights at each place, shape (size,) when every place is below it."""
    sums: FloatArray = np.bincount(place, weights=weights, minlength=size).astype(np.float64, copy=False)
    return sums


def robust_sigma(values: FloatArray) -> float:
    """Standard deviation from the median absolute deviation (Gaussian core); 0 for no values."""
    if not len(values):
        return 0.0
    return float(1.4826 * median(np.abs(values - median(values))))


def blocks(values: FloatArray, size: int) -> FloatArray:
    """Cut into rows of ``size`` values, the rest mirrored: shape (ceil(n / size), size)."""
    rest = -len(values) % size
    whole = np.concatenate([values, values[::-1][:rest]]) if rest <= len(values) else np.resize(values, size)
    return whole.reshape(-1, size)


def bridged(values: FloatArray, bad: MaskArray) -> FloatArray:
    """Values with the bad ones replaced by a line between their good neighbours; unchanged when none is good."""
    if not bad.any() or bad.all():
        return values
    good = np.flatnonzero(~bad)
    result = values.copy()
    result[bad] = np.interp(np.flatnonzero(bad), good, values[good])
    return result
