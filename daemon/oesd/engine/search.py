"""Greedy search for the elements that a spectrum cannot do without, with refitting (orthogonal matching pursuit).

Pati et al., Asilomar 1993: the suspect that gains most is taken, what it explains counts for nobody else, those it
shares light with are fitted anew, and at the end every claim must still be worth its price beside all others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oesd.engine.claims import Claim, Contest, Fit, Inference, NearMiss
from oesd.engine.evidence import Evidence, Fits
from oesd.engine.lines import IntArray
from oesd.engine.scene import Scene
from oesd.engine.screening import coarse_gains
from oesd.model import FloatArray, MaskArray

SECOND_STAGE_NATS = 1.5
PROBABILITY_NATS = 2.5
SHARED = 0.1
SLACK_NATS = 2.0  # what the coarse gain of a suspect may miss
REGAINED_NATS = 1.0  # what others' light may give back to a suspect that it has taken light from
AT_ONCE = 6
FEW_PEAKS = 2  # a claim on so few may be another's
RIVAL_NATS = 1.0
AMBIGUOUS_BELOW = 0.85
LEAST_SHARE = 0.02  # of the likeliest's: who is less likely is no contender
CLUTTER_NATS = 3.0  # owed where no peak is explained, none where half are: unknown light meets any line by chance
EXPLAINED = 0.3
HOPEFUL_NATS = 0.5
MAX_ELEMENTS = 25
NEAR_MISS_NATS = 3.0  # below its price: what a person would ask about
RIVAL_WITHIN_NATS = 2.0


@dataclass(frozen=True, slots=True)
class Suspect:
    """An element or a band system with its species and what it owes before it is claimed, nats.

    ``ion_price`` is what its ion owes besides.
    """

    name: str
    species: tuple[int, ...]
    price: float
    band: bool
    ion_price: float


@dataclass(slots=True, eq=False)
class _Offer:
    """What a suspect gains beside some light of others, and with which fits."""

    fits: dict[int, Fit]
    gain: float


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0))))


class Search:
    """The state of one search: who is claimed, who still waits, and the light of all claims in every peak."""

    def __init__(self, scene: Scene, suspects: list[Suspect]) -> None:
        self.scene = scene
        self.light = np.zeros(len(scene.observed.height))
        self.claims: dict[Suspect, Claim] = {}
        self.clutter = 0.0  # 0 where half of the peaks are explained, 1 where none is
        coarse = coarse_gains(scene, [k for s in suspects for k in s.species])
        hopeful = coarse > HOPEFUL_NATS
        self.bound = {s: sum(float(coarse[k]) for k in s.species) - s.price + SLACK_NATS for s in suspects}
        self.waiting = [s for s in suspects if self.bound[s] > 0.0 and any(hopeful[k] for k in s.species)]
        self.asked = list(self.waiting)
        self.rivals: dict[Suspect, list[tuple[Suspect, Claim]]] = {}
        asked = np.array(sorted(k for s in self.waiting for k in s.species if hopeful[k]), dtype=np.int64)
        self.evidence = Evidence(scene, asked)
        self.number = {int(k): n for n, k in enumerate(asked)}
        ions = {s.species[-1]: s.ion_price for s in self.waiting}
        self.owed = np.array([ions.get(int(k), 0.0) for k in asked])

    def offers(self, suspects: list[Suspect], others: FloatArray) -> list[_Offer]:
        """Best fits of all species of some suspects beside the others' light; the weaker stage must pay for itself."""
        mine = [[self.number[k] for k in s.species if k in self.number] for s in suspects]
        asked = np.array(sorted(n for numbers in mine for n in numbers), dtype=np.int64)
        fits = self._fits(asked, others)
        place = {int(n): i for i, n in enumerate(asked)}
        offers, seconds = [], []
        for numbers in mine:
            ranked = sorted((place[n] for n in numbers), key=lambda i: -fits.gain[i])
            offers.append(self._offer(asked, fits, ranked[0]))
            if len(ranked) > 1 and fits.gain[ranked[1]] > SECOND_STAGE_NATS:
                seconds.append((int(asked[ranked[1]]), offers[-1]))
        self._add_seconds(seconds, others)
        return offers

    def _fits(self, asked: IntArray, others: FloatArray) -> Fits:
        """Best fits of these species; an ion that takes much energy to shine owes for it."""
        fits = self.evidence.fits(asked, others)
        return replace(fits, gain=np.maximum(fits.gain - self.owed[asked], 0.0))

    def _offer(self, asked: IntArray, fits: Fits, i: int) -> _Offer:
        species = int(self.evidence.species[asked[i]])
        fit = Fit(float(fits.gain[i]), float(fits.amount[i]), int(fits.excitation[i]))
        return _Offer({species: fit}, fit.gain)

    def _add_seconds(self, seconds: list[tuple[int, _Offer]], others: FloatArray) -> None:
        """Ask the weaker stages beside the light of the stronger ones."""
        if not seconds:
            return
        seconds.sort(key=lambda pair: pair[0])
        asked = np.array([n for n, _ in seconds], dtype=np.int64)
        fits = self._fits(asked, np.stack([others + self._light(offer.fits) for _, offer in seconds]))
        for i, (_, offer) in enumerate(seconds):
            if fits.gain[i] > SECOND_STAGE_NATS:
                second = self._offer(asked, fits, i)
                offer.fits |= second.fits
                offer.gain += second.gain - SECOND_STAGE_NATS

    def _light(self, fits: dict[int, Fit]) -> FloatArray:
        """Light of these fits in every peak."""
        light = np.zeros(len(self.light))
        for species, fit in fits.items():
            light += fit.amount * self.scene.into_peaks[fit.excitation, species]
        return light

    def grow(self) -> None:
        """Take the best suspect until none is worth its price."""
        while self.waiting and len(self.claims) < MAX_ELEMENTS:
            best = self._best()
            if best is None:
                return
            self._take(*best)

    def _best(self) -> tuple[Suspect, _Offer] | None:
        """Best suspect beside the present light; asked in order of what they could gain before, a few at a time."""
        ranked = sorted(self.waiting, key=self.bound.__getitem__, reverse=True)
        best, top = None, 0.0
        for first in range(0, len(ranked), AT_ONCE):
            some = [s for s in ranked[first : first + AT_ONCE] if self.bound[s] > top]
            if not some:
                break
            for suspect, offer in zip(some, self.offers(some, self.light), strict=True):
                margin = offer.gain - suspect.price
                self.bound[suspect] = margin + REGAINED_NATS
                if margin > top:
                    best, top = (suspect, offer), margin
        self.waiting = [s for s in self.waiting if self.bound[s] > 0.0]
        return best

    def _take(self, suspect: Suspect, offer: _Offer) -> None:
        self.waiting.remove(suspect)
        self.claims[suspect] = self._claim(offer)
        self.light = self.light + self.claims[suspect].light
        self._refit_sharers(suspect, self.claims[suspect].light)

    def _unexplained(self) -> float:
        """Share of the peaks of which no claim explains even a part."""
        height = self.scene.observed.height
        return float(np.mean(self.light < EXPLAINED * height)) if len(height) else 0.0

    def _bright(self, light: FloatArray) -> MaskArray:
        return light > SHARED * self.scene.observed.height

    def _refit_sharers(self, suspect: Suspect, light: FloatArray) -> None:
        """Fit those anew that have light in the peaks of the one that came or went."""
        touched = self._bright(light)
        for other in list(self.claims):
            if other is not suspect and bool(self._bright(self.claims[other].light)[touched].any()):
                self._refit(other)

    def _refit(self, suspect: Suspect) -> None:
        others = np.maximum(self.light - self.claims[suspect].light, 0.0)
        offer = self.offers([suspect], others)[0]
        self.claims[suspect] = self._claim(offer)
        self.light = others + self.claims[suspect].light

    def prune(self) -> None:
        """Drop, worst first, every claim that is not worth its price beside all the others."""
        for suspect in list(self.claims):
            self._refit(suspect)
        while self.claims:
            self.clutter = max(0.0, 2.0 * self._unexplained() - 1.0)
            worst = min(self.claims, key=lambda s: self._margin(s, self.claims[s].gain))
            if self._margin(worst, self.claims[worst].gain) >= 0.0:
                return
            gone = self.claims.pop(worst)
            self.light = np.maximum(self.light - gone.light, 0.0)
            self._refit_sharers(worst, gone.light)

    def _margin(self, suspect: Suspect, gain: float) -> float:
        """What a suspect gains beyond its price, in light as unknown as this, nats."""
        return gain - suspect.price - CLUTTER_NATS * self.clutter

    def weigh_rivals(self) -> None:
        """For claims that rest on a line or two: how well other suspects would do in their place."""
        for suspect, claim in self.claims.items():
            if not suspect.band and int(self._bright(claim.light).sum()) <= FEW_PEAKS:
                self.rivals[suspect] = self._in_place_of(claim)

    def _in_place_of(self, claim: Claim) -> list[tuple[Suspect, Claim]]:
        """What unclaimed suspects would be in place of a claim, best margin first; the hopeless left out."""
        rivals = [s for s in self.asked if s not in self.claims and not s.band]
        offers = self.offers(rivals, np.maximum(self.light - claim.light, 0.0)) if rivals else []
        worth = [
            (s, self._claim(o))
            for s, o in zip(rivals, offers, strict=True)
            if o.gain > max(s.price - NEAR_MISS_NATS, 0.0)
        ]
        return sorted(worth, key=lambda pair: (pair[0].price - pair[1].gain, pair[0].name))

    def _claim(self, offer: _Offer) -> Claim:
        return Claim(offer.fits, self._light(offer.fits), offer.gain)

    def result(self) -> Inference:
        """Claims with probabilities: logistic in the margin."""
        hope = {s.name: bound for s, bound in self.bound.items() if s not in self.claims}
        found = Inference(light=self.light, hope=hope)
        for suspect, claim in self.claims.items():
            margin = self._margin(suspect, claim.gain)
            probability = _logistic(margin / PROBABILITY_NATS)
            rivals = self.rivals.get(suspect, [])
            best = max((other.gain - s.price for s, other in rivals if other.gain > s.price), default=-np.inf)
            sole = _logistic((claim.gain - suspect.price - best) / RIVAL_NATS)
            if suspect.band:
                found.bands[suspect.name] = claim
                found.band_probability[suspect.name] = probability
            elif sole < AMBIGUOUS_BELOW:
                found.contests.append(_contest([(suspect, claim), *rivals], probability))
            else:
                found.claims[suspect.name] = claim
                found.probability[suspect.name] = min(probability, sole)
                found.margin[suspect.name] = margin
        return found

    def explain(self, found: Inference) -> None:
        """Add who nearly was claimed, and who would do nearly as well in a claim's place."""
        by_name = {suspect.name: suspect for suspect in self.claims}
        for name, claim in found.claims.items():
            within = claim.gain - by_name[name].price - RIVAL_WITHIN_NATS
            rivals = self._in_place_of(claim)
            found.rivals[name] = tuple(s.name for s, other in rivals if other.gain - s.price > within)
        others = [s for s in self.asked if s not in self.claims and not s.band]
        for suspect, offer in zip(others, self.offers(others, self.light) if others else [], strict=True):
            margin = self._margin(suspect, offer.gain)
            if margin > -NEAR_MISS_NATS:
                found.near_misses[suspect.name] = NearMiss(self._claim(offer), margin)


def _contest(contenders: list[tuple[Suspect, Claim]], probability: float) -> Contest:
    """Shares by margin; that of all together is the probability that one of them is there."""
    margin = np.array([claim.gain - suspect.price for suspect, claim in contenders]) / RIVAL_NATS
    share = np.exp(margin - margin.max())
    share /= share.sum()
    kept = [n for n in np.argsort(-share, kind="stable").tolist() if share[n] >= LEAST_SHARE * share.max()]
    return Contest(
        {contenders[n][0].name: contenders[n][1] for n in kept},
        {contenders[n][0].name: float(share[n]) * probability for n in kept},
    )
