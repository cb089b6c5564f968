"""Which species are worth a closer look: a coarse gain for all of them at once, on a few excitations and amounts.

The same loss as ``evidence.py``, in single precision, over the peaks and absences of all species laid end to end; a
species whose best coarse gain is far below its price cannot be found. Asked again after every element taken, it tells
which suspects lost their peaks to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oesd.engine.evidence import (
    FAINT_SHARE,
    FLOOR_SIGMAS,
    MISSING_SCALE,
    SOFT_ABSENCE,
    STRENGTH_SPREAD,
    UNEXPLAINED_SCALE,
)
from oesd.engine.scene import Scene
from oesd.engine.strengths import LAMP
from oesd.engine.windows import binned
from oesd.model import FloatArray, MaskArray

ROWS = (1, 3, LAMP)
STEPS = (0.3, 0.5, 0.7, 0.88)
WEAKEST_PEAK, WEAKEST_ABSENCE = 0.01, 0.02

Float32Array = NDArray[np.float32]


class Screen:
    """Coarse gains of the chosen species of a scene.

    Parameters
    ----------
    scene : Scene
    chosen : (species,) bool
    """

    def __init__(self, scene: Scene, chosen: MaskArray) -> None:
        self._species = len(chosen)
        self._rows = [row for row in (_Row(scene, number, chosen) for number in ROWS) if len(row.lit)]

    def narrow(self, chosen: MaskArray) -> None:
        """Ask from now on for fewer species."""
        for row in self._rows:
            row.narrow(chosen)
        self._rows = [row for row in self._rows if len(row.lit)]

    def gains(self, others: FloatArray) -> FloatArray:
        """Best coarse gain of each species beside the light of ``others`` (peaks,), nats, shape (species,)."""
        best = np.zeros(self._species)
        for row in self._rows:
            best[row.lit] = np.maximum(best[row.lit], row.gains(others))
        return best


class _Row:
    """All sites of one excitation; ``lit`` are the species with a line in a peak."""

    def __init__(self, scene: Scene, row: int, chosen: MaskArray) -> None:
        into = scene.into_peaks[row]
        top = into.max(axis=1, initial=0.0)
        usable = (into > WEAKEST_PEAK * top[:, None]) & (chosen & (top > 1e-9))[:, None]
        species, self.peak = np.nonzero(usable)
        self.lit, self.start = np.unique(species, return_index=True)
        self.counts = np.diff(np.append(self.start, len(species)))
        if not len(self.lit):
            return
        self._lay_out_peaks(scene, into[species, self.peak], top[self.lit])
        self._lay_out_absences(scene, row)

    def _lay_out_peaks(self, scene: Scene, expected: FloatArray, top: FloatArray) -> None:
        seen = scene.observed
        height, error = seen.height[self.peak], seen.height_sigma[self.peak]
        floor = FLOOR_SIGMAS * error
        self.unit = height + floor
        self.expected = (expected / self.unit).astype(np.float32)
        self.floor = floor / self.unit
        variance = STRENGTH_SPREAD**2 + (error / self.unit) ** 2
        self.scale = (UNEXPLAINED_SCALE * scene.surprise[self.peak]).astype(np.float32)
        self.under = (1.0 / (2.0 * variance * self.scale)).astype(np.float32)
        clipped = seen.saturated[self.peak]
        self.over = (np.where(clipped, 0.0, 1.0) / (2.0 * variance * MISSING_SCALE)).astype(np.float32)
        self._range_amounts(expected, height, error, top)

    def _range_amounts(self, expected: FloatArray, height: FloatArray, error: FloatArray, top: FloatArray) -> None:
        """Amounts to try for each lit species, in the range of the close look."""
        strong = expected >= 0.03 * np.repeat(top, self.counts)
        ratio = height / expected
        high = np.log(2.0 * np.maximum.reduceat(np.where(strong, ratio, 0.0), self.start))
        least = 0.1 * np.minimum.reduceat(np.where(strong, ratio, np.inf), self.start)
        low = np.minimum(np.log(np.maximum(least, 0.7 * error.min() / top)), high - 1.0)
        self.amounts = [np.exp(low + step * (high - low)) for step in STEPS]

    def _lay_out_absences(self, scene: Scene, row: int) -> None:
        species = np.repeat(np.arange(len(scene.first) - 1), np.diff(scene.first))
        position = np.full(len(scene.first) - 1, -1)
        position[self.lit] = np.arange(len(self.lit))
        use = (position[species] >= 0) & (scene.absent[row] > WEAKEST_ABSENCE)
        owner = position[species[use]]
        noise, upper, strength = scene.absent_noise[use], scene.absent_upper[use], scene.absent[row][use]
        floor = FLOOR_SIGMAS * noise
        expected = (strength / (upper + floor)).astype(np.float32)
        known = (1.0 - (1.0 - SOFT_ABSENCE) * scene.absent_soft[use]) * strength / (strength + FAINT_SHARE)
        scale = (MISSING_SCALE * known).astype(np.float32)
        inverse = (1.0 / (2.0 * (STRENGTH_SPREAD**2 + (noise / (upper + floor)) ** 2) * scale)).astype(np.float32)
        dark = (floor / (upper + floor)).astype(np.float32)
        self.absence_losses = []
        for amount in self.amounts:
            misfit = np.maximum(np.log(dark + amount.astype(np.float32)[owner] * expected), np.float32(0.0))
            loss = scale * np.log(np.float32(1.0) + misfit * misfit * inverse)
            self.absence_losses.append(binned(owner, loss.astype(np.float64), len(self.lit)))

    def narrow(self, chosen: MaskArray) -> None:
        keep = chosen[self.lit]
        sites = np.repeat(keep, self.counts)
        for name in ("peak", "unit", "expected", "floor", "scale", "under", "over"):
            setattr(self, name, getattr(self, name)[sites])
        self.amounts = [amount[keep] for amount in self.amounts]
        self.absence_losses = [loss[keep] for loss in self.absence_losses]
        self.lit, self.counts = self.lit[keep], self.counts[keep]
        self.start = np.cumsum(self.counts) - self.counts

    def gains(self, others: FloatArray) -> FloatArray:
        background = (self.floor + others[self.peak] / self.unit).astype(np.float32)
        before = self._loss(background)
        best = np.zeros(len(self.lit))
        for amount, absences in zip(self.amounts, self.absence_losses, strict=True):
            light = background + (np.repeat(amount, self.counts) * self.expected).astype(np.float32)
            gain = np.add.reduceat(before - self._loss(light), self.start, dtype=np.float64)
            best = np.maximum(best, gain - absences)
        return best

    def _loss(self, light: FloatArray | Float32Array) -> FloatArray | Float32Array:
        misfit = np.log(light)
        square = misfit * misfit
        under = self.scale * np.log(np.float32(1.0) + square * self.under)
        over = np.float32(MISSING_SCALE) * np.log(np.float32(1.0) + square * self.over)
        loss: FloatArray | Float32Array = np.where(misfit < 0.0, under, over)
        return loss
