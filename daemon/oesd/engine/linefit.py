"""All peaks of a spectrum fitted at once: weighted Gauss-Newton on heights, centres and widths.

Every step solves one small system per peak; what neighbours do to each other runs through the common model. Afterwards
peaks wider than a line are taken apart (:mod:`oesd.engine.blends`).
"""

from __future__ import annotations

import numpy as np

from oesd.engine.blends import WINDOW_SIGMAS, pairs_of, wide_ones
from oesd.engine.lines import IntArray
from oesd.engine.windows import FWHM_PER_SIGMA, binned, filtered, gaussian_kernel
from oesd.model import FloatArray, MaskArray

ROUNDS = 5
MUCH_WIDER = 1.25  # than a line: three lines or more, of which only the top is known
WIDTH_SPREAD = 0.15  # lines are as wide as the instrument's, give or take


class JointFit:
    """Gaussian lines, one for each top.

    Parameters
    ----------
    net, weight : (pixels,) float64
        Counts above the baseline and 1 / variance; weight 0 where a pixel is not to be used.
    tops : (peaks,) float64
        Pixels of the maxima, ascending.
    fwhm_px : float
        The instrument's line width.
    """

    def __init__(self, net: FloatArray, weight: FloatArray, tops: FloatArray, fwhm_px: float) -> None:
        self.net, self.weight, self.first = net, weight, tops
        self.width0 = fwhm_px / FWHM_PER_SIGMA
        self.center = tops.copy()
        self.width = np.full(len(tops), self.width0)
        self.height = np.maximum(net[tops.astype(np.int64)], 0.0)
        self.error = np.zeros((3, len(tops)))
        half = max(2, int(np.ceil(0.9 * fwhm_px)))
        self._offsets = np.arange(-half, half + 1)
        self._wide = np.arange(-2 * half, 2 * half + 1)

    def model(self) -> FloatArray:
        """Sum of all peaks, shape (pixels,)."""
        at = np.rint(self.center).astype(np.int64)[:, None] + self._wide
        z = (at - self.center[:, None]) / self.width[:, None]
        values = self.height[:, None] * np.exp(-0.5 * z * z)
        margin = len(self._wide)
        sums = binned((at + margin).ravel(), values.ravel(), len(self.net) + 2 * margin)
        return sums[margin : margin + len(self.net)]

    def run(self) -> None:
        """Iterate; heights, centres and widths stay within physical bounds at every step."""
        if not len(self.first):
            return
        for number in range(ROUNDS):
            self._step(0.6 if number < 2 else 0.9)

    def _step(self, damping: float) -> None:
        at = np.clip(np.rint(self.center).astype(np.int64)[:, None] + self._offsets, 0, len(self.net) - 1)
        residual = (self.net - self.model())[at]
        z = (at - self.center[:, None]) / self.width[:, None]
        shape = np.exp(-0.5 * z * z)
        slope = self.height[:, None] * shape * z / self.width[:, None]
        jacobian = np.stack([shape, slope, slope * z], axis=1)
        weighted = jacobian * self.weight[at][:, None]
        normal = np.einsum("pik,pjk->ijp", weighted, jacobian)
        gradient = np.einsum("pik,pk->ip", weighted, residual)
        self._add_priors(normal, gradient)
        inverse = _inverse(normal)
        change = damping * np.einsum("ijp,jp->ip", inverse, gradient)
        self.error = np.sqrt(np.maximum(np.einsum("iip->ip", inverse), 0.0))
        self._move(change)

    def _add_priors(self, normal: FloatArray, gradient: FloatArray) -> None:
        """A line is as wide as the instrument within 15 %, its centre within half a width of its top."""
        scale = np.maximum(self.height, 1e-30)
        width_weight = (WIDTH_SPREAD * self.width0) ** -2.0
        center_weight = (0.5 * self.width0) ** -2.0
        normal[0, 0] += 1e-6 / (scale * scale) + 1e-12 * normal[0, 0]
        normal[1, 1] += center_weight
        normal[2, 2] += width_weight
        gradient[1] += center_weight * (self.first - self.center)
        gradient[2] += width_weight * (self.width0 - self.width)

    def _move(self, change: FloatArray) -> None:
        self.height = np.clip(self.height + change[0], 0.3 * self.height, 3.0 * self.height)
        reach = 1.0 + self.width0
        self.center = np.clip(self.center + np.clip(change[1], -0.5, 0.5), self.first - reach, self.first + reach)
        self.width = np.clip(self.width + change[2], 0.6 * self.width0, 2.5 * self.width0)

    def split(self, clipped: MaskArray) -> None:
        """Peaks wider than a line: the top of a pair where a pair fits better, else the top of the data."""
        snr = self.height / np.maximum(self.error[0], 1e-300)
        wide = wide_ones(self.width, self.error[2], snr, self.width0)
        wide = wide[~clipped[np.clip(np.rint(self.center[wide]).astype(np.int64), 0, len(self.net) - 1)]]
        if not len(wide):
            return
        half = int(np.ceil(WINDOW_SIGMAS * self.width0)) + 1
        place = np.rint(self.center[wide]).astype(np.int64)[:, None] + np.arange(-half, half + 1)
        at = np.clip(place, 0, len(self.net) - 1)
        off = place - self.center[wide, None]
        single = self.height[wide, None] * np.exp(-0.5 * (off / self.width[wide, None]) ** 2)
        light = (self.net - self.model())[at] + single
        weight = np.where((place == at) & (np.abs(off) < 3.5 * self.width0), self.weight[at], 0.0)
        pairs = pairs_of(light, weight, place.astype(np.float64), self.first[wide], single, self.width0)
        several = wide[~pairs.better & (self.width[wide] > MUCH_WIDER * self.width0)]
        self.center[several] = self._vertex(self.first[several].astype(np.int64))
        chosen = wide[pairs.better]
        self.center[chosen], self.height[chosen] = pairs.top_px[pairs.better], pairs.top[pairs.better]
        self.error[1, chosen] = pairs.center_sigma[pairs.better]
        self.width[chosen] = self.width0

    def _vertex(self, top: IntArray) -> FloatArray:
        """Top of the parabola through a smoothed maximum and its neighbours."""
        smooth = filtered(self.net, gaussian_kernel(0.5 * self.width0 * FWHM_PER_SIGMA))
        at = np.clip(top, 1, len(self.net) - 2)
        left, middle, right = smooth[at - 1], smooth[at], smooth[at + 1]
        bend = np.minimum(left - 2.0 * middle + right, -1e-300)
        vertex: FloatArray = at.astype(np.float64) + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)
        return vertex


def _inverse(m: FloatArray) -> FloatArray:
    """Inverse of symmetric positive 3 x 3 matrices by cofactors, (3, 3, peaks).

    Rows and columns are scaled to a unit diagonal first; a matrix still singular then is treated as its diagonal.
    """
    root = np.sqrt(np.maximum(np.einsum("iip->ip", m), 1e-300))
    a, b, c = m[0, 1] / root[0] / root[1], m[0, 2] / root[0] / root[2], m[1, 2] / root[1] / root[2]
    determinant = 1.0 + 2.0 * a * b * c - a * a - b * b - c * c
    sound = determinant > 1e-10
    a, b, c = np.where(sound, a, 0.0), np.where(sound, b, 0.0), np.where(sound, c, 0.0)
    one = np.where(sound, determinant, 1.0)
    rows = [
        [1.0 - c * c, b * c - a, a * c - b],
        [b * c - a, 1.0 - b * b, a * b - c],
        [a * c - b, a * b - c, 1.0 - a * a],
    ]
    inverse: FloatArray = np.array(rows) / one / (root[:, None] * root[None, :])
    return inverse
