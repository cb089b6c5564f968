"""What some species miss where no peak is, at every excitation and amount tried.

There it does not matter what others shine: it is worked out once.
"""

from __future__ import annotations

import numpy as np

from oesd.engine.lines import IntArray
from oesd.engine.losses import LAMP_ABSENCE, LEAST_STRENGTH, absence_scale, dark_loss
from oesd.engine.patterns import Float32Array
from oesd.engine.scene import Scene
from oesd.engine.strengths import EXCITATIONS, LAMP

AT_A_TIME = 50_000  # losses worked out at a time: more do not fit into a processor's cache


class Absences:
    """Where some species should shine and no peak is, end to end.

    Parameters
    ----------
    scene : Scene
    species : (count,) int64
    """

    def __init__(self, scene: Scene, species: IntArray) -> None:
        places, dark = scene.places, scene.dark
        first = places.first[species]
        self.count = places.first[species + 1] - first
        end = self.count.cumsum()
        self.filled = self.count.nonzero()[0]
        self.start = (end - self.count)[self.filled]
        entry = np.arange(int(end[-1]))
        entry += (first - end + self.count).repeat(self.count)
        where = places.number.take(entry)
        per_unit, self.floor, self.variance = dark.of_place.take(where, axis=1)
        self.strength = places.strength.take(entry, axis=1)
        self.strength *= per_unit > 0.0
        self.expected = self.strength * per_unit
        self.known = places.known.take(entry)

    def strongest(self) -> Float32Array:
        """The most that each species should show there, (EXCITATIONS, species)."""
        top = np.zeros((EXCITATIONS, len(self.count)), dtype=np.float32)
        if len(self.filled):
            top[:, self.filled] = np.maximum.reduceat(self.strength, self.start, axis=1)
        return top

    def losses(self, amounts: Float32Array, strongest: Float32Array) -> Float32Array:
        """What is missing at each amount, (EXCITATIONS, amounts, species).

        Parameters
        ----------
        amounts : (EXCITATIONS, amounts, species) float32
        strongest : (EXCITATIONS, species) float32
            The most that each species shows anywhere.
        """
        losses = np.zeros(amounts.shape, dtype=np.float32)
        if not len(self.filled):
            return losses
        most = np.maximum(strongest, LEAST_STRENGTH).repeat(self.count, axis=1)
        scale = absence_scale(self.strength, most, self.known)
        scale[LAMP] *= np.float32(LAMP_ABSENCE)
        inverse = 1.0 / (self.variance * scale)
        together = max(1, AT_A_TIME // scale.size)
        for step in range(0, amounts.shape[1], together):
            some = slice(step, step + together)
            light = amounts[:, some].repeat(self.count, axis=2)
            light *= self.expected[:, None]
            light += self.floor
            lost = dark_loss(light, scale[:, None], inverse[:, None])
            losses[:, some, self.filled] = np.add.reduceat(lost, self.start, axis=2)
        return losses
