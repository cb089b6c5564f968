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
from oesd.model import FloatArray, MaskArray

STEPS = np.array([0.3, 0.5, 0.7, 0.88])[:, None, None]


class Screening:
    """Coarse gains of all species that have light in some peak."""

    def __init__(self, scene: Scene) -> None:
        sites, rows = scene.sites, list(SCREENED_ROWS)
        self._size = scene.patterns.species_count
        self._peak, self._start = sites.peak, runs(sites.species)
        self._species = sites.species[self._start]
        self._floor, self._per_unit = sites.floor, sites.per_unit
        self._costs = sites.costs
        if not len(self._start):
            return
        count = lengths(self._start, len(sites.species))
        light, dark = sites.light[rows], _Absences(scene, self._species)
        strongest = np.maximum(np.maximum.reduceat(light, self._start, axis=1), dark.strength.max(axis=0))
        low, high = amount_range(scene, light, sites.log_height, strongest, self._start, count)
        amounts = single(np.exp(low + STEPS * (high - low)))
        self._trial = np.zeros((1 + STEPS.size * len(rows), len(sites.peak)), dtype=np.float32)  # first no light at all
        trial = self._trial[1:].reshape(STEPS.size, len(rows), -1)
        np.multiply(amounts.repeat(count, axis=2), sites.expected[rows], out=trial)
        self._missing = dark.losses(amounts, strongest).reshape(STEPS.size * len(rows), -1)

    def gains(self, others: FloatArray | None = None) -> FloatArray:
        """Best coarse gain beside the others' light, (peaks,), nats; 0 for species without light; (species,)."""
        best = np.zeros(self._size)
        if len(self._start):
            background = self._floor
            if others is not None:
                background = background + single(others).take(self._peak) * self._per_unit
            loss = peak_loss(self._trial + background, self._costs)
            loss = np.add.reduceat(loss[1:] - loss[0], self._start, axis=1)
            loss += self._missing
            best[self._species] = np.maximum(-loss.min(axis=0), 0.0)
        return best

    def narrowed(self, asked: MaskArray) -> None:
        """Keep those of the species that are marked, (species,), and forget the others."""
        kept = asked[self._species]
        count = lengths(self._start, len(self._peak))
        site = kept.repeat(count).nonzero()[0]
        self._peak, self._costs = self._peak.take(site), self._costs.take(site, axis=1)
        self._floor, self._per_unit = self._floor.take(site), self._per_unit.take(site)
        self._trial, self._missing = self._trial.take(site, axis=1), self._missing[:, kept]
        self._species, count = self._species[kept], count[kept]
        self._start = count.cumsum() - count


class _Absences:
    """The strongest lines of each species where no peak is: arrays (lines, rows, species)."""

    def __init__(self, scene: Scene, species: IntArray) -> None:
        places, dark = scene.places, scene.dark
        where = places.strong_place.take(species, axis=2)
        per_unit, self.floor, self.variance = dark.of_place.take(where, axis=1)
        self.strength = places.strong_strength.take(species, axis=2)
        self.strength *= per_unit > 0.0
        self.expected = self.strength * per_unit
        self.known = places.strong_known.take(species, axis=2)

    def losses(self, amounts: Float32Array, strongest: Float32Array) -> Float32Array:
        """What is missing at each amount, (steps, rows, species)."""
        scale = absence_scale(self.strength, np.maximum(strongest, LEAST_STRENGTH), self.known)
        light = amounts[:, None] * self.expected
        light += self.floor
        lost: Float32Array = dark_loss(light, scale, 1.0 / (self.variance * scale)).sum(axis=1)
        return lost
