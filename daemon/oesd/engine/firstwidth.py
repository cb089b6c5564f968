"""A first line width, read off the tops of the strong lines: good enough to find all of them with."""

from __future__ import annotations

import numpy as np

from oesd.engine.linespread import NARROWEST_PX, WIDEST_PX
from oesd.model import FloatArray, MaskArray

DEFAULT_PX = 3.0
MIN_SNR = 12.0
ARMS = np.array([1, 2, 4, 8, 16])


def first_fwhm_px(net: FloatArray, variance: FloatArray, masked: MaskArray, hint_px: float | None) -> float:
    """A first width in pixels, as it looks (the pixel's own in it): good enough to find the lines with.

    Every strong local maximum gives one from the log-parabola through its top (exact for a Gaussian); blends and bands
    are wider, so it is a low quantile, weighted to strong lines. A hint bounds it to 0.6 .. 1.6 of itself.
    """
    widths, snr = _top_widths(net, variance, masked)
    low, high = (NARROWEST_PX, WIDEST_PX) if hint_px is None else (0.6 * hint_px, 1.6 * hint_px)
    usable = (widths >= low) & (widths <= high)
    if usable.sum() < 3:
        return DEFAULT_PX if hint_px is None else max(hint_px, NARROWEST_PX)
    found = _weighted_quantile(widths[usable], np.minimum(snr[usable], 100.0), 0.3)
    return max(found, NARROWEST_PX)


def _top_widths(net: FloatArray, variance: FloatArray, masked: MaskArray) -> tuple[FloatArray, FloatArray]:
    """Widths and signal-to-noise of all strong maxima; the parabola's arms reach out 1, 2, 4, 8 or 16 pixels."""
    falls = net[1:] < net[:-1]
    tops = 1 + (falls[1:] & ~falls[:-1]).nonzero()[0]
    height = np.maximum(net[tops], 0.0)
    strong = (height * height > MIN_SNR**2 * variance[tops]).nonzero()[0]
    tops, height = tops[strong], height[strong]
    below, above = tops[:, None] - ARMS, tops[:, None] + ARMS
    inside = (below >= 0) & (above < len(net))
    if not inside.all():
        below, above = np.where(inside, below, 0), np.where(inside, above, 0)
    left, right = net[below], net[above]
    good = inside & (np.minimum(left, right) > 0.0) & (np.maximum(left, right) < height[:, None])
    if masked.any():
        good &= ~(masked[below] | masked[tops][:, None] | masked[above])
    top, arm = good.nonzero()
    product = (left[good] / height[top]) * (right[good] / height[top])
    curvature = -np.log(np.maximum(product, 1e-300))  # = arm^2 / sigma^2 of a Gaussian
    width = np.sqrt(8.0 * np.log(2.0) / np.maximum(curvature, 1e-6))
    fits = (width >= 1.4) & (width < 4.0)  # arms on the flanks: neither in the noise nor in the wings
    top = top[fits]
    return ARMS[arm[fits]] * width[fits], height[top] / np.sqrt(variance[tops[top]])


def _weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = values.argsort(kind="stable")
    cumulative = weights[order].cumsum()
    return float(values[order[cumulative.searchsorted(share * cumulative[-1])]])
