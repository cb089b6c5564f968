"""Variance of every pixel, carried through the corrections: what is independent from pixel to pixel.

The photon-transfer law, sigma^2 = read^2 + slope * counts (Janesick, Photon Transfer, SPIE 2007), is fitted to the
spread of the scans where there is one; light that fluctuates as a whole adds (share * counts)^2, which all pixels have
in common and which is kept apart. Without a spread the law comes from the spectrum itself (:mod:`oesd.engine.noise`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.noise import BLOCK_PX
from oesd.engine.windows import blocks, median, quantile
from oesd.model import FloatArray, MaskArray

GROUPS, MEAN_OF = 48, 6  # of pixels of like level, and neighbours in level of which the mean is taken
FEWEST_IN_GROUP = 12
ROUNDS = 3
RIDGE = 1e-9 * np.eye(3)  # levels that are all alike leave the normal equations singular
SEEN_RESPONSE, MOST_RESPONSE = 0.02, 0.05  # shares: data sheets of line CCDs give 1 to 5 % at most
FEWEST_BRIGHT, QUIET_BLOCKS = 4, 0.5
QUARTER_OF_BLOCK = 0.3393  # the ninth smallest of 32 values of |x|, of a Gaussian of unit sigma
DIM_BLOCKS = 0.3  # of the blocks
TOLD_PATTERN = 0.3  # of the noise's variance: less is within what some ten blocks tell
ALIKE_SCANS = 20  # pixels of one detector differ in noise by some 30 %: as much as 20 scans tell of one, 2 / 0.3^2


@dataclass(frozen=True, slots=True)
class NoiseLaw:
    """Noise of one scan: ``read2 + slope * counts + (flicker * counts)^2``, counts^2.

    Attributes
    ----------
    read2 : float
        Read noise squared, dark current's own noise included.
    slope : float
        Counts per electron.
    flicker : float
        Share by which the light as a whole varies from scan to scan.
    slope_error : float
        Of ``slope``: large where photon noise and flicker cannot be told apart.
    """

    read2: float
    slope: float
    flicker: float = 0.0
    slope_error: float = 0.0

    def independent(self, light: FloatArray) -> FloatArray:
        """Variance of one scan that is each pixel's own, shape of ``light``.

        Rather more than less, for noise told too small makes peaks out of nothing: one error more, and never more than
        all of the variance.
        """
        level = np.maximum(light, 0.0)
        return np.minimum(self.read2 + (self.slope + self.slope_error) * level, self.of_scan(light))

    def of_scan(self, light: FloatArray) -> FloatArray:
        """All of the variance of one scan, shape of ``light``."""
        level = np.maximum(light, 0.0)
        return self.read2 + self.slope * level + (self.flicker * level) ** 2


def chi2_limit(freedom: int, chance: float) -> float:
    """Multiple of the truth that a variance of ``freedom`` degrees exceeds by chance (Wilson and Hilferty 1931)."""
    normal = np.sqrt(2.0 * np.log(1.0 / chance) - np.log(4.0 * np.pi * np.log(1.0 / chance)))
    share = 2.0 / (9.0 * freedom)
    return float((1.0 - share + normal * np.sqrt(share)) ** 3)


def scan_law(light: FloatArray, spread: FloatArray, scans: int, full: MaskArray, least_slope: float) -> NoiseLaw:
    """Fit the noise law to the spread of two or more scans.

    Pixels of like level are taken together: the median of means of a few variances. Hits and bad pixels do not move the
    median; the means are what the store's rounding of a spread, to a quarter of its own error, leaves right.

    Parameters
    ----------
    light, spread : (pixels,) float64
        Counts above the dark, and the standard deviation of the scans.
    full : (pixels,) bool
        Saturated pixels, which show no noise.
    least_slope : float
        Counts per electron of the deepest well there is: bounds the photon noise from below.
    """
    level, variance = _groups(light[~full], spread[~full], scans)
    if not len(level):
        return NoiseLaw(1e-30, least_slope)
    x = np.maximum(level, 0.0)
    terms = np.stack([np.ones_like(x), x, x * x], axis=1)
    size = _group_size(int((~full).sum()))
    spread_of_median = np.sqrt(np.pi / (scans - 1) / size)  # relative: as of the median of so many chi^2
    law, error = _fitted(terms, variance, spread_of_median)
    darkest = float(variance[0]) - law[1] * float(x[0]) - law[2] * float(x[0]) ** 2
    read2 = max(float(law[0]), 0.05 * max(darkest, 0.0), 1e-30)
    return NoiseLaw(read2, max(float(law[1]), least_slope), float(np.sqrt(law[2])), float(error[1]))


def _group_size(pixels: int) -> int:
    return max(FEWEST_IN_GROUP, pixels // GROUPS // MEAN_OF * MEAN_OF)


def _groups(light: FloatArray, spread: FloatArray, scans: int) -> tuple[FloatArray, FloatArray]:
    """Median level and variance of groups of pixels of like level, dimmest first."""
    size = _group_size(len(light))
    groups = len(light) // size
    if not groups:
        return np.zeros(0), np.zeros(0)
    order = np.argsort(light, kind="stable")[len(light) - groups * size :].reshape(groups, size)
    means = (spread * spread)[order].reshape(groups, size // MEAN_OF, MEAN_OF).mean(axis=2)
    short_of_mean = (1.0 - 2.0 / (9.0 * MEAN_OF * (scans - 1))) ** 3  # the median of chi^2 (Wilson and Hilferty)
    return median(light[order], axis=1), median(means, axis=1) / short_of_mean


def _fitted(terms: FloatArray, variance: FloatArray, relative: float) -> tuple[FloatArray, FloatArray]:
    """Coefficients of the law, none below zero, and their errors; the weights are those of the fitted law itself.

    Weights of the noisy variances would draw the law down.
    """
    least = 1e-12 * max(float(variance.max()), 1e-30)
    model = np.maximum(variance, float(median(variance)))
    law = error = np.zeros(terms.shape[1])
    for _ in range(ROUNDS):
        weight = 1.0 / np.maximum(model, least) / relative
        law, error = _not_negative(terms * weight[:, None], variance * weight)
        model = terms @ law
    return law, error


def _not_negative(terms: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least squares with coefficients not below zero (the worst negative one is left out, and so on), with errors."""
    scale = np.maximum(np.sqrt(np.einsum("gt,gt->t", terms, terms)), 1e-300)
    unit = terms / scale
    normal, gradient = unit.T @ unit + RIDGE, unit.T @ values
    inverse = np.linalg.inv(normal)
    found = inverse @ gradient
    kept = np.ones(len(scale), dtype=np.bool_)
    while (found < 0.0).any():
        kept[int(np.argmin(found))] = False
        found = np.zeros(len(scale))
        if kept.any():
            found[kept] = np.linalg.solve(normal[np.ix_(kept, kept)], gradient[kept])
    return found / scale, np.sqrt(np.diagonal(inverse)) / scale


