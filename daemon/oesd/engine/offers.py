"""What suspects would gain beside the light of others: their species' fits, and what both stages offer together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.claims import Fit
from oesd.engine.evidence import Evidence, Fits
from oesd.engine.lines import IntArray
from oesd.engine.scene import Scene, lengths, runs
from oesd.engine.suspects import Suspects
from oesd.model import FloatArray

SECOND_STAGE_NATS = 1.5


@dataclass(slots=True, eq=False)
class Offer:
    """What a suspect gains beside some light of others, and with which fits."""

    fits: dict[int, Fit]
    gain: float


class Offers:
    """Some suspects with the evidence of their species; suspects are asked for by their numbers.

    Parameters
    ----------
    scene, suspects
    evidence : Evidence
        Of those of the suspects' species that are worth asking.

    Attributes
    ----------
    asked : (asked,) int64
        The suspects.
    place : dict
        Where a suspect stands among them.
    """

    def __init__(self, scene: Scene, suspects: Suspects, evidence: Evidence) -> None:
        self.scene, self.suspects, self.evidence = scene, suspects, evidence
        of = suspects.of[evidence.species]
        self._owed = suspects.owed[evidence.species]
        self._first = runs(of)
        self.asked = of[self._first]
        count = lengths(self._first, len(of))
        self._both, self._last = count > 1, self._first + count - 1
        self.price = suspects.price[self.asked]
        self.place = {suspect: place for place, suspect in enumerate(self.asked.tolist())}

    def among(self, kept: IntArray) -> Offers:
        """Those of the suspects that stand in these places, ascending."""
        count = (self._last - self._first + 1)[kept]
        end = count.cumsum()
        species = np.arange(int(count.sum())) + (self._first[kept] - end + count).repeat(count)
        return Offers(self.scene, self.suspects, self.evidence.among(species))

    def joined(self, others: Offers) -> Offers:
        """These suspects and others."""
        return Offers(self.scene, self.suspects, self.evidence.joined(others.evidence))

    def _fits(self, first: int, last: int, others: FloatArray) -> Fits:
        """Best fits of species by their places; an ion that takes much energy to shine owes for it."""
        fits = self.evidence.fits(first, last, others)
        return Fits(np.maximum(fits.gain - self._owed[first:last], 0.0), fits.amount, fits.excitation)

    def margins(self, others: FloatArray) -> tuple[Fits, FloatArray]:
        """Fits of all species beside the others' light, and the margin that each suspect has at most, nats."""
        fits = self._fits(0, len(self.evidence.species), others)
        one = fits.gain[self._first]
        other = self._both * fits.gain[self._last]
        gain = np.maximum(one, other) + np.maximum(np.minimum(one, other) - SECOND_STAGE_NATS, 0.0)
        return fits, gain - self.price

    def alone(self, suspect: int, others: FloatArray) -> Offer:
        """What one suspect offers beside the others' light."""
        place = self.place[suspect]
        first = int(self._first[place])
        return self._offer(place, self._fits(first, int(self._last[place]) + 1, others), first, others)

    def offer(self, place: int, fits: Fits, others: FloatArray) -> Offer:
        """What the suspect in this place offers, all species' fits beside the others' light being known."""
        return self._offer(place, fits, 0, others)

    def _offer(self, place: int, fits: Fits, base: int, others: FloatArray) -> Offer:
        """The weaker stage is fitted beside the stronger one and must pay for itself; ``fits`` begin at ``base``."""
        first, last = int(self._first[place]), int(self._last[place])
        strong = first if first == last or fits.gain[first - base] >= fits.gain[last - base] else last
        offer = self._single(fits, strong - base, strong)
        weak = first + last - strong
        if first < last and fits.gain[weak - base] > SECOND_STAGE_NATS:
            second = self._fits(weak, weak + 1, others + self.light(offer.fits))
            if second.gain[0] > SECOND_STAGE_NATS:
                more = self._single(second, 0, weak)
                return Offer(offer.fits | more.fits, offer.gain + more.gain - SECOND_STAGE_NATS)
        return offer

    def _single(self, fits: Fits, place: int, number: int) -> Offer:
        fit = Fit(float(fits.gain[place]), float(fits.amount[place]), int(fits.excitation[place]))
        return Offer({int(self.evidence.species[number]): fit}, fit.gain)

    def light(self, fits: dict[int, Fit]) -> FloatArray:
        """Light of these fits in every peak."""
        light = np.zeros(len(self.scene.observed.height))
        for species, fit in fits.items():
            light += fit.amount * self.scene.light(species, fit.excitation)
        return light
