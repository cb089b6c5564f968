"""All lines of a spectrum fitted at once: weighted Gauss-Newton on heights and centres, of the instrument's shape.

The shape is a Gaussian with a third Hermite term for coma: exp(-z^2 / 2) (1 + skew (z^3 - 3 z)).

Every step solves one small system per line; what neighbours do to each other runs through the common model. What is
left over tells how wide the lines are (:mod:`oesd.engine.linespread`) and which of them are several
(:mod:`oesd.engine.blends`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.windows import binned
from oesd.model import FloatArray

ROUNDS = 2
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
    lopsided, lopsided_sigma : float64
        The third Hermite term that it shows beyond the instrument's, and the error of that.
    bend, skew : float64
        What is left in the shapes of a wider and of a lopsided line, in standard deviations.
    excess : float64
        How far chi^2 within the fitted pixels lies above what is expected, in standard deviations.
    """

    wider: FloatArray
    wider_sigma: FloatArray
    lopsided: FloatArray
    lopsided_sigma: FloatArray
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

    Attributes
    ----------
    center, height : (lines,) float64
        Middle of the Gaussian and its height; the highest point lies ``top_of(skew)`` sigmas beside it.
    error : (2, lines) float64
        Their errors, height and centre.
    """

    def __init__(self, net: FloatArray, weight: FloatArray, tops: FloatArray, sigma_px: FloatArray) -> None:
        self.net, self.weight, self.first, self.sigma = net, weight, tops, sigma_px
        self.center = tops.copy()
        self.height = np.maximum(net[tops.astype(np.int64)], 0.0)
        self.error = np.zeros((2, len(tops)))
        self.skew = 0.0
        half = int(np.ceil(REACH_SIGMAS * float(sigma_px.max()))) + 1 if len(tops) else 1
        self._offsets = np.arange(-half, half + 1)
        self._place()

    def run(self, rounds: int = ROUNDS) -> None:
        """Iterate; heights and centres stay within physical bounds at every step."""
        if not len(self.first):
            return
        for number in range(rounds):
            self._step(0.8 if number == 0 else 0.95)
        self._place()

    def _place(self) -> None:
        """Pixels that each line is fitted to: they stay the same while it moves by less than a pixel or so."""
        self._at = np.rint(self.center).astype(np.int64)[:, None] + self._offsets
        inside = np.clip(self._at, 0, len(self.net) - 1)
        self._inside, self._usable = inside, np.where(inside == self._at, self.weight[inside], 0.0)
        self._slots = (self._at + len(self._offsets)).ravel()

    def left_over(self) -> LeftOver:
        """Shape of what is left under every line."""
        z, shape, weight, residual = self._windows()
        square, plain = z * z, np.exp(-0.5 * z * z)
        basis = np.stack([shape, plain * z, plain * (square - 1.0), plain * z * (square - 3.0)], axis=1)
        weighted = basis * weight[:, None, :]
        left = np.einsum("pik,pk->ip", weighted, residual)
        norms = np.einsum("pik,pik->ip", weighted, basis)
        chi2, used = np.einsum("pk,pk,pk->p", weight, residual, residual), (weight > 0.0).sum(axis=1)
        root = np.sqrt(np.maximum(norms, LEAST))
        # height and centre have taken part of the light of a wider and of a lopsided line
        even = np.einsum("pk,pk->p", weighted[:, 0], basis[:, 2]) / np.maximum(norms[0], LEAST)
        odd = np.einsum("pk,pk->p", weighted[:, 1], basis[:, 3]) / np.maximum(norms[1], LEAST)
        wider, wider_sigma = _share(left[2] - even * left[0], norms[2] - even * even * norms[0], norms[2], self.height)
        lopsided = _share(left[3] - odd * left[1], norms[3] - odd * odd * norms[1], norms[3], self.height)
        return LeftOver(
            wider,
            wider_sigma,
            *lopsided,
            bend=left[2] / root[2],
            skew=left[3] / root[3],
            excess=(chi2 - used) / np.sqrt(2.0 * np.maximum(used, 1)),
        )

    def _sum(self, light: FloatArray) -> FloatArray:
        margin = len(self._offsets)
        sums = binned(self._slots, light.ravel(), len(self.net) + 2 * margin)
        return sums[margin : margin + len(self.net)]

    def _windows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Of each line, on its pixels: distance in sigmas, shape, weight and what the model leaves."""
        z = (self._at - self.center[:, None]) / self.sigma[:, None]
        shape = shape_of(z, self.skew)
        left = self.net - self._sum(self.height[:, None] * shape)
        weight = self._usable * (np.abs(z) < FIT_SIGMAS)
        return z, shape, weight, left[self._inside]

    def _step(self, damping: float) -> None:
        z, shape, weight, residual = self._windows()
        slope = _slope_of(z, shape, self.skew) * (self.height / self.sigma)[:, None]
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


def shape_of(z: FloatArray, skew: float) -> FloatArray:
    """A line's light at distances from its middle, in its sigmas; 1 in the middle."""
    plain: FloatArray = np.exp(-0.5 * z * z)
    return plain * (1.0 + skew * z * (z * z - 3.0)) if skew else plain


def top_of(skew: float) -> float:
    """Where a line is highest, in its sigmas."""
    z = 0.0
    for _ in range(4):  # Newton on the derivative over the Gaussian
        polynomial = 1.0 + skew * z * (z * z - 3.0)
        z -= (3.0 * skew * (z * z - 1.0) - z * polynomial) / (6.0 * skew * z - polynomial)
    return z


def _slope_of(z: FloatArray, shape: FloatArray, skew: float) -> FloatArray:
    """Change of the light as the middle moves by a sigma."""
    if not skew:
        return shape * z
    return shape * z - 3.0 * skew * np.exp(-0.5 * z * z) * (z * z - 1.0)


def _share(light: FloatArray, own: FloatArray, norm: FloatArray, height: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Amount of a shape in a line's light relative to its height, and the error of that."""
    own = np.maximum(own, 1e-6 * norm + LEAST)
    scale = np.maximum(own * height, 1e-200)
    share: FloatArray = np.clip(light, -UNTOLD * scale, UNTOLD * scale) / scale
    return share, 1.0 / np.maximum(np.sqrt(own) * height, 1.0 / UNTOLD)
