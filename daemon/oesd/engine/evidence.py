"""How well a species' pattern fits what others have left: the log-likelihood gain of adding it.

At each site with observed height h (error e) and expected light m, both lifted by c = ``FLOOR_SIGMAS`` e, the
logarithmic misfit u = ln((h + c e) / (m + c e)) is compared with its spread v: line strengths, response and
self-absorption are known to ``STRENGTH_SPREAD`` in ln, and e/(h + c e) is noise. The loss k ln(1 + u^2 / (2 v k)) is
Student-like: quadratic near zero, logarithmic far out, so that neither one missing line nor one strong coincidence
decides. u > 0 is light nobody explains, u < 0 light that should be there and is not; a saturated peak cannot be too
low. Where nothing shines only light that should be there counts, and there it does not matter what others shine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.engine.lines import IntArray
from oesd.engine.patterns import Float32Array, single
from oesd.engine.scene import Scene
from oesd.engine.strengths import EXCITATIONS, LAMP
from oesd.model import FloatArray

STRENGTH_SPREAD = 0.5
FLOOR_SIGMAS = 2.0
UNEXPLAINED_SCALE = 3.0
MISSING_SCALE = 4.0
SOFT_ABSENCE = 0.6  # weight of an absent line known by intensity only
LAMP_ABSENCE = 0.7  # weight of absent lines when only lamp intensities speak
FAINT_SHARE = (
    0.02  # the absence of a line this faint beside the strongest says half as much: strengths are not known so far
)
FAINTEST_SITE = 2e-3  # of a species' light in its brightest peak
AMOUNTS = 6
FINER = np.array([[-0.5], [-0.25], [0.25], [0.5]])  # steps between two amounts
ONE = np.float32(1.0)
THICK_NATS = 1.0
ROW_NATS = np.where(np.arange(EXCITATIONS) > LAMP, THICK_NATS, 0.0)[:, None, None]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Best amount and excitation of each species asked for, and what they gain (nats), at least 0; arrays (asked,)."""

    gain: FloatArray
    amount: FloatArray
    excitation: IntArray


