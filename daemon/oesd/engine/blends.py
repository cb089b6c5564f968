"""A top that no single line explains is several lines: where the light of its neighbourhood is highest.

What all lines together leave there is fitted with lines of the instrument's width around the top, none of them likely
to be more than a share of it: ridge regression (Hoerl and Kennedy, Technometrics 12, 55 (1970)), the mean of a Gaussian
process whose kernel is the line. One small linear system per top, all of them at once; its inverse tells how well the
highest point is known. Light cannot be negative, but asking for that takes many such systems and, on the practice
cases, made the tops no better known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oesd.engine.linefit import Windows, shape_of, slope_of
from oesd.engine.lines import IntArray
from oesd.model import FloatArray

NODES = np.array([-3.6, -2.4, -1.2, 1.2, 2.4, 3.6])  # sigmas from the top
WINDOW_SIGMAS = 3.2  # pixels to each side of the top
NODE_RMS = 3.0  # what a line at a node may have, one standard deviation, by what the single line leaves
LEAST_SHARE, MOST_SHARE = 0.02, 0.4  # bounds of that, of the top's height
FREE = 1e3  # of the line's own height: it is as high as it is
MOVE = 0.5  # sigmas that the line itself may still move
BESIDE_SIGMAS = 3.0  # light of the nodes nearer than that is beside the top
STEP = 0.05
FINE: FloatArray = STEP * np.arange(-30.0, 31.0)  # where the highest point is looked for, in sigmas
LEAST_BEND = 0.1  # of a top: a single line's is 1
LEAST = 1e-150
RIDGE = 1e-9
_NEAR = (np.abs(NODES) < BESIDE_SIGMAS).astype(np.float64)
_BESIDE = np.array([[-1], [0], [1]])


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Tops taken apart; arrays (tops,).

    Attributes
    ----------
    center_px, height : float64
        Where the light of the lines together is highest, and how high.
    center_sigma : float64
    wider : float64
        How much wider than a single line their top is, relative, by its curvature.
    beside : float64
        Light of lines at the nodes around it, relative to the height.
    """

    center_px: FloatArray
    height: FloatArray
    center_sigma: FloatArray
    wider: FloatArray
    beside: FloatArray


def taken_apart(seen: Windows, tops: IntArray) -> Apart:
    """Lines in the neighbourhood of those of the fit's lines that ``tops`` numbers."""
    z, sigma, height = seen.z[tops], seen.sigma[tops], np.maximum(seen.height[tops], LEAST)
    shapes = np.empty((*z.shape, len(NODES) + 2))  # of one height; everything below is relative to the line's
    shapes[:, :, :-2] = shape_of(z[:, :, None] - NODES, seen.skew)
    shapes[:, :, -2] = seen.shape[tops]
    shapes[:, :, -1] = slope_of(z, seen.plain[tops], shapes[:, :, -2], seen.skew)
    trust = seen.trust[tops] * (np.abs(z) < WINDOW_SIGMAS) * (height * height)[:, None]
    weighted = (shapes * trust[:, :, None]).transpose(0, 2, 1)
    system = weighted @ shapes
    left = seen.left[tops] / height[:, None]
    diagonal = system.reshape(len(tops), -1)[:, :: len(NODES) + 3]
    diagonal *= 1.0 + RIDGE
    diagonal += _likely(shapes[:, :, -2], left)
    inverse = np.linalg.inv(system).astype(np.float64, copy=False)
    amount = (inverse @ (weighted @ left[:, :, None]))[:, :, 0]
    amount[:, -2] += 1.0
    basis = _fine_basis(seen.skew)
    curve = amount @ basis.T
    best = _highest(curve)
    below, at, above = curve[np.arange(len(tops)), best + _BESIDE]
    bend = np.maximum((2.0 * at - below - above) / STEP**2, LEAST_BEND)
    top = FINE[best] + np.minimum(np.maximum(0.5 / STEP * (above - below) / bend, -STEP), STEP)
    return Apart(
        center_px=seen.center[tops] + sigma * top,
        height=height * np.maximum(at, 0.0),
        center_sigma=sigma / bend * _error(0.5 / STEP * (basis[best + 1] - basis[best - 1]), inverse),
        wider=np.sqrt(np.maximum(at, LEAST_BEND) / bend) - 1.0,
        beside=amount[:, :-2] @ _NEAR,
    )


def _likely(shape: FloatArray, left: FloatArray) -> FloatArray:
    """Inverse variance of each amount before the light is asked, (tops, nodes + 2).

    Lines at the nodes are as strong as what a single line leaves says, relative to its height: a line that is not quite
    Gaussian is not many.
    """
    shape = np.maximum(shape, 0.0)  # far out a skewed one may be negative
    square = np.vecdot(shape * left, left) / np.maximum(np.add.reduce(shape, axis=1), LEAST)
    likely = np.empty((len(left), len(NODES) + 2))
    likely[:, :-2] = 1.0 / np.minimum(np.maximum(NODE_RMS**2 * square, LEAST_SHARE**2), MOST_SHARE**2)[:, None]
    likely[:, -2:] = FREE**-2.0, MOVE**-2.0
    return likely


@lru_cache(maxsize=8)
def _fine_basis(skew: float) -> FloatArray:
    """Lines at the nodes, the line itself and its slope at the fine places: (places, nodes + 2)."""
    own, plain = shape_of(FINE, skew), shape_of(FINE, 0.0)
    slope = slope_of(FINE, plain, own, skew)
    return np.concatenate([shape_of(FINE[:, None] - NODES, skew), own[:, None], slope[:, None]], axis=1)


def _error(basis: FloatArray, inverse: FloatArray) -> FloatArray:
    """Standard deviation of a sum of amounts, (tops,)."""
    square: FloatArray = np.vecdot((basis[:, None, :] @ inverse)[:, 0], basis)
    return np.sqrt(np.maximum(square, 0.0))


def _highest(curve: FloatArray) -> IntArray:
    """Place of the highest maximum of each row; the middle where it only rises, to a neighbour of the top."""
    inner = curve[:, 1:-1]
    maximum = (inner >= curve[:, :-2]) & (inner >= curve[:, 2:])
    best: IntArray = np.where(maximum, inner, -np.inf).argmax(axis=1)
    best[~maximum[np.arange(len(curve)), best]] = len(FINE) // 2 - 1
    best += 1
    return best
