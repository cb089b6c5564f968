"""Window arithmetic on spectra: reflected edges, vectorised, linear in the number of pixels."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray, MaskArray

SHORT = 11
SHORT_FWHM = 2.3548200450309493 * (SHORT // 2) / 3.0  # of the widest Gaussian that is cut at 3 sigma within SHORT
MOST_TIMES = 6
SORTED = 1024  # values: fewer are sorted as quickly as they are partitioned
FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2), width of a Gaussian at half height


def reflected(values: FloatArray, margin: int) -> FloatArray:
    """Return the values with ``margin`` mirrored ones on each side, shape (n + 2 margin,); any n >= 1."""
    if len(values) > margin:  # np.pad takes longer to find out what is wanted than to do it
        return np.concatenate([values[margin:0:-1], values, values[-2 : -margin - 2 : -1]]) if margin else values
    return np.pad(values, margin, mode="reflect") if len(values) > 1 else np.pad(values, margin, mode="edge")


def gaussian_kernel(fwhm_px: float) -> FloatArray:
    """Symmetric kernel of unit sum and odd length, cut at 3 sigma."""
    sigma = max(fwhm_px, 1e-3) / FWHM_PER_SIGMA
    half = max(1, ceil(3.0 * sigma))
    x = np.arange(-half, half + 1) / sigma
    kernel = np.exp(-0.5 * x * x)
    unit: FloatArray = kernel / kernel.sum()
    return unit


def filtered(values: FloatArray, kernel: FloatArray) -> FloatArray:
    """Convolution with a symmetric kernel of odd length, same length as the values."""
    half = len(kernel) // 2
    return np.correlate(reflected(values, half), kernel, mode="valid")  # for a symmetric one the same, called sooner


def smoothed(values: FloatArray, fwhm_px: float) -> FloatArray:
    """Convolution with a Gaussian, by several short kernels one after the other where that is quicker."""
    kernel, times, _ = _short_kernel(fwhm_px)
    wide = reflected(values, times * (len(kernel) // 2))
    for _ in range(times):
        wide = np.correlate(wide, kernel, mode="valid")
    return wide


def smoothing_of_noise(fwhm_px: float) -> float:
    """Sum of the squares of the kernel of :func:`smoothed`: what is left of the variance of white noise."""
    return _short_kernel(fwhm_px)[2]


@lru_cache(maxsize=8)
def shared_noise(fwhm_px: float, boxcar_px: int) -> float:
    """How much more variance a Gaussian leaves of noise after a boxcar of this half width than of white noise as large.

    Pixels that a boxcar has made alike do not average out: 1 without one, up to its 2 h + 1 pixels under wide lines.
    """
    if not boxcar_px:
        return 1.0
    width, kernel = 2 * boxcar_px + 1, gaussian_kernel(fwhm_px)
    both = np.convolve(kernel, np.full(width, width**-0.5))
    return float(both @ both) / float(kernel @ kernel)


@lru_cache(maxsize=12)  # those that the peak finding of a few devices asks for: their widths are remembered
def _short_kernel(fwhm_px: float) -> tuple[FloatArray, int, float]:
    """A kernel that makes the Gaussian when applied so many times, and the sum of the squares of all that.

    numpy has a loop of its own for kernels up to ``SHORT`` long, eight times as quick as for longer ones.
    """
    times = max(1, ceil((fwhm_px / SHORT_FWHM) ** 2))
    times = times if times <= MOST_TIMES else 1
    kernel = whole = gaussian_kernel(fwhm_px / sqrt(times))
    for _ in range(times - 1):
        whole = np.convolve(whole, kernel)
    return kernel, times, float(whole @ whole)


def median(values: FloatArray, axis: int = -1) -> FloatArray:
    """Median along an axis; the values are finite and at least one.

    ``np.median`` looks for NaN and masks, which takes most of its time here, and loads numpy.ma for it (2 MB).
    """
    count = values.shape[axis]
    middle = (count - 1) // 2, count // 2
    if values.ndim == 1 and count <= SORTED:
        ordered = values.copy()
        ordered.sort()
        between: FloatArray = 0.5 * (ordered[middle[0]] + ordered[middle[1]])
        return between
    parts = np.sort(values, axis=axis) if count <= SORTED else np.partition(values, middle, axis=axis)
    center: FloatArray = 0.5 * (parts.take(middle[0], axis=axis) + parts.take(middle[1], axis=axis))
    return center


def quantile(values: FloatArray, share: float) -> float:
    """Value below which a share of the values lies, interpolated; of finite values, at least one."""
    place = share * (len(values) - 1)
    below = int(place)
    pair = below, min(below + 1, len(values) - 1)
    parts = np.sort(values) if len(values) <= SORTED else np.partition(values, pair)
    return float(parts[pair[0]] + (place - below) * (parts[pair[1]] - parts[pair[0]]))


def median_of_seven(values: FloatArray, at: NDArray[np.integer[Any]]) -> FloatArray:
    """Median of the values at these places and their three neighbours on either side, (places,)."""
    return np.sort(reflected(values, 3)[at[:, None] + np.arange(7)], axis=1)[:, 3]


def moving_mean(values: FloatArray, half_width: int) -> FloatArray:
    """Boxcar: mean of the 2 h + 1 values around each one."""
    if half_width <= 0:
        return values
    return filtered(values, np.full(2 * half_width + 1, 1.0 / (2 * half_width + 1)))


def on_axis(px: FloatArray, device_nm: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Wavelength, nm, and nm per pixel at places between the pixels of an axis, which has two and more."""
    last = len(device_nm) - 1
    px = np.minimum(np.maximum(px, 0.0), float(last))
    before = np.minimum(px.astype(np.int64), last - 1)
    share, nm, after = px - before, device_nm.take(before), device_nm.take(before + 1)
    left = (after - device_nm.take(np.maximum(before - 1, 0))) / (1.0 + (before > 0))
    right = (device_nm.take(np.minimum(before + 2, last)) - nm) / (1.0 + (before + 2 <= last))
    return nm + share * (after - nm), left + share * (right - left)


