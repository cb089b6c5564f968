"""Who may be in the light: elements and band systems with their species, and what each owes before it is claimed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oesd.engine.bands import LISTED, SYSTEMS
from oesd.engine.lines import IntArray
from oesd.engine.patterns import band_species
from oesd.engine.priors import Prior, ion_nats
from oesd.engine.strengths import STAGES, line_strengths
from oesd.model import FloatArray, MaskArray

PRICE_NATS = 4.0  # of any element: the logarithm of how many amounts and excitations were tried; chance comes on top
BAND_PRICE_NATS = 4.0
SYNTHESISED_NATS = 3.0  # more for a system that is known less well, of a molecule that is met less often
KEPT_PRIORS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Suspects:
    """Elements and band systems in the order of their species; arrays (suspects,) unless said.

    Attributes
    ----------
    names : tuple of str
    first, last : int64
        A suspect's species are ``first:last``.
    price : float64
        What it owes before it is claimed, nats.
    band : bool
    owed : (species,) float64
        What an ion owes besides.
    of : (species,) int64
        The suspect of a species, -1 for none.
    """

    names: tuple[str, ...]
    first: IntArray
    last: IntArray
    price: FloatArray
    band: MaskArray
    owed: FloatArray
    of: IntArray

    def best(self, gains: FloatArray) -> FloatArray:
        """Sum of what their species gain, (species,); shape (suspects,)."""
        total = np.zeros(len(gains) + 1)
        gains.cumsum(out=total[1:])
        summed: FloatArray = total.take(self.last) - total.take(self.first)
        return summed


@lru_cache(maxsize=KEPT_PRIORS)
def suspects_of(prior: Prior) -> Suspects:
    """All that a prior allows."""
    elements = line_strengths().table.elements
    allowed = [(i, name) for i, name in enumerate(elements) if prior.allows(name)]
    numbers, bands = np.array([i for i, _ in allowed], dtype=np.int64), np.array(band_species(), dtype=np.int64)
    first = np.concatenate([STAGES * numbers, bands])
    last = np.concatenate([STAGES * numbers + STAGES, bands + 1])
    price = [PRICE_NATS + prior.nats(name) for _, name in allowed]
    price += [BAND_PRICE_NATS + (0.0 if name in LISTED else SYNTHESISED_NATS) for name in SYSTEMS]
    owed, of = np.zeros(band_species().stop), np.full(band_species().stop, -1)
    owed[STAGES - 1 : STAGES * len(elements) : STAGES] = ion_nats()
    for number, (low, high) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        of[low:high] = number
    band = np.arange(len(first)) >= len(numbers)
    return Suspects((*(name for _, name in allowed), *SYSTEMS), first, last, np.array(price), band, owed, of)
