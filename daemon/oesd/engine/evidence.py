"""What one species gains at a given amount, beside what all others explain: the loss of everything it does not match.

At each site the light expected (others + this) is held against the light seen, ``u = ln(expected / seen)``, softened
by the noise, with a long-tailed loss: line strengths are known within ``STRENGTH_SPREAD`` only, and no single
coincidence decides. u > 0 is light nobody explains, u < 0 light that should be there and is not; a saturated peak
cannot be too low. Where nothing shines only light that should be there counts, and there it does not matter what
others shine: what is missing at every amount is worked out once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from oesd.engine.absences import Absences
from oesd.engine.lines import IntArray
from oesd.engine.losses import peak_loss
from oesd.engine.patterns import Float32Array, single
from oesd.engine.scene import Scene
from oesd.engine.strengths import EXCITATIONS, LAMP
from oesd.model import FloatArray

AMOUNTS = 6
FINER = 4  # steps between two amounts
MARGIN = 2  # finer steps beyond the first and the last amount
AROUND = MARGIN + np.array([[-2], [-1], [0], [1], [2]])  # finer steps looked at around the best amount
FINE = (np.arange(FINER * (AMOUNTS - 1) + 2 * MARGIN + 1) - MARGIN) / FINER
THICK_NATS = 1.0
LEAST_LIGHT = np.float32(1e-9)  # of a unit amount
ROW_NATS = np.where(np.arange(EXCITATIONS) > LAMP, THICK_NATS, 0.0).astype(np.float32)
TRIED = slice(MARGIN, len(FINE) - MARGIN, FINER)  # the amounts among the finer steps


def _between() -> Float32Array:
    """Cubic interpolation (Catmull and Rom 1974) from the amounts to the finer steps, (finer, amounts)."""
    unit = np.eye(AMOUNTS)
    padded = np.concatenate([2.0 * unit[:1] - unit[1:2], unit, 2.0 * unit[-1:] - unit[-2:-1]])
    left = np.clip(np.floor(FINE).astype(np.int64), 0, AMOUNTS - 2)
    t = (FINE - left)[:, None]
    a, b, c, d = (padded[left + i] for i in range(4))
    inside = b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
    beyond = (t < 0.0) | (t > 1.0)
    between: Float32Array = np.where(beyond, b + t * (c - b), inside).astype(np.float32)
    return between


BETWEEN = _between()


@dataclass(frozen=True, slots=True, eq=False)
class Fits:
    """Best amount and excitation of each species asked for, and what they gain, nats; arrays (asked,)."""

    gain: FloatArray
    amount: FloatArray
    excitation: IntArray

    def joined(self, others: Fits) -> Fits:
        """These and others."""
        return Fits(
            np.concatenate([self.gain, others.gain]),
            np.concatenate([self.amount, others.amount]),
            np.concatenate([self.excitation, others.excitation]),
        )


def amount_range(
    scene: Scene,
    light: Float32Array,
    log_height: Float32Array,
    strongest: Float32Array,
    start: IntArray,
    count: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Logarithms of the least and the most amount worth trying, (rows, species).

    From "hidden in the noise" to "alone makes the strongest peak".

    Parameters
    ----------
    light : (rows, sites) float32
        Light of a unit amount at sites in peaks of this height; runs of ``count`` from ``start`` on are one species'.
    strongest : (rows, species) float32
        The most that it shows anywhere.
    """
    light = np.maximum(light, LEAST_LIGHT)
    top = np.maximum.reduceat(light, start, axis=1)
    top *= np.float32(0.03)
    faint = (light < top.repeat(count, axis=1)) * np.float32(1e6)
    ratio = log_height - np.log(light, out=light)
    high = np.maximum.reduceat(ratio - faint, start, axis=1).astype(np.float64)
    high += log(2.0)
    ratio += faint
    least = np.minimum.reduceat(ratio, start, axis=1) + log(0.1)
    hidden = log(0.7 * float(scene.observed.height_sigma.min())) - np.log(np.maximum(strongest, LEAST_LIGHT))
    return np.minimum(np.maximum(hidden, least), high - 1.0), high


