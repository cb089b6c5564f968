"""The noise of a detector from repeated darks: its variance is a straight line over the level (photon transfer)."""

from __future__ import annotations

import math

import numpy as np

from oesd.backgrounds.cells import ROUNDING, Cell
from oesd.backgrounds.fitting import Noise
from oesd.backgrounds.scatter import alternating_sigma
from oesd.model import FloatArray

_USUAL_PER_COUNT = 1.0


class Undetermined(ValueError):
    """The darks at hand do not determine a model; the text says what is missing."""


def photon_transfer(cells: tuple[Cell, ...]) -> Noise:
    """Read noise and variance per count, from repeated darks; one count per count where only short ones repeat.

    Raises
    ------
    Undetermined
        When no exposure was repeated.
    """
    told = [cell for cell in cells if cell.variances]
    if not told:
        raise Undetermined("no dark was repeated at the same exposure and temperature: the noise is not known")
    darkest = min(cells, key=lambda cell: float(np.median(cell.mean)))
    lowest = float(np.median(darkest.mean))
    points = [
        (float(np.median(cell.mean)) - lowest, cell.variances / cell.precision_sum, cell.variances) for cell in told
    ]
    if all(level > 0.5 * variance for level, variance, _ in points):
        points.append((0.0, min(_most(darkest), *(variance for _, variance, _ in points)), 1))
    level, variance, weight = np.array(points, dtype=np.float64).T
    read2, per_count = _line(level, np.maximum(variance, ROUNDING), weight)
    return Noise(math.sqrt(max(read2, ROUNDING)), per_count)


def _most(cell: Cell) -> float:
    """Upper bound of one scan's variance, by the pixels beside one another: their pattern is in it.

    Stands in for the read noise where only long exposures were repeated, of which the current's noise tells little.
    """
    return alternating_sigma(cell.mean) ** 2 * cell.scans


def _line(level: FloatArray, variance: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Straight line through variance over level, each point with an error in proportion to itself, prior slope 1."""
    read2, per_count = float(np.min(variance)), _USUAL_PER_COUNT
    for _ in range(8):
        w = weight / (read2 + per_count * level) ** 2
        prior = 0.1 / _USUAL_PER_COUNT**2
        s0, s1, s2 = float(w.sum()), float(w @ level), float(w @ level**2) + prior
        y0, y1 = float(w @ variance), float(w @ (level * variance)) + prior * _USUAL_PER_COUNT
        determinant = max(s0 * s2 - s1 * s1, 1e-12 * s0 * s2)
        read2 = max((s2 * y0 - s1 * y1) / determinant, 0.05 * float(np.min(variance)))
        per_count = max((s0 * y1 - s1 * y0) / determinant, 1e-3)
    return read2, per_count
