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

REACH_SIGMAS = 3.5  # where a line's light ends, for the model
FIT_SIGMAS = 2.2  # pixels that a line is fitted to: beyond them its light is less than a twelfth
CENTER_SIGMAS = 0.5  # how far a line's centre lies from its highest pixel, in its sigmas
FARTHEST_STEP = 0.6  # sigmas that a centre moves at once
FLANK_SIGMAS = 0.3  # pixels to either side of the middle, beyond so much, tell where a line is
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
    excess : float64
        How far chi^2 within the fitted pixels lies above what is expected, in standard deviations.
    """

    wider: FloatArray
    wider_sigma: FloatArray
    lopsided: FloatArray
    lopsided_sigma: FloatArray
    excess: FloatArray


@dataclass(slots=True, eq=False)
class Windows:
    """Every line on its own pixels; arrays (lines, pixels of a window).

    Attributes
    ----------
    z, plain, shape : float64
        Distance from the middle in sigmas, exp(-z^2 / 2), and the line of height 1.
    left, trust : float64
        Counts that the model of all lines leaves, and the weight of each pixel.
    center, sigma, height : float64
        Of the lines in the model, (lines,); their third Hermite term is ``skew``.
    """

    center: FloatArray
    sigma: FloatArray
    height: FloatArray
    skew: float
    z: FloatArray
    plain: FloatArray
    shape: FloatArray
    left: FloatArray
    trust: FloatArray


@dataclass(slots=True, eq=False)
class _Terms:
    """What a line's light changes by, and how much of that is in what is left.

    Attributes
    ----------
    weighted : (2, lines, pixels) float64
        The line of height 1 and its slope, times ``weight``, which is (lines, pixels).
    square, pull : (2, lines) float64
        Of both with themselves, above 0, and with what is left.
    """

    weight: FloatArray
    weighted: FloatArray
    square: FloatArray
    pull: FloatArray


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
        self.first, self.sigma, self.skew = tops, sigma_px, 0.0
        self.center = tops.copy()
        pixel = tops.astype(np.int64)
        self.height = np.maximum(net[pixel], 0.0)
        self.error = np.zeros((2, len(tops)))
        half = int(np.ceil(REACH_SIGMAS * float(sigma_px.max(initial=0.0)))) + 1
        beyond = np.zeros(half)
        self._offsets = np.arange(-half, half + 1.0)
        self._at = pixel[:, None] + np.arange(2 * half + 1)
        self._light = np.concatenate([beyond, net, beyond])[self._at]
        self._trust = np.concatenate([beyond, weight, beyond])[self._at]
        self._whole = bool(self._trust.all())
        self._size = len(net) + 2 * half

    def step(self, damping: float) -> None:
        """One step; heights and centres stay within physical bounds."""
        self._move(self._windows(), damping)

    def last_step(self, damping: float) -> tuple[LeftOver, Windows]:
        """One step more, and what it leaves."""
        seen = self._windows()
        terms = self._move(seen, damping)
        return _left_over(seen, terms), seen

    def _windows(self) -> Windows:
        z = self._offsets - (self.center - self.first)[:, None]
        z *= (1.0 / self.sigma)[:, None]
        plain = z * z
        plain *= -0.5
        np.exp(plain, out=plain)
        shape = _skewed(plain, z, self.skew)
        model = binned(self._at.ravel(), (self.height[:, None] * shape).ravel(), self._size)
        left = self._light - model[self._at]
        return Windows(self.center, self.sigma, self.height, self.skew, z, plain, shape, left, self._trust)

    def _move(self, seen: Windows, damping: float) -> _Terms:
        """Solve for heights and centres; what that was solved with."""
        z = seen.z
        weight = seen.trust * (np.abs(z) < FIT_SIGMAS)
        terms = np.empty((2, *z.shape))
        terms[0], terms[1] = seen.shape, slope_of(z, seen.plain, seen.shape, self.skew)
        weighted = weight * terms
        square, pull = np.vecdot(weighted, terms), np.vecdot(weighted, seen.left)
        both = np.vecdot(weighted[0], terms[1])
        told = _Terms(weight, weighted, np.maximum(square, LEAST), pull)
        a, b, g, f = told.square[0], square[1], pull[0], pull[1]
        if not self._whole:
            flanks = (weight * (z < -FLANK_SIGMAS)).any(axis=1) & (weight * (z > FLANK_SIGMAS)).any(axis=1)
            both, b, f = both * flanks, b * flanks, f * flanks
        self._solve(a, both, b, g, f, damping)
        return told

    def _solve(self, a: FloatArray, x: FloatArray, b: FloatArray, g: FloatArray, f: FloatArray, damping: float) -> None:
        """Two unknowns a line: a, x, b are the system, by slopes of a height of 1 in sigmas, g and f what is wanted."""
        per_px = self.height / self.sigma
        pull = CENTER_SIGMAS**-2.0 / (self.sigma * self.sigma)
        x = x * per_px
        b = b * (per_px * per_px) + pull
        f = f * per_px + pull * (self.first - self.center)
        square = a * b
        determinant = np.maximum(square - x * x, 1e-9 * square)
        rise, move = (b * g - x * f) / determinant, (a * f - x * g) / determinant
        self.error = np.sqrt(np.array([b, a]) / determinant)
        self.height = np.minimum(np.maximum(self.height + damping * rise, 0.3 * self.height), 3.0 * self.height)
        most, bound = FARTHEST_STEP * self.sigma, 1.0 + self.sigma
        moved = self.center + damping * np.minimum(np.maximum(move, -most), most)
        self.center = np.minimum(np.maximum(moved, self.first - bound), self.first + bound)


def _left_over(seen: Windows, terms: _Terms) -> LeftOver:
    """Shape of what is left under every line, without what height and centre can still take of it.

    A wider line (the second Hermite term) looks in part like a higher one, a lopsided one (the third) like one moved.
    """
    z2 = seen.z * seen.z
    shapes = np.empty((2, *z2.shape))
    np.multiply(seen.plain, z2 - 1.0, out=shapes[0])
    np.multiply(seen.plain * seen.z, z2 - 3.0, out=shapes[1])
    weighted = terms.weight * seen.left
    alike = np.vecdot(terms.weighted, shapes) / terms.square
    norm = np.vecdot(terms.weight * shapes, shapes)
    light, own = np.vecdot(shapes, weighted) - alike * terms.pull, norm - alike * alike * terms.square
    share, sigma = _share(light, own, norm, seen.height)
    used = np.maximum(np.add.reduce(terms.weight > 0.0, axis=1, dtype=np.float64) - 2.0, 1.0)
    fitted = terms.pull * terms.pull / terms.square
    excess = (np.vecdot(weighted, seen.left) - fitted[0] - fitted[1] - used) / np.sqrt(2.0 * used)
    return LeftOver(share[0], sigma[0], share[1], sigma[1], excess)


def shape_of(z: FloatArray, skew: float) -> FloatArray:
    """A line's light at distances from its middle, in its sigmas; 1 in the middle."""
    plain: FloatArray = np.exp(-0.5 * z * z)
    return _skewed(plain, z, skew)


