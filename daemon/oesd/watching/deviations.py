"""Values of a trace as deviations from what they were before: independent and standard normal while nothing changes.

A mean and a scatter learned from a short stretch are a little wrong, and a rule that trusts them gives
several times more or fewer false alarms than it says. So each value is compared with all values before it, and goes
among them when nothing was decided (self-starting: Hawkins, The Statistician 36 (1987) 299)::

    T = (x - mean) / (s sqrt(1 + 1/m)),  Student's t of m - 1,   U = Phi^-1(F_t(T))  by Wallace's formula

Where the values' own errors are to be trusted, they are the recursive residuals of Brown, Durbin and Evans (1975)::

    U = (x - weighted mean) / sqrt(sigma^2 + 1 / sum of weights)

Either way the U are exactly independent and standard normal, however short the stretch was, if the values scatter
independently and normally. Plasmas flicker slowly: ``correlation`` tells how far that is from true.

Python's floats and not numpy: live and back-test must agree to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from oesd.watching.reading import SEEN_SIGMAS

FEWEST = 5
_ENDLESS = 8.0  # standard deviations told of a value that differs from values that never did


@dataclass(slots=True)
class Deviations:
    """Turns values into deviations, one after the other.

    Attributes
    ----------
    own : bool
        Whether each value's own sigma is its scatter; otherwise the scatter is learned.
    """

    own: bool = False
    number: int = 0
    mean: float = 0.0
    _weight: float = 0.0
    _squares: float = 0.0
    _before: float = 0.0
    _products: float = 0.0
    _power: float = 0.0

    @property
    def ready(self) -> bool:
        """Whether enough values are known to compare with."""
        return self.number >= FEWEST

    @property
    def scatter(self) -> float:
        """Standard deviation of the values, as learned."""
        return math.sqrt(self._squares / (self.number - 1)) if self.number > 1 else math.nan

    @property
    def seen(self) -> bool:
        """Whether the mean stands out of its own error: three standard deviations from zero."""
        if not self.ready:
            return False
        variance = 1.0 / self._weight if self.own else self.scatter**2 / self.number
        return abs(self.mean) > SEEN_SIGMAS * math.sqrt(variance)

    @property
    def correlation(self) -> float:
        """Correlation of neighbouring deviations: zero where they are independent."""
        return self._products / self._power if self._power > 0.0 else 0.0

    def of(self, value: float, sigma: float) -> float:
        """Deviation of a value from those that were learned."""
        u = self._by_own(value, sigma) if self.own else self._by_scatter(value)
        self._products += u * self._before
        self._power += u * u
        self._before = u
        return u

    def learn(self, value: float, sigma: float) -> None:
        """Take a value among those that others are compared with."""
        self.number += 1
        weight = 1.0 if not self.own else 1.0 / max(sigma * sigma, 1e-300)
        self._weight += weight
        off = value - self.mean
        self.mean += off * weight / self._weight
        self._squares += weight * off * (value - self.mean)

    def _by_own(self, value: float, sigma: float) -> float:
        variance = sigma * sigma + 1.0 / self._weight
        return (value - self.mean) / math.sqrt(variance) if variance > 0.0 else 0.0

    def _by_scatter(self, value: float) -> float:
        freedom = self.number - 1
        scatter = math.sqrt(self._squares / freedom * (1.0 + 1.0 / self.number))
        off = value - self.mean
        if scatter <= 0.0:
            return 0.0 if off == 0.0 else math.copysign(_ENDLESS, off)
        return normal_of_t(off / scatter, freedom)


def normal_of_t(t: float, freedom: int) -> float:
    """Standard normal deviate that is as rare as Student's t (Wallace, Ann. Math. Stat. 30 (1959) 1124)."""
    share = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
    return math.copysign(share * math.sqrt(freedom * math.log1p(t * t / freedom)), t)
