"""Greedy search for the elements that a spectrum cannot do without, with refitting (orthogonal matching pursuit).

Pati et al., Asilomar 1993: the suspect that gains most is taken, what it explains counts for nobody else, those it
shares light with are fitted anew, and at the end every claim must still be worth its price beside all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from oesd.engine.claims import Claim, Contest, Fit, Inference, NearMiss
from oesd.engine.evidence import Evidence, Fits
from oesd.engine.lines import IntArray
from oesd.engine.scene import Scene
from oesd.engine.suspects import Suspects
from oesd.model import FloatArray, MaskArray

SECOND_STAGE_NATS = 1.5
PROBABILITY_NATS = 2.5
SHARED = 0.1
REGAINED_NATS = 1.0  # what others' light may give back to a suspect that it has taken light from
FEW_PEAKS = 2  # a claim on so few may be another's
RIVAL_NATS = 1.0
AMBIGUOUS_BELOW = 0.85
LEAST_SHARE = 0.02  # of the likeliest's: who is less likely is no contender
CLUTTER_NATS = 3.0  # owed where no peak is explained, none where half are: unknown light meets any line by chance
EXPLAINED = 0.3
MAX_ELEMENTS = 25
NEAR_MISS_NATS = 3.0  # below its price: what a person would ask about
RIVAL_WITHIN_NATS = 2.0
MOVED = 0.05  # of a peak: light that changes less changes no other's fit


@dataclass(slots=True, eq=False)
class _Offer:
    """What a suspect gains beside some light of others, and with which fits."""

    fits: dict[int, Fit]
    gain: float


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + exp(-min(max(x, -60.0), 60.0)))


class Search:
    """The state of one search: who is claimed, who still waits, and the light of all claims in every peak.

    Suspects are asked for by their numbers.

    Parameters
    ----------
    scene, suspects
    species : (asked,) int64
        Those of the suspects that are worth asking, ascending; each has light in some peak.
    hope : (suspects,) float64
        The margin that each may have, nats.
    """

    def __init__(self, scene: Scene, suspects: Suspects, species: IntArray, hope: FloatArray) -> None:
        self.scene, self.suspects = scene, suspects
        self.light = np.zeros(len(scene.observed.height))
        self.claims: dict[int, Claim] = {}
        self.stale: set[int] = set()  # claims whose neighbours have changed since they were fitted
        self.clutter = 0.0  # 0 where half of the peaks are explained, 1 where none is
        self.evidence = Evidence(scene, species)
        self.owed = suspects.owed[species]
        of = suspects.of[species]
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        self.asked = of[starts]
        ends = np.append(starts, len(of))[1:]
        self.weak, self.start = ends - starts > 1, starts
        self.range = {n: (a, b) for n, a, b in zip(self.asked.tolist(), starts.tolist(), ends.tolist(), strict=True)}
        self.hope = hope
        self.rivals: dict[int, list[tuple[int, Claim]]] = {}

    def _fits(self, first: int, last: int, others: FloatArray) -> Fits:
        """Best fits of species by their numbers; an ion that takes much energy to shine owes for it."""
        fits = self.evidence.fits(first, last, others)
        return Fits(np.maximum(fits.gain - self.owed[first:last], 0.0), fits.amount, fits.excitation)

    def _margins(self, others: FloatArray) -> tuple[Fits, FloatArray]:
        """Fits of all species beside the others' light, and the margin that each asked suspect has at most, nats."""
        fits = self._fits(0, len(self.evidence.species), others)
        one = fits.gain[self.start]
        other = np.where(self.weak, fits.gain[np.minimum(self.start + 1, len(fits.gain) - 1)], 0.0)
        gain = np.maximum(one, other) + np.maximum(np.minimum(one, other) - SECOND_STAGE_NATS, 0.0)
        return fits, gain - self.suspects.price[self.asked]

    def _offer(self, suspect: int, fits: Fits, base: int, others: FloatArray) -> _Offer:
        """What a suspect offers, its species' fits beside the others' light being those from ``base`` on.

        The weaker stage is fitted beside the stronger one and must pay for itself.
        """
        first, last = self.range[suspect]
        strong = first if last - first == 1 or fits.gain[first - base] >= fits.gain[first + 1 - base] else first + 1
        offer = self._single(fits, strong - base, strong)
        weak = 2 * first + 1 - strong
        if last - first > 1 and fits.gain[weak - base] > SECOND_STAGE_NATS:
            second = self._fits(weak, weak + 1, others + self._light(offer.fits))
            if second.gain[0] > SECOND_STAGE_NATS:
                more = self._single(second, 0, weak)
                return _Offer(offer.fits | more.fits, offer.gain + more.gain - SECOND_STAGE_NATS)
        return offer

    def _single(self, fits: Fits, place: int, number: int) -> _Offer:
        fit = Fit(float(fits.gain[place]), float(fits.amount[place]), int(fits.excitation[place]))
        return _Offer({int(self.evidence.species[number]): fit}, fit.gain)

    def _light(self, fits: dict[int, Fit]) -> FloatArray:
        """Light of these fits in every peak."""
        light = np.zeros(len(self.light))
        for species, fit in fits.items():
            light += fit.amount * self.scene.light(species, fit.excitation)
        return light

    def grow(self) -> None:
        """Take the best suspect until none is worth its price."""
        waiting = ~np.isin(self.asked, list(self.claims))
        while waiting.any() and len(self.claims) < MAX_ELEMENTS:
            fits, margin = self._margins(self.light)
            self.hope[self.asked[waiting]] = margin[waiting] + REGAINED_NATS
            waiting &= margin + REGAINED_NATS > 0.0
            best = self._best(fits, np.where(waiting, margin, -np.inf))
            if best is None:
                return
            waiting[int(np.searchsorted(self.asked, best[0]))] = False
            self._take(*best)

    def _best(self, fits: Fits, most: FloatArray) -> tuple[int, _Offer] | None:
        """Best suspect beside the present light, of those that may be worth their price; margins are upper bounds."""
        best, top = None, 0.0
        for place in np.argsort(-most, kind="stable").tolist():
            if most[place] <= top:
                break
            suspect = int(self.asked[place])
            offer = self._offer(suspect, fits, 0, self.light)
            margin = offer.gain - float(self.suspects.price[suspect])
            self.hope[suspect] = margin + REGAINED_NATS
            if margin > top:
                best, top = (suspect, offer), margin
        return best

    def adopt(self, earlier: Inference) -> None:
        """Begin with what was found when the axis was hardly different."""
        number = {name: n for n, name in enumerate(self.suspects.names)}
        for name, claim in (earlier.claims | earlier.bands).items():
            if number.get(name) in self.range:
                self.claims[number[name]] = Claim(claim.fits, self._light(claim.fits), claim.gain)
        self.light = sum((claim.light for claim in self.claims.values()), self.light)
        for suspect in self.claims:
            self._refit(suspect)

    def _take(self, suspect: int, offer: _Offer) -> None:
        self.claims[suspect] = self._claim(offer)
        self.light = self.light + self.claims[suspect].light
        self._refit_sharers(suspect, self.claims[suspect].light)

    def _unexplained(self) -> float:
        """Share of the peaks of which no claim explains even a part."""
        height = self.scene.observed.height
        return float(np.mean(self.light < EXPLAINED * height)) if len(height) else 0.0

    def _bright(self, light: FloatArray) -> MaskArray:
        return light > SHARED * self.scene.observed.height

    def _disturb(self, suspect: int, change: FloatArray) -> list[int]:
        """Claims with light in the peaks where that of a suspect has changed: they are to be fitted anew."""
        if len(self.claims) < 2 and suspect in self.claims:
            return []
        height, asked = self.scene.observed.height, list(self.claims)
        moved = np.abs(change) > MOVED * height
        lights = np.stack([self.claims[n].light for n in asked]) if asked else np.zeros((0, len(height)))
        touched = np.asarray(((lights > SHARED * height) & moved).any(axis=1)).tolist()
        sharers = [n for n, touch in zip(asked, touched, strict=True) if touch and n != suspect]
        self.stale.update(sharers)
        return sharers

    def _refit_sharers(self, suspect: int, change: FloatArray) -> None:
        """Fit those anew that have light in the peaks of the one that came or went."""
        for other in self._disturb(suspect, change):
            self._refit(other)

    def _refit(self, suspect: int) -> None:
        self.stale.discard(suspect)
        before = self.claims[suspect].light
        others = np.maximum(self.light - before, 0.0)
        first, last = self.range[suspect]
        offer = self._offer(suspect, self._fits(first, last, others), first, others)
        self.claims[suspect] = self._claim(offer)
        self.light = others + self.claims[suspect].light
        self._disturb(suspect, self.claims[suspect].light - before)

    def prune(self) -> None:
        """Drop, worst first, every claim that is not worth its price beside all the others."""
        for suspect in list(self.claims):
            if suspect in self.stale:
                self._refit(suspect)
        while self.claims:
            self.clutter = max(0.0, 2.0 * self._unexplained() - 1.0)
            worst = min(self.claims, key=lambda s: self._margin(s, self.claims[s].gain))
            if self._margin(worst, self.claims[worst].gain) >= 0.0:
                return
            gone = self.claims.pop(worst)
            self.stale.discard(worst)
            self.light = np.maximum(self.light - gone.light, 0.0)
            self._refit_sharers(worst, gone.light)

    def _margin(self, suspect: int, gain: float) -> float:
        """What a suspect gains beyond its price, in light as unknown as this, nats."""
        return gain - float(self.suspects.price[suspect]) - CLUTTER_NATS * self.clutter

    def weigh_rivals(self) -> None:
        """For claims that rest on a line or two: how well other suspects would do in their place."""
        for suspect, claim in self.claims.items():
            if not self.suspects.band[suspect] and int(self._bright(claim.light).sum()) <= FEW_PEAKS:
                self.rivals[suspect] = self._in_place_of(claim)

    def _in_place_of(self, claim: Claim) -> list[tuple[int, Claim]]:
        """What unclaimed suspects would be in place of a claim, best margin first; the hopeless left out."""
        worth = self._unclaimed(np.maximum(self.light - claim.light, 0.0), NEAR_MISS_NATS)
        return sorted(worth, key=lambda pair: (-self._worth(*pair), self.suspects.names[pair[0]]))

    def _unclaimed(self, others: FloatArray, within: float) -> list[tuple[int, Claim]]:
        """Unclaimed elements that come within some nats of their price beside the others' light."""
        if not len(self.asked):
            return []
        fits, margin = self._margins(others)
        near = self.asked[(margin > -within) & ~self.suspects.band[self.asked]].tolist()
        offers = [(s, self._offer(s, fits, 0, others)) for s in near if s not in self.claims]
        price = self.suspects.price
        return [(s, self._claim(o)) for s, o in offers if o.gain > max(float(price[s]) - within, 0.0)]

    def _worth(self, suspect: int, claim: Claim) -> float:
        return claim.gain - float(self.suspects.price[suspect])

    def _claim(self, offer: _Offer) -> Claim:
        return Claim(offer.fits, self._light(offer.fits), offer.gain)

    def result(self) -> Inference:
        """Claims with probabilities: logistic in the margin."""
        names = self.suspects.names
        hope = {
            name: h for n, (name, h) in enumerate(zip(names, self.hope.tolist(), strict=True)) if n not in self.claims
        }
        found = Inference(light=self.light, hope=hope, asked=frozenset(names[n] for n in self.asked.tolist()))
        for suspect, claim in self.claims.items():
            margin = self._margin(suspect, claim.gain)
            probability = _logistic(margin / PROBABILITY_NATS)
            rivals = self.rivals.get(suspect, [])
            best = max((w for w in (self._worth(*pair) for pair in rivals) if w > 0.0), default=-np.inf)
            sole = _logistic((self._worth(suspect, claim) - best) / RIVAL_NATS)
            name = names[suspect]
            if self.suspects.band[suspect]:
                found.bands[name] = claim
                found.band_probability[name] = probability
            elif sole < AMBIGUOUS_BELOW:
                found.contests.append(self._contest([(suspect, claim), *rivals], probability))
            else:
                found.claims[name] = claim
                found.probability[name] = min(probability, sole)
                found.margin[name] = margin
        return found

    def _contest(self, contenders: list[tuple[int, Claim]], probability: float) -> Contest:
        """Shares by margin; that of all together is the probability that one of them is there."""
        margin = np.array([self._worth(*pair) for pair in contenders]) / RIVAL_NATS
        share = np.exp(margin - margin.max())
        share /= share.sum()
        kept = [n for n in np.argsort(-share, kind="stable").tolist() if share[n] >= LEAST_SHARE * share.max()]
        names = [self.suspects.names[suspect] for suspect, _ in contenders]
        return Contest(
            {names[n]: contenders[n][1] for n in kept}, {names[n]: float(share[n]) * probability for n in kept}
        )

    def explain(self, found: Inference) -> None:
        """Add who nearly was claimed, and who would do nearly as well in a claim's place."""
        number = {self.suspects.names[n]: n for n in self.claims}
        for name, claim in found.claims.items():
            within = self._worth(number[name], claim) - RIVAL_WITHIN_NATS
            rivals = self._in_place_of(claim)
            found.rivals[name] = tuple(self.suspects.names[s] for s, other in rivals if self._worth(s, other) > within)
        for suspect, claim in self._unclaimed(self.light, NEAR_MISS_NATS):
            margin = self._margin(suspect, claim.gain)
            if margin > -NEAR_MISS_NATS:
                found.near_misses[self.suspects.names[suspect]] = NearMiss(claim, margin)
