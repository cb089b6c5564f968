"""Counts to linear counts and back, by the polynomial in a spectrometer's memory."""

from __future__ import annotations

import numpy as np

from oesd.model import FloatArray

_KNOTS = 2049
_SANE = (0.6, 1.4)  # of the polynomial; anything else is a wrong or empty memory


class Linearity:
    """The detector's curve, both ways; the identity when the coefficients are absent or not believable.

    ``linear = counts / polynomial(counts)``, counts above the offset (Ocean Optics' convention).

    Parameters
    ----------
    coefficients : tuple of float
        c0, c1, ...; empty for none.
    full_counts : float
        Counts of a full pixel; the curve is known up to 1.2 times that.
    """

    def __init__(self, coefficients: tuple[float, ...], full_counts: float) -> None:
        counts = np.linspace(-0.02 * full_counts, 1.2 * full_counts, _KNOTS)
        self._counts = counts
        self._linear = _linear(coefficients, counts)
        self.known = self._linear is not counts

    def to_linear(self, counts: FloatArray) -> FloatArray:
        """Linear counts of counts above the offset; same shape."""
        return np.asarray(np.interp(counts, self._counts, self._linear), dtype=np.float64)

    def to_counts(self, linear: FloatArray) -> FloatArray:
        """Counts above the offset of linear counts; the inverse of :meth:`to_linear`."""
        return np.asarray(np.interp(linear, self._linear, self._counts), dtype=np.float64)


def _linear(coefficients: tuple[float, ...], counts: FloatArray) -> FloatArray:
    if not coefficients:
        return counts
    with np.errstate(all="ignore"):
        gain = np.polyval(coefficients[::-1], counts)
        linear = counts / gain
        low, high = _SANE
        sane = bool(np.all((gain > low) & (gain < high)) and np.all(np.diff(linear) > 0))
    return np.asarray(linear, dtype=np.float64) if sane else counts
