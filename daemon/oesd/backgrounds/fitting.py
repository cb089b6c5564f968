"""Fit of a dark model to the cells of :mod:`~oesd.backgrounds.cells`.

For a cell c and a pixel p, in linear counts::

    lin[c, p] = offset[p] + rate[p] * x[c](slope, bend)      x = mean of t exp(slope v + bend v^2), v = T - anchor

Slope, bend (and a bend of the detector's curve when its memory has none) are common to all pixels: found by Gauss-
Newton on the residuals left after each pixel's straight line was taken out (variable projection: Golub and Pereyra,
SIAM J. Numer. Anal. 10, 1973). Weights are those of the noise, with Huber's limit for pixels and cells astray.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from oesd.backgrounds.cells import Cell
from oesd.backgrounds.linearity import Linearity
from oesd.model import FloatArray

#: Dark current doubles every 7 K, a fourth more or less; between a doubling law (no bend) and Arrhenius (-slope / T).
SLOPE_PER_K, SLOPE_SIGMA = math.log(2.0) / 7.0, 0.025
BEND_PER_K2, BEND_SIGMA = -0.5 * SLOPE_PER_K / 298.0, 0.5 * SLOPE_PER_K / 298.0
CURVE_SIGMA = 3e-6  # per count, of a detector whose memory holds no polynomial
_HUBER = 4.0
_ROUNDS = 4
_SUBSET = 1024
_NEVER_SEEN = 1e12  # variance of a pixel that was saturated in every dark
_STEPS = np.array([1e-4, 1e-5, 1e-8])


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of one scan: ``read_counts^2 + per_count * counts above the offset`` (photon transfer)."""

    read_counts: float
    per_count: float

    def variance(self, level: FloatArray) -> FloatArray:
        """Variance of one scan at this many counts above the offset."""
        return np.asarray(self.read_counts**2 + self.per_count * np.maximum(level, 0.0), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Parameters with what is known of their errors.

    Attributes
    ----------
    offset, rate : (pixels,) float64
        Counts; linear counts per second at the anchor temperature.
    common : (3,) float64
        Slope, bend, curve.
    common_cov : (3, 3) float64
    line_cov : (3, pixels) float64
        Variance of offset, covariance, variance of rate: each pixel's own, given the common parameters.
    drag : (2, 3, pixels) float64
        How offset and rate follow a change of each common parameter.
    scale_sigma : float
        Relative scatter of one dark's current about the law: how well the temperature is known.
    floor_counts : float
        Scatter of a cell's level that the rest does not explain: drift of the offset.
    """

    offset: FloatArray
    rate: FloatArray
    common: FloatArray
    common_cov: FloatArray
    line_cov: FloatArray
    drag: FloatArray
    scale_sigma: float
    floor_counts: float


class Problem:
    """The cells as arrays, ready to be fitted."""

    def __init__(self, cells: tuple[Cell, ...], linearity: Linearity, noise: Noise, anchor_c: float) -> None:
        self._cells = cells
        self._anchor_c = anchor_c
        self._linearity = linearity
        self._noise = noise
        self._counts = np.array([cell.mean for cell in cells])
        self._scans = np.array([float(cell.scans) for cell in cells])
        self._captures = np.array([float(cell.weight) for cell in cells])
        self._kept = ~np.array([cell.left_out for cell in cells])
        shortest = int(np.argmin(np.median(self._counts, axis=1)))
        self._offset = np.full(self._counts.shape[1], float(np.median(self._counts[shortest])))
        curve = 1e-12 if linearity.known else CURVE_SIGMA
        self._prior = np.array([SLOPE_PER_K, BEND_PER_K2, 0.0])
        self._prior_sigma = np.array([SLOPE_SIGMA, BEND_SIGMA, curve])

    def solve(self) -> Fitted:
        """Fit; offset, linearisation, weights and common parameters in turn."""
        common = self._prior.copy()
        robust = np.ones_like(self._counts)
        scale_sigma = 0.0
        for _ in range(_ROUNDS):
            linear = self._linear()
            weights = self._weights(scale_sigma) * robust
            common = self._improved(common, linear, weights)
            offset, rate = self._lines(common, linear, weights)
            self._offset = self._offset + offset
            residual = self._residual(common, linear, weights)
            robust, scale_sigma = self._astray(common, residual, weights / robust, rate)
        return self._described(common, scale_sigma, robust)

    def _linear(self) -> FloatArray:
        return self._linearity.to_linear(self._counts - self._offset)

    def _weights(self, scale_sigma: float) -> FloatArray:
        level = self._counts - self._offset
        variance = self._noise.variance(level) / self._scans[:, None]
        variance += (scale_sigma * level) ** 2 / self._captures[:, None]
        return np.asarray(self._kept / np.maximum(variance, 1e-4), dtype=np.float64)

    def _exposures(self, common: FloatArray) -> FloatArray:
        slope, bend, _ = common.tolist()
        return np.array([cell.exposure_s(slope, bend, self._anchor_c) for cell in self._cells])

    def _lines(self, common: FloatArray, linear: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Each pixel's offset and rate, shape (pixels,) each."""
        x = self._exposures(common)
        straight = linear + common[2] * linear**2
        s0, s1, s2 = weights.sum(axis=0), x @ weights, (x * x) @ weights
        y0, y1 = (weights * straight).sum(axis=0), x @ (weights * straight)
        determinant = np.maximum(s0 * s2 - s1 * s1, 1e-12 * s0 * s2 + 1e-300)
        return (s2 * y0 - s1 * y1) / determinant, (s0 * y1 - s1 * y0) / determinant

    def _residual(self, common: FloatArray, linear: FloatArray, weights: FloatArray) -> FloatArray:
        offset, rate = self._lines(common, linear, weights)
        x = self._exposures(common)
        return np.asarray(linear + common[2] * linear**2 - offset - np.outer(x, rate), dtype=np.float64)

    def _improved(self, common: FloatArray, linear: FloatArray, weights: FloatArray) -> FloatArray:
        """Two Gauss-Newton steps of the common parameters, on a subset of the pixels."""
        every = max(linear.shape[1] // _SUBSET, 1)
        linear, weights = linear[:, ::every], weights[:, ::every]
        for _ in range(2):
            hessian, gradient = self._normal(common, linear, weights)
            step = np.linalg.solve(hessian, gradient) * self._prior_sigma
            common = np.clip(common + step, self._prior - 6 * self._prior_sigma, self._prior + 6 * self._prior_sigma)
        return np.asarray(common, dtype=np.float64)

    def _normal(self, common: FloatArray, linear: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Normal equations in units of the prior's sigma, the prior among them."""
        residual = self._residual(common, linear, weights)
        slopes = [
            (self._residual(common + step, linear, weights) - residual) / size * sigma
            for step, size, sigma in zip(np.diag(_STEPS), _STEPS, self._prior_sigma, strict=True)
        ]
        hessian = np.array([[float(np.sum(weights * a * b)) for b in slopes] for a in slopes]) + np.eye(3)
        gradient = -np.array([float(np.sum(weights * a * residual)) for a in slopes])
        return hessian, gradient + (self._prior - common) / self._prior_sigma

    def _astray(
        self, common: FloatArray, residual: FloatArray, weights: FloatArray, rate: FloatArray
    ) -> tuple[FloatArray, float]:
        """Huber's factors of pixels and cells, and the relative scatter of the cells' dark current."""
        z = np.abs(residual) * np.sqrt(weights) / self._leverage(common, weights)
        pixels = np.minimum(1.0, _HUBER / np.maximum(z, 1e-9))
        level_z = np.abs(np.median(residual * np.sqrt(weights), axis=1)) * math.sqrt(residual.shape[1]) / 1.25
        usual = max(float(np.median(level_z)) / 0.6745, 1.0)
        cells = np.minimum(1.0, _HUBER * usual / np.maximum(level_z, 1e-9))
        return pixels * cells[:, None], self._scale_scatter(common, residual, weights, rate)

    def _leverage(self, common: FloatArray, weights: FloatArray) -> FloatArray:
        """Square root of what a straight line leaves of each cell's variance, shape (cells, pixels)."""
        x = self._exposures(common)[:, None]
        s0, s1, s2 = weights.sum(axis=0), (x * weights).sum(axis=0), (x * x * weights).sum(axis=0)
        determinant = np.maximum(s0 * s2 - s1 * s1, 1e-12 * s0 * s2 + 1e-300)
        hat = weights * (s2 - 2.0 * x * s1 + x * x * s0) / determinant
        return np.asarray(np.sqrt(np.clip(1.0 - hat, 0.05, 1.0)), dtype=np.float64)

    def _scale_scatter(self, common: FloatArray, residual: FloatArray, weights: FloatArray, rate: FloatArray) -> float:
        """Scatter of residual / current over the cells, beyond noise; of one dark."""
        current = np.outer(self._exposures(common), rate)
        information = np.sum(weights * current**2, axis=1)
        scale = np.sum(weights * current * residual, axis=1) / np.maximum(information, 1e-300)
        telling = information > 1e4  # the cell knows the scale to a per cent or better
        if np.count_nonzero(telling) < 4:
            return 0.0
        excess = scale[telling] ** 2 - 1.0 / information[telling]
        return math.sqrt(max(float(np.median(excess * self._captures[telling])) / 0.455, 0.0))

    def _described(self, common: FloatArray, scale_sigma: float, robust: FloatArray) -> Fitted:
        linear, weights = self._linear(), self._weights(scale_sigma) * robust
        residual = self._residual(common, linear, weights)
        offset, rate = self._lines(common, linear, weights)
        hessian, _ = self._normal(common, linear, weights)
        units = np.outer(self._prior_sigma, self._prior_sigma)
        return Fitted(
            offset=self._offset + offset,
            rate=rate,
            common=common,
            common_cov=np.asarray(np.linalg.inv(hessian) * units, dtype=np.float64),
            line_cov=self._line_cov(common, weights) * self._misfit(residual, weights),
            drag=self._drag(common, linear, weights, offset, rate),
            scale_sigma=scale_sigma,
            floor_counts=self._floor(residual, weights),
        )

    def _line_cov(self, common: FloatArray, weights: FloatArray) -> FloatArray:
        x = self._exposures(common)
        s0, s1, s2 = weights.sum(axis=0), x @ weights, (x * x) @ weights
        determinant = np.maximum(s0 * s2 - s1 * s1, 1e-12 * s0 * s2 + 1e-300)
        seen = s0 > 0.0
        return np.where(seen, np.array([s2, -s1, s0]) / determinant, np.array([[_NEVER_SEEN], [0.0], [_NEVER_SEEN]]))

    def _misfit(self, residual: FloatArray, weights: FloatArray) -> FloatArray:
        """Chi^2 per degree of freedom of each pixel where it is above 1 by more than chance: pixels that jump."""
        freedom = max(len(residual) - 2, 1)
        chi2 = np.sum(weights * residual**2, axis=0) / freedom
        return np.asarray(np.where(chi2 > 1.0 + 3.0 * math.sqrt(2.0 / freedom), chi2, 1.0), dtype=np.float64)

    def _drag(
        self, common: FloatArray, linear: FloatArray, weights: FloatArray, offset: FloatArray, rate: FloatArray
    ) -> FloatArray:
        drag = np.zeros((2, 3, offset.size))
        for i, (step, size) in enumerate(zip(np.diag(_STEPS), _STEPS, strict=True)):
            moved_offset, moved_rate = self._lines(common + step, linear, weights)
            drag[0, i], drag[1, i] = (moved_offset - offset) / size, (moved_rate - rate) / size
        return drag

    def _floor(self, residual: FloatArray, weights: FloatArray) -> float:
        """Robust scatter of the cells' median residual beyond what noise explains."""
        expected = 1.25 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-300))
        excess = np.median(residual, axis=1) ** 2 - expected**2
        return math.sqrt(max(float(np.median(excess)) / 0.455, 0.0))
