"""A peak wider than the instrument's line is two lines or more: fitted as a pair of lines of the instrument's width.

All wide peaks are fitted at once, each on its own window with the light of the others taken off: heights and centres of
both lines by damped Gauss-Newton steps. The pair stands where it fits the window clearly better than the one wide line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.lines import IntArray
from oesd.model import FloatArray, MaskArray

STEPS = 5
WIDER_THAN = 1.08  # of the instrument's width
SURE_SIGMAS = 3.0  # so much wider by its own error
LEAST_SNR = 8.0
WINDOW_SIGMAS = 3.2  # of the line's own sigma, to each side
START_SIGMAS = 1.6  # where the second line is looked for first
CENTER_SIGMAS = 0.9  # how far either may wander from its start
BETTER_CHI2 = 12.0
FINE = np.linspace(-2.0, 2.0, 81)  # where the pair's top is looked for, in sigmas


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What pairs of lines make of wide peaks; arrays (pairs,).

    Attributes
    ----------
    top_px, top : float64
        Where the pair's light is highest, and how high.
    center_sigma : float64
        Error of the brighter line's centre.
    better : bool
        The pair fits clearly better than one wide line.
    """

    top_px: FloatArray
    top: FloatArray
    center_sigma: FloatArray
    better: MaskArray


def wide_ones(width: FloatArray, width_sigma: FloatArray, snr: FloatArray, sigma_px: float) -> IntArray:
    """Numbers of the peaks that are wider than a line, surely and bright enough to say more."""
    excess = width - sigma_px
    chosen = (excess > (WIDER_THAN - 1.0) * sigma_px) & (excess > SURE_SIGMAS * width_sigma) & (snr > LEAST_SNR)
    return np.flatnonzero(chosen)


def pairs_of(
    light: FloatArray, weight: FloatArray, offsets: FloatArray, start: FloatArray, single: FloatArray, sigma_px: float
) -> Pairs:
    """Two lines in place of each wide one.

    Parameters
    ----------
    light, weight : (pairs, window) float64
        Each peak's window without the light of other peaks, and 1 / variance (0: not to be used).
    offsets : (pairs, window) float64
        Pixel positions.
    start : (pairs,) float64
        Where the peak's top is.
    single : (pairs, window) float64
        The one wide line.
    sigma_px : float
        Of a single line.
    """
    top = np.maximum((light * (np.abs(offsets - start[:, None]) < 0.75)).max(axis=1), 1e-30)
    lone = top[:, None] * np.exp(-0.5 * ((offsets - start[:, None]) / sigma_px) ** 2)
    left_over = (light - lone) * (weight > 0.0)
    side = np.where(np.einsum("pw,pw->p", left_over, offsets - start[:, None]) > 0.0, 1.0, -1.0)
    home = np.stack([start, start + START_SIGMAS * sigma_px * side], axis=1)
    center, height = home.copy(), np.stack([0.9 * top, 0.3 * top], axis=1)
    inverse = np.zeros((len(start), 4, 4))
    for number in range(STEPS):
        change, inverse = _step(light, weight, offsets, center, height, home, sigma_px)
        damping = 0.6 if number < 3 else 0.9
        height = np.clip(height + damping * change[:, :2], 0.02 * top[:, None], 1.6 * top[:, None])
        center = center + damping * np.clip(change[:, 2:], -0.7 * sigma_px, 0.7 * sigma_px)
        center = np.clip(center, home - 2.0 * sigma_px, home + 2.0 * sigma_px)
    error = np.sqrt(np.maximum(np.einsum("pii->pi", inverse), 0.0))
    pair = np.einsum("pk,pkw->pw", height, _shapes(offsets, center, sigma_px))
    gain = np.einsum("pw,pw->p", weight, (light - single) ** 2 - (light - pair) ** 2)
    fine = start[:, None] + sigma_px * FINE
    curve = np.einsum("pk,pkw->pw", height, _shapes(fine, center, sigma_px))
    rows, best = np.arange(len(start)), curve.argmax(axis=1)
    return Pairs(fine[rows, best], curve[rows, best], error[:, 2], gain > BETTER_CHI2)


def _shapes(offsets: FloatArray, center: FloatArray, sigma_px: float) -> FloatArray:
    z = (offsets[:, None, :] - center[:, :, None]) / sigma_px
    shapes: FloatArray = np.exp(-0.5 * z * z)
    return shapes


def _step(
    light: FloatArray,
    weight: FloatArray,
    offsets: FloatArray,
    center: FloatArray,
    height: FloatArray,
    home: FloatArray,
    sigma_px: float,
) -> tuple[FloatArray, FloatArray]:
    """Change of (height, height, centre, centre) and the covariance, (pairs, 4) and (pairs, 4, 4)."""
    shapes = _shapes(offsets, center, sigma_px)
    slopes = height[:, :, None] * shapes * (offsets[:, None, :] - center[:, :, None]) / sigma_px**2
    jacobian = np.concatenate([shapes, slopes], axis=1)
    weighted = jacobian * weight[:, None, :]
    residual = light - np.einsum("pk,pkw->pw", height, shapes)
    normal = weighted @ jacobian.transpose(0, 2, 1)
    gradient = np.einsum("piw,pw->pi", weighted, residual)
    stiff = (CENTER_SIGMAS * sigma_px) ** -2.0
    scale = np.maximum(height.max(axis=1), 1e-30) ** -2.0
    for number in range(2):
        normal[:, number, number] += 1e-4 * scale + 1e-9 * normal[:, number, number]
        normal[:, 2 + number, 2 + number] += stiff
        gradient[:, 2 + number] += stiff * (home[:, number] - center[:, number])
    inverse: FloatArray = np.linalg.inv(normal).astype(np.float64, copy=False)
    return np.einsum("pij,pj->pi", inverse, gradient), inverse
