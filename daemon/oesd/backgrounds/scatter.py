"""How far values scatter, whatever a few of them do."""

from __future__ import annotations

import math

import numpy as np

from oesd.model import FloatArray


def robust_sigma(values: FloatArray) -> float:
    """Sigma by the median deviation: a few pixels astray do not count."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def alternating_sigma(values: FloatArray) -> float:
    """Robust sigma of what changes from pixel to pixel; slopes drop out of the second difference."""
    return robust_sigma((2.0 * values[1:-1] - values[:-2] - values[2:]) / math.sqrt(6.0))
