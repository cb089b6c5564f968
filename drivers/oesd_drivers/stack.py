"""The scans of one frame, summed exactly: counts, saturation, and how much they differ."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Counts are summed in uint32, their squares in uint64: 18 bits of a QE-PRO times this many scans fit both.
MOST_SCANS = 10_000


class Stack:
    """Sums of scans of ``pixels`` pixels.

    Parameters
    ----------
    pixels, scans : int
    saturation_counts : int
        Raw count at and above which a pixel is saturated.

    Attributes
    ----------
    counts_sum : (pixels,) uint32
    saturated : (pixels,) bool
    """

    def __init__(self, pixels: int, scans: int, saturation_counts: int) -> None:
        self.counts_sum = np.zeros(pixels, dtype=np.uint32)
        self.saturated = np.zeros(pixels, dtype=np.bool_)
        self._squares = np.zeros(pixels, dtype=np.uint64) if scans > 1 else None
        self._level = saturation_counts
        self._scans = 0

    def add(self, counts: NDArray[np.uint32]) -> None:
        """Add one scan."""
        self._scans += 1
        self.saturated |= counts >= self._level
        self.counts_sum += counts
        if self._squares is not None:
            wide = counts.astype(np.uint64)
            self._squares += wide * wide

    def spread(self) -> NDArray[np.float32] | None:
        """Standard deviation of the scans of each pixel (n - 1), counts; None for one scan.

        ``n sum(x^2) - sum(x)^2`` is exact in uint64: below 2^64 for 18 bits and :data:`MOST_SCANS`.
        """
        if self._squares is None:
            return None
        n, total = self._scans, self.counts_sum.astype(np.uint64)
        scatter = (np.uint64(n) * self._squares - total * total).astype(np.float64)
        return np.sqrt(scatter / (n * (n - 1))).astype(np.float32)
