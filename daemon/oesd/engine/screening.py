"""Which species are worth a closer look: a coarse gain for all of them at once, on a few excitations and amounts.

The same loss as ``evidence.py``, over the peaks and absences of all species laid end to end; a species whose best
coarse gain is far below its price cannot be found.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oesd.engine.evidence import (
    FAINT_SHARE,
    FLOOR_SIGMAS,
    MISSING_SCALE,
    ONE,
    SOFT_ABSENCE,
    STRENGTH_SPREAD,
    UNEXPLAINED_SCALE,
)
from oesd.engine.lines import IntArray
from oesd.engine.patterns import Float32Array, single
from oesd.engine.scene import Absences, Scene
from oesd.engine.strengths import LAMP
from oesd.model import FloatArray, MaskArray

ROWS = (0, 2, LAMP)
STEPS = np.array([[0.3], [0.5], [0.7], [0.88]])
WEAKEST_PEAK = 0.01


def coarse_gains(scene: Scene, species: Sequence[int]) -> FloatArray:
    """Best coarse gain of each of these species beside no other light, nats; 0 for all others; shape (species,)."""
    chosen = np.zeros(scene.patterns.species_count, dtype=np.bool_)
    chosen[list(species)] = True
    screen = _Screen(scene, chosen)
    return screen.gains(scene) if len(screen.lit) else np.zeros(len(chosen))


class _Screen:
    """A *segment* is one species under one excitation."""

    def __init__(self, scene: Scene, chosen: MaskArray) -> None:
        self._species = len(chosen)
        into = scene.into_peaks[ROWS, :, :]
        top = into.max(axis=2, initial=0.0)
        usable = (into > np.float32(WEAKEST_PEAK) * top[:, :, None]) & (chosen & (top > 1e-9))[:, :, None]
        row, species, self.peak = np.nonzero(usable)
        segment = row * self._species + species
        self.start = np.flatnonzero(np.diff(segment, prepend=-1))
        self.counts = np.diff(self.start, append=len(segment))
        self.row, self.lit = row[self.start], species[self.start]
        if len(self.lit):
            self.amounts = self._lay_out_peaks(scene, species, into[row, species, self.peak].astype(np.float64), top)

    def _lay_out_peaks(self, scene: Scene, species: IntArray, expected: FloatArray, top: Float32Array) -> FloatArray:
        """Everything about the sites, and the amounts to try for each segment, (steps, segments)."""
        seen = scene.observed
        height, error = seen.height[self.peak], seen.height_sigma[self.peak]
        unit = height + FLOOR_SIGMAS * error
        self.floor = FLOOR_SIGMAS * error / unit
        spread = 2.0 * (STRENGTH_SPREAD**2 + (error / unit) ** 2)
        scale = UNEXPLAINED_SCALE * scene.surprise(species, self.peak)
        self.under_scale = scale.astype(np.float32)
        self.under = (1.0 / (spread * scale)).astype(np.float32)
        self.over = (np.where(seen.saturated[self.peak], 0.0, 1.0 / MISSING_SCALE) / spread).astype(np.float32)
        amounts = self._amounts(expected, height, float(seen.height_sigma.min()), top[self.row, self.lit])
        self.trial = single(np.repeat(amounts, self.counts, axis=1) * (expected / unit))
        return amounts

    def _amounts(self, expected: FloatArray, height: FloatArray, quietest: float, top: Float32Array) -> FloatArray:
        """In the range of the close look."""
        strong = expected >= 0.03 * np.repeat(top, self.counts)
        ratio = height / expected
        high = np.log(2.0 * np.maximum.reduceat(np.where(strong, ratio, 0.0), self.start))
        least = 0.1 * np.minimum.reduceat(np.where(strong, ratio, np.inf), self.start)
        low = np.minimum(np.log(np.maximum(least, 0.7 * quietest / top)), high - 1.0)
        amounts: FloatArray = np.exp(low + STEPS * (high - low))
        return amounts

    def gains(self, scene: Scene) -> FloatArray:
        """Best gain of each species, (species,)."""
        saved = self._loss(single(self.floor)) - self._loss(single(self.floor) + self.trial)
        gain = np.add.reduceat(saved, self.start, axis=1, dtype=np.float64) - self._absent_losses(scene)
        best = np.zeros(self._species)
        np.maximum.at(best, self.lit, gain.max(axis=0))
        return best

    def _absent_losses(self, scene: Scene) -> FloatArray:
        """What the places without light cost each segment at each amount, (steps, segments): the strong lines alone."""
        losses = np.zeros(self.amounts.shape)
        for number, row in enumerate(ROWS):
            position = np.full(self._species, -1)
            mine = np.flatnonzero(self.row == number)
            position[self.lit[mine]] = np.arange(len(mine))
            dark = scene.strong_absences(row)
            use = np.flatnonzero(position[dark.species] >= 0)
            owner = position[dark.species[use]]
            light, scale, inverse, floor = _absences(dark, use)
            misfit = np.maximum(np.log(floor + single(self.amounts[:, mine])[:, owner] * light), np.float32(0.0))
            loss = scale * np.log(ONE + misfit * misfit * inverse)
            for step in range(len(STEPS)):
                losses[step, mine] = np.bincount(owner, weights=loss[step], minlength=len(mine))
        return losses

    def _loss(self, light: Float32Array) -> Float32Array:
        misfit = np.log(light)
        square = misfit * misfit
        below = misfit < 0.0
        square *= np.where(below, self.under, self.over)
        square += ONE
        loss: Float32Array = np.where(below, self.under_scale, np.float32(MISSING_SCALE)) * np.log(square)
        return loss


def _absences(dark: Absences, use: NDArray[np.int64]) -> tuple[Float32Array, Float32Array, Float32Array, Float32Array]:
    """Light per amount, weight, inverse spread and floor of the chosen absences, in units of what is seen there."""
    noise, strength = dark.noise[use], dark.strength[0, use]
    floor = FLOOR_SIGMAS * noise
    unit = dark.upper[use] + floor
    known = 1.0 - (1.0 - SOFT_ABSENCE) * dark.soft[use]
    scale = MISSING_SCALE * known * strength / (strength + FAINT_SHARE)
    spread = 2.0 * (STRENGTH_SPREAD**2 + (noise / unit) ** 2)
    return single(strength / unit), single(scale), single(1.0 / (spread * scale)), single(floor / unit)