class Evidence:
    """The sites of some species of a scene, end to end: those in peaks, and those in the dark.

    Parameters
    ----------
    scene : Scene
    species : (count,) int64
        Ascending; each has light in some peak. They are asked for by their number in this list.
    """

    def __init__(self, scene: Scene, species: IntArray) -> None:
        self.species = species
        into = scene.into_peaks[:, species]
        top = into.max(axis=0, initial=0.0)
        self.owner, self.peak = np.nonzero(
            top > np.float32(FAINTEST_SITE) * top.max(axis=1, keepdims=True, initial=0.0)
        )
        self.count = np.bincount(self.owner, minlength=len(species))
        self._lay_out_peaks(scene, into[:, self.owner, self.peak])
        self._lay_out_dark(scene)
        if len(species):
            self._lay_out_amounts(scene)

    def _lay_out_peaks(self, scene: Scene, expected: Float32Array) -> None:
        seen = scene.observed
        height, error = seen.height[self.peak], seen.height_sigma[self.peak]
        unit = height + FLOOR_SIGMAS * error
        spread = 2.0 * (STRENGTH_SPREAD**2 + (error / unit) ** 2)
        scale = UNEXPLAINED_SCALE * scene.surprise(self.species[self.owner], self.peak)
        self.per_unit = 1.0 / unit
        self.floor = FLOOR_SIGMAS * error / unit
        self.into = expected
        self.expected = single(expected / unit)
        self.under_scale, self.under = single(scale), single(1.0 / (spread * scale))
        self.over = single(np.where(seen.saturated[self.peak], 0.0, 1.0 / MISSING_SCALE) / spread)

    def _lay_out_dark(self, scene: Scene) -> None:
        number = np.full(scene.patterns.species_count, -1)
        number[self.species] = np.arange(len(self.species))
        dark = scene.absences(number >= 0)
        self.dark_owner = number[dark.species]
        self.dark_count = np.bincount(self.dark_owner, minlength=len(self.species))
        noise, absent = dark.noise, dark.strength
        unit = dark.upper + FLOOR_SIGMAS * noise
        spread = 2.0 * (STRENGTH_SPREAD**2 + (noise / unit) ** 2)
        self.strongest = np.maximum(
            _segments(np.maximum, self.into, self.count), _segments(np.maximum, absent, self.dark_count)
        )
        share = absent / np.maximum(self.strongest, np.float32(1e-12))[:, self.dark_owner]
        known = 1.0 - (1.0 - SOFT_ABSENCE) * dark.soft
        scale = MISSING_SCALE * known * share / (share + FAINT_SHARE) + 1e-9
        scale[LAMP] *= LAMP_ABSENCE
        self.dark_floor = single(FLOOR_SIGMAS * noise / unit)
        self.dark_expected = single(absent / unit)
        self.dark_scale = single(scale)
        self.dark_spread = single(1.0 / (spread * scale))

    def _lay_out_amounts(self, scene: Scene) -> None:
        """Amounts from "hidden in the noise" to "alone makes the strongest peak": (EXCITATIONS, AMOUNTS, species)."""
        light = np.maximum(self.into.astype(np.float64), 1e-9)
        strong = light >= 0.03 * _segments(np.maximum, light, self.count)[:, self.owner]
        ratio = scene.observed.height[self.peak] / light
        high = np.log(2.0 * _segments(np.maximum, np.where(strong, ratio, 0.0), self.count))
        least = 0.1 * _segments(np.minimum, np.where(strong, ratio, np.inf), self.count)
        hidden = 0.7 * float(scene.observed.height_sigma.min()) / np.maximum(self.strongest.astype(np.float64), 1e-9)
        low = np.minimum(np.log(np.maximum(hidden, least)), high - 1.0)
        self.step = (high - low) / (AMOUNTS - 1)
        self.amounts = np.exp(low[:, None] + np.arange(AMOUNTS)[:, None] * self.step[:, None])
        self.trial = single(self.amounts)[:, :, self.owner] * self.expected[:, None]
        self.absent_loss = np.zeros(self.amounts.shape)
        for row in range(EXCITATIONS):
            self.absent_loss[row] = self._dark_loss(
                np.arange(len(self.dark_owner)), self.dark_owner, self.amounts[row], row, self.dark_count
            )

    def fits(self, asked: IntArray, others: FloatArray) -> Fits:
        """Best fit of each species asked for (ascending numbers) beside the light of ``others``.

        ``others`` is (peaks,), or (asked, peaks) where each species has others of its own.
        """
        member = np.zeros(len(self.species), dtype=np.bool_)
        member[asked] = True
        site = np.flatnonzero(member[self.owner])
        own = np.repeat(np.arange(len(asked)), self.count[asked])
        seen = others[self.peak[site]] if others.ndim == 1 else others[own, self.peak[site]]
        background = single(self.floor[site] + seen * self.per_unit[site])
        start = np.cumsum(self.count[asked]) - self.count[asked]
        before = self._loss(site, background)
        saved = before - self._loss(site, background + self.trial[:, :, site])
        gain = np.add.reduceat(saved, start, axis=2, dtype=np.float64) - self.absent_loss[:, :, asked] - ROW_NATS
        flat = gain.reshape(EXCITATIONS * AMOUNTS, len(asked))
        best, column = flat.argmax(axis=0), np.arange(len(asked))
        row = best // AMOUNTS
        gain, amount = flat[best, column], self.amounts.reshape(flat.shape[0], -1)[best, asked]
        finer = amount * np.exp(FINER * self.step[row, asked])
        light = background + single(finer)[:, own] * self.expected[row[own], site]
        around = np.add.reduceat(before - self._loss(site, light), start, axis=1, dtype=np.float64)
        dark = np.flatnonzero(member[self.dark_owner])
        dark_own = np.repeat(column, self.dark_count[asked])
        around -= self._dark_loss(dark, dark_own, finer, row[dark_own], self.dark_count[asked])
        around -= ROW_NATS[row, 0, 0]
        closer = around.argmax(axis=0)
        better = around[closer, column] > gain
        return Fits(
            np.maximum(np.where(better, around[closer, column], gain), 0.0),
            np.where(better, finer[closer, column], amount),
            row,
        )

    def _loss(self, site: IntArray, light: Floats) -> Floats:
        """What the light at each site (last axis), in units of what is seen, is off."""
        misfit = np.log(light)
        square = misfit * misfit
        below = misfit < 0.0
        square *= np.where(below, self.under[site], self.over[site])
        square += ONE
        loss: Floats = np.where(below, self.under_scale[site], np.float32(MISSING_SCALE)) * np.log(square)
        return loss

    def _dark_loss(
        self, site: IntArray, own: IntArray, amounts: FloatArray, row: int | IntArray, count: IntArray
    ) -> FloatArray:
        """What is missing in the dark at each amount, (amounts, species)."""
        light = single(amounts)[:, own] * self.dark_expected[row, site]
        light += self.dark_floor[site]
        misfit = np.maximum(np.log(light), np.float32(0.0))
        misfit *= misfit
        misfit *= self.dark_spread[row, site]
        misfit += ONE
        return _segments(np.add, self.dark_scale[row, site] * np.log(misfit), count).astype(np.float64)


def _segments(function: np.ufunc, values: Floats, count: IntArray) -> Floats:
    """Reduce runs of ``count`` values along the last axis; zero for an empty run."""
    result = np.zeros((*values.shape[:-1], len(count)), dtype=values.dtype)
    filled = np.flatnonzero(count)
    if len(filled):
        start = (np.cumsum(count) - count)[filled]
        result[..., filled] = function.reduceat(values, start, axis=-1)
    return result