def top_of(skew: float) -> float:
    """Where a line is highest, in its sigmas."""
    z = 0.0
    for _ in range(4):  # Newton on the derivative over the Gaussian
        polynomial = 1.0 + skew * z * (z * z - 3.0)
        z -= (3.0 * skew * (z * z - 1.0) - z * polynomial) / (6.0 * skew * z - polynomial)
    return z


def _skewed(plain: FloatArray, z: FloatArray, skew: float) -> FloatArray:
    return plain * (1.0 + skew * z * (z * z - 3.0)) if skew else plain


def slope_of(z: FloatArray, plain: FloatArray, shape: FloatArray, skew: float) -> FloatArray:
    """Change of the light of a line of height 1 as its middle moves by a sigma."""
    return shape * z - (3.0 * skew) * plain * (z * z - 1.0) if skew else shape * z


def _share(light: FloatArray, own: FloatArray, norm: FloatArray, height: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Amount of each shape in a line's light relative to its height, and the error of that; all (shapes, lines)."""
    own = np.maximum(own, 1e-6 * norm + LEAST)
    scale = np.maximum(own * height, 1e-200)
    most = UNTOLD * scale
    share: FloatArray = np.minimum(np.maximum(light, -most), most) / scale
    return share, 1.0 / np.maximum(np.sqrt(own) * height, 1.0 / UNTOLD)