def grown(mask: MaskArray, by: int) -> MaskArray:
    """Mask with every true run made longer by ``by`` pixels on each side."""
    if by <= 0 or not mask.any():
        return mask
    return np.convolve(mask, np.ones(2 * by + 1, dtype=np.int64), mode="same")[: len(mask)] > 0


def long_runs(mask: MaskArray, longer_than: float) -> MaskArray:
    """Those true runs of a mask that have more pixels than the limit."""
    runs = edges_of(mask)
    result = np.zeros(len(mask), dtype=np.bool_)
    for start, end in runs[runs[:, 1] - runs[:, 0] > longer_than].tolist():
        result[start:end] = True
    return result


def edges_of(mask: MaskArray) -> NDArray[np.int64]:
    """First pixel of every true run and the one after its last, (runs, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return edges.reshape(-1, 2)


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


def averaged(values: FloatArray, step: int) -> FloatArray:
    """Means of ``step`` values after each other along the last axis, without the rest at the end: n // step."""
    whole = values.shape[-1] // step
    if step == 1:
        return values.copy()
    total = values[..., : whole * step : step] + values[..., 1 : whole * step : step]
    for first in range(2, step):
        total += values[..., first : whole * step : step]
    total *= 1.0 / step
    return total


def spread_out(means: FloatArray, step: int, pixels: int) -> FloatArray:
    """Lines through the middles of blocks of ``step`` pixels, at every pixel; level beyond the outermost middles.

    ``means`` is (blocks,) or (rows, blocks); the result has as many rows, of ``pixels``.
    """
    first, blocks = step // 2, means.shape[-1]
    last = first + (blocks - 1) * step
    result = np.empty((*means.shape[:-1], pixels))
    result[..., :first], result[..., last:] = means[..., :1], means[..., -1:]
    ends = np.empty((*means.shape[:-1], blocks - 1, 2))
    ends[..., 0], ends[..., 1] = means[..., :-1], means[..., 1:]
    between = result[..., first:last].reshape(*means.shape[:-1], blocks - 1, step)
    np.matmul(ends, _ramp(step), out=between)  # numpy walks rows as short as these slowly
    return result


@lru_cache(maxsize=16)
def _ramp(step: int) -> FloatArray:
    """Shares of a block's own mean and of the next one's, at ``step`` pixels from its middle on; (2, step)."""
    after = (np.arange(step) + (step // 2 - 0.5 * (step - 1))) / step
    return np.array([1.0 - after, after])


def bridged(values: FloatArray, bad: MaskArray) -> FloatArray:
    """Values with the bad ones replaced by a line between their good neighbours; unchanged when none is good."""
    if not bad.any() or bad.all():
        return values
    good = np.flatnonzero(~bad)
    result = values.copy()
    result[bad] = np.interp(np.flatnonzero(bad), good, values[good])
    return result