class Evidence:
    """The sites of some species of a scene, end to end, and what they miss in the dark at every amount.

    Parameters
    ----------
    scene : Scene
    species : (count,) int64
        Ascending; each has light in some peak. They are asked for by their number in this list.
    """

    def __init__(self, scene: Scene, species: IntArray) -> None:
        sites = scene.sites
        self.species = species
        count = sites.first[species + 1] - sites.first[species]
        self.first = np.zeros(len(species) + 1, dtype=np.int64)
        count.cumsum(out=self.first[1:])
        self.owner = np.arange(len(species)).repeat(count)
        site = np.arange(int(self.first[-1]))
        site += (sites.first[species] - self.first[:-1]).repeat(count)
        self.peak, self.expected = sites.peak.take(site), sites.expected.take(site, axis=1)
        self.floor, self.per_unit = sites.floor.take(site), sites.per_unit.take(site)
        self.costs = sites.costs.take(site, axis=1)
        if len(species):
            self._lay_out_amounts(scene, sites.light.take(site, axis=1), sites.log_height.take(site), count)

    def _lay_out_amounts(self, scene: Scene, light: Float32Array, log_height: Float32Array, count: IntArray) -> None:
        dark = Absences(scene, self.species)
        strongest = np.maximum(np.maximum.reduceat(light, self.first[:-1], axis=1), dark.strongest())
        low, high = amount_range(scene, light, log_height, strongest, self.first[:-1], count)
        steps = (high - low) / (AMOUNTS - 1)
        self.amounts = np.exp(low[:, None] + FINE[:, None] * steps[:, None])
        tried = single(self.amounts[:, TRIED])
        self.trial = np.zeros((1 + EXCITATIONS * AMOUNTS, len(self.peak)), np.float32)  # the first is no light at all
        trial = self.trial[1:].reshape(EXCITATIONS, AMOUNTS, -1)
        np.multiply(tried.repeat(count, axis=2), self.expected[:, None], out=trial)
        absent = np.expm1(BETWEEN @ np.log1p(dark.losses(tried, strongest)))  # losses grow by powers of the amount
        self.absent = np.maximum(absent, np.float32(0.0), out=absent)
        self.absent += ROW_NATS[:, None, None]
        self.absent_tried = self.absent[:, TRIED].reshape(EXCITATIONS * AMOUNTS, -1)

    def among(self, kept: IntArray) -> Evidence:
        """The same of some of the species, by their numbers here, ascending."""
        part = Evidence.__new__(Evidence)
        count = (self.first[1:] - self.first[:-1])[kept]
        part.species = self.species[kept]
        part.first = np.zeros(len(kept) + 1, dtype=np.int64)
        count.cumsum(out=part.first[1:])
        part.owner = np.arange(len(kept)).repeat(count)
        site = np.arange(int(part.first[-1]))
        site += (self.first[kept] - part.first[:-1]).repeat(count)
        for name in ("peak", "floor", "per_unit", "costs", "expected", "trial"):
            setattr(part, name, getattr(self, name).take(site, axis=-1))
        for name in ("amounts", "absent", "absent_tried"):
            setattr(part, name, getattr(self, name).take(kept, axis=-1))
        return part

    def joined(self, others: Evidence) -> Evidence:
        """These species and others."""
        both = Evidence.__new__(Evidence)
        both.species = np.concatenate([self.species, others.species])
        both.first = np.concatenate([self.first, others.first[1:] + self.first[-1]])
        both.owner = np.concatenate([self.owner, others.owner + len(self.species)])
        both.peak = np.concatenate([self.peak, others.peak])
        for name in ("floor", "per_unit", "costs", "expected", "trial", "amounts", "absent", "absent_tried"):
            setattr(both, name, np.concatenate([getattr(self, name), getattr(others, name)], axis=-1))
        return both

    def fits(self, first: int, last: int, others: FloatArray) -> Fits:
        """Best fit of each of the species ``first:last`` beside the light of others, (peaks,)."""
        site = slice(int(self.first[first]), int(self.first[last]))
        start, column = self.first[first:last] - site.start, np.arange(first, last)
        costs, expected = self.costs[:, site], self.expected[:, site]
        background = single(others).take(self.peak[site])
        background *= self.per_unit[site]
        background += self.floor[site]
        losses = peak_loss(self.trial[:, site] + background, costs)  # the first is that of no light
        before = losses[0]
        cost = np.add.reduceat(losses[1:] - before, start, axis=1)
        cost += self.absent_tried[:, first:last]
        row, step = np.divmod(cost.argmin(axis=0), AMOUNTS)
        at = row, FINER * step + AROUND, column
        amount, owner = self.amounts[at], self.owner[site] - first
        light = single(amount).take(owner, axis=1)
        light *= expected[row.take(owner), np.arange(len(owner))]
        light += background
        around = np.add.reduceat(before - peak_loss(light, costs), start, axis=1)
        around -= self.absent[at]
        best = around.argmax(axis=0), column - first
        return Fits(around[best].astype(np.float64), amount[best], row)
