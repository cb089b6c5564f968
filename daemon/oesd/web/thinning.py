"""Fewer points of a spectrum for a picture, with no line lost: the least and the greatest value of each stretch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray


def envelope(values: FloatArray, points: int) -> NDArray[np.intp]:
    """Indices of the least and the greatest value of ``points / 2`` stretches of equal length.

    Parameters
    ----------
    values : (n,) float64
        NaN is neither least nor greatest where a stretch has anything else.
    points : int
        How many indices at most; 0, or as many as there are values, for all of them.

    Returns
    -------
    (m,) intp
        Increasing; m <= points, or m = n.
    """
    n = len(values)
    if points <= 0 or points >= n:
        return np.arange(n)
    stretches = max(points // 2, 1)
    length = -(-n // stretches)
    padded = np.pad(values, (0, -n % length), mode="edge").reshape(-1, length)
    starts = np.arange(len(padded)) * length
    least = np.where(np.isnan(padded), np.inf, padded).argmin(axis=1) + starts
    greatest = np.where(np.isnan(padded), -np.inf, padded).argmax(axis=1) + starts
    return np.unique(np.minimum(np.concatenate((least, greatest)), n - 1))
