"""How likely an element is before the light is seen, in nats against it.

Gases and metals of plasmas, lamps, growth, coating, alloys and minerals cost nothing; lanthanides and actinides have so
many lines that one of them fits anything, and the short-lived elements are never met: they must show more.
"""

from __future__ import annotations

UNUSUAL_NATS = 1.5
LANTHANIDE_NATS = 3.0
RADIOACTIVE_NATS = 7.0

UNUSUAL = frozenset("Se Br Tc Ru Rh Pd Sb Te I La Hf Ta Re Os Ir Tl Nb Zr".split())
LANTHANIDES = frozenset("Ce Pr Nd Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Th U".split())
RADIOACTIVE = frozenset("Tc Pm Po At Rn Fr Ra Ac Pa Np Pu Am Cm Bk Cf Es Fm".split())


def prior_nats(symbol: str) -> float:
    """Evidence an element owes before it counts as likely as a common one."""
    if symbol in RADIOACTIVE:
        return RADIOACTIVE_NATS
    if symbol in LANTHANIDES:
        return LANTHANIDE_NATS
    return UNUSUAL_NATS if symbol in UNUSUAL else 0.0