def fixed_pattern(net: FloatArray, variance: FloatArray, full: MaskArray) -> FloatArray:
    """Variance of what is the same in all scans and alternates from pixel to pixel all the same, shape (pixels,).

    Pixels differ in response, and a dark that has drifted leaves its pattern: the scans tell neither, and both look
    like weak lines. pattern^2 + (share * level)^2 is what the spectrum is more uneven than its noise: the pattern of
    the dimmest blocks, the share of bright ones. The fourth difference takes slopes and wide lines away, the lower
    quartile of a block the narrow ones; lines only add, so that the quieter half of the blocks counts.

    Parameters
    ----------
    net, variance : (pixels,) float64
        Linear counts, and what the scans say of their noise.
    full : (pixels,) bool
    """
    if len(net) < 8:
        return np.zeros(len(net))
    fourth = np.abs(6.0 * net[2:-2] - 4.0 * (net[1:-3] + net[3:-1]) + net[:-4] + net[4:]) / np.sqrt(70.0)
    quarter = np.partition(blocks(fourth, BLOCK_PX), BLOCK_PX // 4, axis=1)[:, BLOCK_PX // 4]
    level, noise = (median(blocks(values[2:-2], BLOCK_PX), axis=1) for values in (net, variance))
    more = (quarter / QUARTER_OF_BLOCK) ** 2 - noise
    usable = blocks(full[2:-2].astype(np.float64), BLOCK_PX).max(axis=1) == 0.0
    if not usable.any():
        return np.zeros(len(net))
    level, noise, more = level[usable], noise[usable], more[usable]
    dim = level <= quantile(level, DIM_BLOCKS)
    pattern2 = quantile(more[dim], QUIET_BLOCKS)
    pattern2 = pattern2 if pattern2 > TOLD_PATTERN * float(median(noise[dim])) else 0.0
    bright = SEEN_RESPONSE * level > np.sqrt(noise + pattern2)
    share2 = 0.0
    if bright.sum() >= FEWEST_BRIGHT:
        share2 = quantile(np.maximum(more[bright] - pattern2, 0.0) / level[bright] ** 2, QUIET_BLOCKS)
    return pattern2 + min(share2, MOST_RESPONSE**2) * np.maximum(net, 0.0) ** 2


def dark_doubt(variance: FloatArray, scans: int, seen: FloatArray) -> FloatArray:
    """Variance of a dark that is each pixel's own.

    A few scans tell a pixel's variance badly: its neighbours' median stands for ``ALIKE_SCANS`` more. A model (0 scans)
    also doubts what its pixels share, temperature and offset: that moves neighbours alike, which is the baseline's
    concern. So what the neighbourhood doubts counts as far as the spectrum is that uneven, and what stands out of it
    counts whole.

    Parameters
    ----------
    variance : (pixels,) float64
        Of the dark, counts^2.
    scans : int
        From whose spread it was taken; 0 or 1 for a model.
    seen : (pixels,) float64
        Variance by which the spectrum is uneven beyond what is known already.
    """
    around = np.repeat(median(blocks(variance, BLOCK_PX), axis=1), BLOCK_PX)[: len(variance)]
    if scans < 2:
        return np.minimum(around, seen) + np.maximum(variance - around, 0.0)
    around = around / (1.0 - 2.0 / (9.0 * (scans - 1))) ** 3
    return (variance * (scans - 1) + around * ALIKE_SCANS) / (scans - 1 + ALIKE_SCANS)
