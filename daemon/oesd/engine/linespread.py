"""The width of a single line in this spectrum: the instrument's line spread, in pixels."""

from __future__ import annotations

import numpy as np

from oesd.model import FloatArray, MaskArray

NARROWEST_PX, WIDEST_PX = 1.5, 20.0
DEFAULT_PX = 3.0
MIN_SNR = 12.0


def learned_fwhm_px(net: FloatArray, sigma: FloatArray, masked: MaskArray, hint_px: float | None) -> float:
    """FWHM of the instrument's line spread in pixels.

    Every strong local maximum gives a width from the log-parabola through its top (exact for a Gaussian); blends and
    bands are wider, so the answer is a low quantile, weighted to strong lines. A hint, when given, bounds it to
    0.6 .. 1.6 of itself.
    """
    widths, snr = _top_widths(net, sigma, masked)
    low, high = (NARROWEST_PX, WIDEST_PX) if hint_px is None else (0.6 * hint_px, 1.6 * hint_px)
    usable = (widths >= low) & (widths <= high)
    if usable.sum() < 3:
        return float(np.clip(DEFAULT_PX if hint_px is None else hint_px, NARROWEST_PX, WIDEST_PX))
    return float(
        np.clip(_weighted_quantile(widths[usable], np.minimum(snr[usable], 100.0), 0.3), NARROWEST_PX, WIDEST_PX)
    )


def _top_widths(net: FloatArray, sigma: FloatArray, masked: MaskArray) -> tuple[FloatArray, FloatArray]:
    """Widths and signal-to-noise of all strong maxima; for broad lines the parabola's arms reach out 1, 2, 4 pixels."""
    widths, ratios = np.zeros(0), np.zeros(0)
    for arm in (1, 2, 4):
        if len(net) < 4 * arm + 3:
            break
        w, r = _parabola_widths(net, sigma, masked, arm)
        fits = (w >= 1.4 * arm) & (
            w < 4.0 * arm
        )  # arms on the flanks: neither in the noise of the top nor in the wings
        widths, ratios = np.concatenate([widths, w[fits]]), np.concatenate([ratios, r[fits]])
    return widths, ratios


def _parabola_widths(net: FloatArray, sigma: FloatArray, masked: MaskArray, arm: int) -> tuple[FloatArray, FloatArray]:
    centre = np.arange(arm, len(net) - arm)
    y, left, right = net[centre], net[centre - arm], net[centre + arm]
    top = (y >= net[centre - 1]) & (y > net[centre + 1]) & (y > left) & (y > right)
    clean = ~(masked[centre - arm] | masked[centre] | masked[centre + arm])
    top &= clean & (y > MIN_SNR * sigma[centre]) & (left > 0.0) & (right > 0.0)
    y, left, right, snr = y[top], left[top], right[top], (y / sigma[centre])[top]
    curvature = 2.0 * np.log(y) - np.log(left) - np.log(right)  # = arm^2 / sigma^2 of a Gaussian
    return arm * np.sqrt(8.0 * np.log(2.0) / np.maximum(curvature, 1e-6)), snr


def _weighted_quantile(values: FloatArray, weights: FloatArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulative, share * cumulative[-1])])
