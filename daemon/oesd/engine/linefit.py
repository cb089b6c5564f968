"""All lines of a spectrum fitted at once: weighted Gauss-Newton on heights and centres, of the instrument's width.

Every step solves one small system per line; what neighbours do to each other runs through the common model. What is
left over tells how wide the lines are (:mod:`oesd.engine.linespread`) and which of them are several
(:mod:`oesd.engine.blends`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.windows import binned
from oesd.model import FloatArray

ROUNDS = 3
REACH_SIGMAS = 3.5  # where a line's light ends, for the model
FIT_SIGMAS = 2.2  # pixels that a line is fitted to: beyond them its light is less than a twelfth
CENTER_SIGMAS = 0.5  # how far a line's centre lies from its highest pixel, in its sigmas
UNTOLD = 100.0  # relative width of a line that tells nothing of it
LEAST = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class LeftOver:
    """What a fit leaves of the light, for every line; arrays (lines,).

    Attributes
    ----------
    wider, wider_sigma : float64
        How much wider than the instrument's line it is, relative, and the error of that.
    bend, skew : float64
        What is left in the shapes of a wider and of a lopsided line, in standard deviations.
    excess : float64
        How far chi^2 within the fitted pixels lies above what is expected, in standard deviations.
    """

    wider: FloatArray
    wider_sigma: FloatArray
    bend: FloatArray
    skew: FloatArray
    excess: FloatArray


class LineFit:
    """Gaussian lines of known width, one for each top.

    Parameters
    ----------
    net, weight : (pixels,) float64
        Counts above the baseline and 1 / variance; weight 0 where a pixel is not to be used.
    tops : (lines,) float64
        Pixels of the maxima, ascending.
    sigma_px : (lines,) float64
        Width of each line, its standard deviation.
    """

    def __init__(self, net: FloatArray, weight: FloatArray, tops: FloatArray, sigma_px: FloatArray) -> None:
        self.net, self.weight, self.first, self.sigma = net, weight, tops, sigma_px
        self.center = tops.copy()
        self.height = np.maximum(net[tops.astype(np.int64)], 0.0)
        self.error = np.zeros((2, len(tops)))
        half = int(np.ceil(REACH_SIGMAS * float(sigma_px.max()))) if len(tops) else 1
        self._offsets = np.arange(-half, half + 1)

    def run(self, rounds: int = ROUNDS) -> None:
        """Iterate; heights and centres stay within physical bounds at every step."""
        if not len(self.first):
            return
        for number in range(rounds):
            self._step(0.8 if number == 0 else 0.95)

    def left_over(self) -> LeftOver:
        """Shape of what is left under every line."""
        z, shape, weight, residual = self._windows()
        square = z * z
        basis = np.stack([shape, shape * z, shape * (square - 1.0), shape * z * (square - 3.0)], axis=1)
        weighted = basis * weight[:, None, :]
        left = np.einsum("pik,pk->ip", weighted, residual)
        norms = np.einsum("pik,pik->ip", weighted, basis)
        chi2, used = np.einsum("pk,pk,pk->p", weight, residual, residual), (weight > 0.0).sum(axis=1)
        root = np.sqrt(np.maximum(norms, LEAST))
        # the height takes part of a wider line's light: what is orthogonal to it tells the width
        mixed = np.einsum("pk,pk->p", weighted[:, 0], basis[:, 2]) / np.maximum(norms[0], LEAST)
        own = np.maximum(norms[2] - mixed * mixed * norms[0], 1e-6 * norms[2] + LEAST)
        scale = np.maximum(own * self.height, 1e-200)
        widening = left[2] - mixed * left[0]
        return LeftOver(
            wider=np.clip(widening, -UNTOLD * scale, UNTOLD * scale) / scale,
            wider_sigma=1.0 / np.maximum(np.sqrt(own) * self.height, 1.0 / UNTOLD),
            bend=left[2] / root[2],
            skew=left[3] / root[3],
            excess=(chi2 - used) / np.sqrt(2.0 * np.maximum(used, 1)),
        )

    def model(self) -> FloatArray:
        """Sum of all lines, shape (pixels,)."""
        at = np.rint(self.center).astype(np.int64)[:, None] + self._offsets
        z = (at - self.center[:, None]) / self.sigma[:, None]
        return self._sum(at, self.height[:, None] * np.exp(-0.5 * z * z))

    def _sum(self, at: np.ndarray[tuple[int, int], np.dtype[np.int64]], light: FloatArray) -> FloatArray:
        margin = len(self._offsets)
        sums = binned((at + margin).ravel(), light.ravel(), len(self.net) + 2 * margin)
        return sums[margin : margin + len(self.net)]

    def _windows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Of each line, on its pixels: distance in sigmas, shape, weight and what the model leaves."""
        at = np.rint(self.center).astype(np.int64)[:, None] + self._offsets
        z = (at - self.center[:, None]) / self.sigma[:, None]
        shape = np.exp(-0.5 * z * z)
        left = self.net - self._sum(at, self.height[:, None] * shape)
        inside = np.clip(at, 0, len(self.net) - 1)
        weight = np.where((inside == at) & (np.abs(z) < FIT_SIGMAS), self.weight[inside], 0.0)
        return z, shape, weight, left[inside]

    def _step(self, damping: float) -> None:
        z, shape, weight, residual = self._windows()
        slope = shape * z * (self.height / self.sigma)[:, None]
        pull = (CENTER_SIGMAS * self.sigma) ** -2.0
        flanks = (weight * (z < -0.3)).any(axis=1) & (weight * (z > 0.3)).any(axis=1)
        weighted = weight * shape
        a = np.maximum(np.einsum("pk,pk->p", weighted, shape), LEAST)
        x = np.einsum("pk,pk->p", weighted, slope) * flanks
        b = np.einsum("pk,pk,pk->p", weight, slope, slope) * flanks + pull
        g = np.einsum("pk,pk->p", weighted, residual)
        f = np.einsum("pk,pk,pk->p", weight, slope, residual) * flanks + pull * (self.first - self.center)
        determinant = np.maximum(a * b - x * x, 1e-9 * a * b)
        rise, move = (b * g - x * f) / determinant, (a * f - x * g) / determinant
        self.error = np.sqrt(np.stack([b, a]) / determinant)
        self.height = np.clip(self.height + damping * rise, 0.3 * self.height, 3.0 * self.height)
        bound = 1.0 + self.sigma
        moved = self.center + damping * np.clip(move, -0.6 * self.sigma, 0.6 * self.sigma)
        self.center = np.clip(moved, self.first - bound, self.first + bound)
