"""How likely an element is before the light is seen, in nats against it.

Gases and metals of plasmas, lamps, growth, coating, alloys and minerals cost nothing; lanthanides and actinides have so
many lines that one of them fits anything, and the short-lived elements are never met: they must show more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from oesd.engine.strengths import ion_energy_ev
from oesd.model import ConstraintMode, Recipe

UNUSUAL_NATS = 1.5
LANTHANIDE_NATS = 3.0
RADIOACTIVE_NATS = 7.0
EASY_ION_EV = 20.0  # to ionise most metals and excite their ions
ION_NATS_PER_EV = 0.15
EXPECTED_NATS = 1.5  # about 4.5 to 1
UNEXPECTED_NATS = 0.5

COMMON_NATS = -1.5
COMMON = frozenset("H N O".split())  # air and water are in every plasma that is not very clean
UNUSUAL = frozenset("Se Br Tc Ru Rh Pd Sb Te I La Hf Ta Re Os Ir Tl Nb Zr".split())
LANTHANIDES = frozenset("Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Th U".split())
RADIOACTIVE = frozenset("Tc Pm Po At Rn Fr Ra Ac Pa Np Pu Am Cm Bk Cf Es Fm".split())


def prior_nats(symbol: str) -> float:
    """Evidence an element owes before it counts as likely as a common one."""
    if symbol in RADIOACTIVE:
        return RADIOACTIVE_NATS
    if symbol in LANTHANIDES:
        return LANTHANIDE_NATS
    if symbol in COMMON:
        return COMMON_NATS
    return UNUSUAL_NATS if symbol in UNUSUAL else 0.0


@dataclass(frozen=True, slots=True)
class Prior:
    """What a recipe says of the elements before the light is seen.

    ``only`` is None where all are allowed. An expected element is as common as any, and ``EXPECTED_NATS`` likelier;
    where some are expected the others owe ``UNEXPECTED_NATS`` more. Both are small beside what a few matching lines
    gain, so that a wrong expectation neither makes nor hides an element that shows.
    """

    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()
    expected: frozenset[str] = frozenset()

    @classmethod
    def of(cls, recipe: Recipe) -> Prior:
        """Prior of a recipe."""
        chosen, expected = frozenset(recipe.elements), frozenset(recipe.expected)
        if recipe.constraint is ConstraintMode.INCLUDE:
            return cls(only=chosen | frozenset(recipe.ambient), expected=expected)
        if recipe.constraint is ConstraintMode.EXCLUDE:
            return cls(never=chosen, expected=expected)
        return cls(expected=expected)

    def allows(self, symbol: str) -> bool:
        """Whether the element may be named at all."""
        return symbol not in self.never and (self.only is None or symbol in self.only)

    def nats(self, symbol: str) -> float:
        """Evidence that the element owes beyond the price of any."""
        if symbol in self.expected:
            return -EXPECTED_NATS
        return max(prior_nats(symbol), 0.0) + UNEXPECTED_NATS if self.expected else prior_nats(symbol)


@cache
def ion_nats() -> list[float]:
    """What each element's ion owes for the energy that its lines take, in the order of the table.

    Ca II takes 9 eV, Ar II 35, Na II 38, Li II 67. The hottest discharges and sparks show ions at 40 eV, hardly beyond;
    it is no Saha equation, for neither temperature nor electron density are known, but its exponent, softly.
    """
    owed: list[float] = (ION_NATS_PER_EV * np.maximum(ion_energy_ev() - EASY_ION_EV, 0.0)).tolist()
    return owed
