"""What the inference hands on: fits of species, claims of elements and molecules, and what it could not decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from oesd.model import FloatArray

RIVAL_NATS = 1.0  # of what contenders are worth, by which their shares differ by e
LEAST_SHARE = 0.02  # of the likeliest's: who is less likely is no contender


@dataclass(frozen=True, slots=True)
class Fit:
    """Amount and excitation of one species, and what it gains (nats)."""

    gain: float
    amount: float
    excitation: int


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """An element (or band system) in the light: its species' fits, its light in every peak, its gain in nats."""

    fits: dict[int, Fit]
    light: FloatArray
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """Suspects of which one makes some peaks, and nothing tells which.

    Each with its share of the probability, and with what it gains beyond its price, nats.
    """

    claims: dict[str, Claim]
    share: dict[str, float]
    worth: dict[str, float]

    @classmethod
    def among(cls, names: Sequence[str], claims: Sequence[Claim], worth: FloatArray, probability: float) -> Contest:
        """Shares by what each is worth, (contenders,) nats; all together have the probability."""
        share = np.exp((worth - worth.max()) / RIVAL_NATS)
        share /= share.sum()
        order: list[int] = np.argsort(-share, kind="stable").tolist()
        kept = [n for n in order if share[n] >= LEAST_SHARE * share.max()]
        return cls(
            {names[n]: claims[n] for n in kept},
            {names[n]: float(share[n]) * probability for n in kept},
            {names[n]: float(worth[n]) for n in kept},
        )


@dataclass(frozen=True, slots=True, eq=False)
class NearMiss:
    """A suspect not claimed: what it would be beside all that is, and its margin, nats."""

    claim: Claim
    margin: float


@dataclass(slots=True, eq=False)
class Inference:
    """Elements found, by symbol.

    Attributes
    ----------
    claims, probability, margin : dict
        Of elements; ``margin`` in nats beyond the price.
    bands, band_probability : dict
        The same of molecules.
    contests : list of Contest
        What could not be decided; no member of one is claimed.
    light : (peaks,) float64
        Of all of them together, in every peak.
    hope : dict
        Of elements not claimed: the margin they had at most when they were last looked at, nats.
    near_misses : dict of NearMiss
        Suspects not far below their price; only where explanations were asked for.
    rivals : dict of tuple of str
        For each claim those who would do nearly as well in its place; as above.
    asked : frozenset of str
        Whoever was looked at closely.
    """

    claims: dict[str, Claim] = field(default_factory=dict)
    probability: dict[str, float] = field(default_factory=dict)
    margin: dict[str, float] = field(default_factory=dict)
    bands: dict[str, Claim] = field(default_factory=dict)
    band_probability: dict[str, float] = field(default_factory=dict)
    contests: list[Contest] = field(default_factory=list)
    light: FloatArray = field(default_factory=lambda: np.zeros(0))
    hope: dict[str, float] = field(default_factory=dict)
    near_misses: dict[str, NearMiss] = field(default_factory=dict)
    rivals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
