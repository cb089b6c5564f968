"""A value with its error, and what kind of value it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from statistics import NormalDist

import numpy as np

SEEN_SIGMAS = 3.0
"""From here on a line is seen: noise alone reaches it once in 740 spectra."""
LIMIT = 0.95
_NORMAL = NormalDist()


class State(IntEnum):
    """What a value is; the number is what is stored.

    Of one that is saturated the value is a lower limit; NaN where it would be none, as of a ratio whose denominator is
    saturated. One is undefined when a denominator is not seen, or when nothing usable is there to be measured.
    """

    MEASURED = 0
    NOT_DETECTED = 1
    SATURATED = 2
    UNDEFINED = 3

    @property
    def word(self) -> str:
        """As people read it."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with its standard deviation.

    Attributes
    ----------
    value, sigma : float
        NaN where undefined. What is not detected has its value, too: it scatters around zero, and its mean is right.
    """

    value: float
    sigma: float
    state: State

    def as_stored(self) -> Reading:
        """The reading with the digits that a store keeps: what is decided live is decided by these."""
        return Reading(float(np.float32(self.value)), float(np.float32(self.sigma)), self.state)

    @property
    def usable(self) -> bool:
        """Whether decisions may rest on it: measured or not detected, and finite."""
        return self.state <= State.NOT_DETECTED and math.isfinite(self.value) and math.isfinite(self.sigma)

    @property
    def upper(self) -> float:
        """Upper limit of what is not detected, else NaN."""
        return upper_limit(self.value, self.sigma) if self.state is State.NOT_DETECTED else math.nan


UNDEFINED = Reading(math.nan, math.nan, State.UNDEFINED)


def judged(value: float, sigma: float, saturated: bool, signed: bool = False) -> Reading:
    """Reading of a value: undefined, saturated, measured, or not detected below three standard deviations.

    What is ``signed`` may be zero or less and is measured all the same.
    """
    if not (math.isfinite(value) and math.isfinite(sigma)):
        return UNDEFINED
    if saturated:
        return Reading(value, sigma, State.SATURATED)
    seen = signed or abs(value) >= SEEN_SIGMAS * sigma
    return Reading(value, sigma, State.MEASURED if seen else State.NOT_DETECTED)


def upper_limit(value: float, sigma: float) -> float:
    """Upper limit, 95 %, of an amount that cannot be negative and was measured with a normal error.

    The posterior of a flat prior on amounts above zero (Particle Data Group, Review of Particle Physics, section
    "Statistics", bounded physical region); never negative, and value + 1.64 sigma where zero is far.
    """
    if not sigma > 0.0:
        return max(value, 0.0)
    reach = value / sigma
    if reach < -30.0:  # where the normal distribution has no digits left: its tail is exponential there
        return -sigma / reach * -math.log(1.0 - LIMIT)
    return value - sigma * _NORMAL.inv_cdf((1.0 - LIMIT) * 0.5 * math.erfc(-reach * 2.0**-0.5))
