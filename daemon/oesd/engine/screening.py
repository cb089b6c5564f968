"""Which species are worth a closer look: a coarse gain for all of them at once, on a few excitations and amounts.

The same loss as ``evidence.py``, over all sites, and over the strongest lines of every species where no peak is: as
many of each, so that all stand in one table. A species whose best coarse gain is far below its price cannot be found.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.evidence import amount_range
from oesd.engine.lines import IntArray
from oesd.engine.losses import LEAST_STRENGTH, absence_scale, dark_loss, peak_loss
from oesd.engine.patterns import Float32Array, single
from oesd.engine.places import SCREENED_ROWS
from oesd.engine.scene import Scene, lengths, runs
from oesd.model import FloatArray

STEPS = np.array([0.3, 0.5, 0.7, 0.88])[:, None, None]


def coarse_gains(scene: Scene) -> FloatArray:
    """Best coarse gain of each species beside no other light, nats; 0 for those without; shape (species,)."""
    best = np.zeros(scene.patterns.species_count)
    sites, rows = scene.sites, list(SCREENED_ROWS)
    start = runs(sites.species)
    if not len(start):
        return best
    lit, count = sites.species[start], lengths(start, len(sites.species))
    light, dark = sites.light[rows], _Absences(scene, lit)
    strongest = np.maximum(np.maximum.reduceat(light, start, axis=1), dark.strength.max(axis=0))
    low, high = amount_range(scene, light, sites.peak, strongest, start, count)
    amounts = single(np.exp(low + STEPS * (high - low)))
    costs = sites.under_scale, sites.under, sites.over
    tried = np.repeat(amounts, count, axis=2)
    tried *= sites.expected[rows]
    tried += sites.floor
    saved = peak_loss(sites.floor.copy(), *costs) - peak_loss(tried, *costs)
    gain = np.add.reduceat(saved, start, axis=2) - dark.losses(amounts, strongest)
    best[lit] = np.maximum(gain.max(axis=(0, 1)), 0.0)
    return best


class _Absences:
    """The strongest lines of each species where no peak is: arrays (lines, rows, species)."""

    def __init__(self, scene: Scene, species: IntArray) -> None:
        places, dark = scene.places, scene.dark
        where = places.strong_place.take(species, axis=2)
        per_unit = dark.per_unit[where]
        self.strength = places.strong_strength.take(species, axis=2)
        self.strength *= per_unit > 0.0
        self.expected = self.strength * per_unit
        self.known = places.strong_known.take(species, axis=2)
        self.floor, self.variance = dark.floor[where], dark.variance[where]

    def losses(self, amounts: Float32Array, strongest: Float32Array) -> Float32Array:
        """What is missing at each amount, (steps, rows, species)."""
        scale = absence_scale(self.strength, np.maximum(strongest, LEAST_STRENGTH), self.known)
        light = (amounts[:, None] * self.expected).astype(np.float32, copy=False)
        light += self.floor
        lost: Float32Array = dark_loss(light, scale, 1.0 / (self.variance * scale)).sum(axis=1)
        return lost
