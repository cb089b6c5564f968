"""Greedy search for the elements that a spectrum cannot do without, with refitting (orthogonal matching pursuit).

Pati et al., Asilomar 1993: the suspect that gains most is taken, what it explains counts for nobody else, those it
shares light with are fitted anew, and at the end every claim must still be worth its price beside all others.
"""

from __future__ import annotations

from math import log

import numpy as np

from oesd.engine.chance import chance_nats
from oesd.engine.claims import LEAST_SHARE, RIVAL_NATS, Claim, Inference
from oesd.engine.clutter import clutter_nats
from oesd.engine.doubt import Doubt
from oesd.engine.evidence import Evidence, Fits
from oesd.engine.lines import IntArray
from oesd.engine.offers import SECOND_STAGE_NATS, Offer, Offers
from oesd.engine.outside import Outside
from oesd.engine.scene import Scene
from oesd.engine.suspects import Suspects
from oesd.model import FloatArray, MaskArray

SHARED = 0.1
REGAINED_NATS = 1.0  # what others' light may give back to a suspect that it has taken light from
FEW_PEAKS = 2  # a claim on so few may be another's
MAX_ELEMENTS = 25
SURE_NATS = 15.0  # beyond the price: chance does not offer so much
CONTENDED_NATS = -RIVAL_NATS * log(LEAST_SHARE)  # a rival worth less than that is no contender
NEAR_MISS_NATS = 3.0  # below its price: what a person would ask about
MANY = 16  # suspects: putting some of fewer away takes longer than asking them
MOVED = 0.05  # of a peak: light that changes less changes no other's fit


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
    outside : Outside, optional
        Further suspects, who are asked when they may do better than those who are.
    """

    def __init__(
        self, scene: Scene, suspects: Suspects, species: IntArray, hope: FloatArray, outside: Outside | None = None
    ) -> None:
        self.scene, self.suspects = scene, suspects
        self.light = np.zeros(len(scene.observed.height))
        self.claims: dict[int, Claim] = {}
        self.stale: set[int] = set()  # claims whose neighbours have changed since they were fitted
        self.offers = Offers(scene, suspects, Evidence(scene, species))
        self.hope = hope
        self.outside = outside
        self._bounded = self.light  # beside which light those outside were looked at
        self.chance: dict[int, float] = {}  # what a claim's lines gain moved aside, nats
        self.doubt: Doubt | None = None
        self.rivals: dict[int, list[tuple[int, Claim]]] = {}
        self._unknown: tuple[FloatArray, dict[Claim, float]] = self.light, {}  # what claims owe beside this light

    def grow(self) -> None:
        """Take the best suspect until none is worth its price."""
        asked = self.offers
        while asked.place and len(self.claims) < MAX_ELEMENTS:
            fits, margin = asked.margins(self.light)
            best = self._best(asked, fits, margin)
            while self._hope_outside(above := 0.0 if best is None else self._price_left(*best)):
                more = self._let_in(self.hope, above)
                if more is None:
                    break
                more_fits, more_margin = more.margins(self.light)
                asked, fits, margin = asked.joined(more), fits.joined(more_fits), np.append(margin, more_margin)
                best = self._best(asked, fits, margin)
            if best is None:
                return
            self._take(*best)
            margin[asked.place[best[0]]] = -np.inf
            left = (margin > -REGAINED_NATS).nonzero()[0]
            if not len(left) and not self._hope_outside(0.0):
                return
            if MANY < len(margin) > 2 * len(left) > 0:
                asked = asked.among(left)

    def _price_left(self, suspect: int, offer: Offer) -> float:
        return offer.gain - float(self.suspects.price[suspect])

    def _hope_outside(self, above: float) -> bool:
        """Whether anyone outside may have a margin above this one beside the present light.

        What he might gain beside less light is hardly less: while somebody is worth more than that nobody outside is
        looked at again, but before the end all are.
        """
        if self.outside is None or not self.outside.waiting.any():
            return False
        waiting = self.outside.waiting
        if above > 0.0 and not (self.hope[waiting] > above).any():
            return False
        if self._bounded is not self.light:
            self._bounded = self.light
            self.hope[waiting] = self._bounds(self.light)[waiting]
        return bool((self.hope[waiting] > above).any())

    def _bounds(self, others: FloatArray) -> FloatArray:
        """The margin that each of those outside has at most beside the others' light, nats."""
        if self.outside is None or not self.outside.waiting.any():
            return self.hope
        return self.outside.bounds(others)

    def _let_in(self, bounds: FloatArray, above: float, alike: bool = True) -> Offers | None:
        """Ask those outside whose margin may be above this one; ``alike``: the best and those about as good."""
        if self.outside is None:
            return None
        species = self.outside.let_in(bounds, above, alike)
        if not len(species):
            return None
        more = Offers(self.scene, self.suspects, Evidence(self.scene, species))
        self.offers = self.offers.joined(more)
        return more

    def _best(self, asked: Offers, fits: Fits, margin: FloatArray) -> tuple[int, Offer] | None:
        """Best suspect beside the present light, of those that may be worth their price; margins are upper bounds."""
        margin[[asked.place[suspect] for suspect in self.claims if suspect in asked.place]] = -np.inf
        self.hope[asked.asked] = margin + REGAINED_NATS
        best, top = None, 0.0
        for place in (-margin).argsort(kind="stable").tolist():
            if margin[place] <= top:
                break
            suspect, offer = int(asked.asked[place]), asked.offer(place, fits, self.light)
            worth = offer.gain - float(asked.price[place])
            self.hope[suspect] = worth + REGAINED_NATS
            if worth > top:
                best, top = (suspect, offer), worth
        return best

    def adopt(self, earlier: Inference) -> None:
        """Begin with what was found when the axis was hardly different."""
        number = {name: n for n, name in enumerate(self.suspects.names)}
        for name, claim in (earlier.claims | earlier.bands).items():
            if number.get(name) in self.offers.place:
                self.claims[number[name]] = Claim(claim.fits, self.offers.light(claim.fits), claim.gain)
        self.light = sum((claim.light for claim in self.claims.values()), self.light)
        for suspect in self.claims:
            self._refit(suspect)

    def _take(self, suspect: int, offer: Offer) -> None:
        self.claims[suspect] = self._claim(offer)
        self.light = self.light + self.claims[suspect].light
        self._refit_sharers(suspect, self.claims[suspect].light)

    def _bright(self, light: FloatArray) -> MaskArray:
        return light > SHARED * self.scene.observed.height

    def _disturb(self, suspect: int, change: FloatArray) -> list[int]:
        """Claims with light in the peaks where that of a suspect has changed: they are to be fitted anew."""
        if len(self.claims) < 2 and suspect in self.claims:
            return []
        height, asked = self.scene.observed.height, list(self.claims)
        moved = np.abs(change) > MOVED * height
        lights = np.array([self.claims[n].light for n in asked]).reshape(-1, len(height))
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
        self.claims[suspect] = self._claim(self.offers.alone(suspect, others))
        self.light = others + self.claims[suspect].light
        self._disturb(suspect, self.claims[suspect].light - before)

    def prune(self) -> None:
        """Drop, worst first, every claim that is not worth its price beside all the others."""
        for suspect in list(self.claims):
            if suspect in self.stale:
                self._refit(suspect)
        while self.claims:
            margin = {s: self.margin(s, claim) for s, claim in self.claims.items()}
            worst = min(margin, key=lambda s: margin[s])
            if margin[worst] >= 0.0:
                return
            gone = self.claims.pop(worst)
            self.stale.discard(worst)
            self.light = np.maximum(self.light - gone.light, 0.0)
            self._refit_sharers(worst, gone.light)

    def margin(self, suspect: int, claim: Claim) -> float:
        """What a suspect gains beyond its price, in light as unknown as this, nats."""
        owed = self._unknown_nats(claim) + self.chance.get(suspect, 0.0) + self._doubt_nats(suspect, claim)
        return claim.gain - float(self.suspects.price[suspect]) - owed

    def _doubt_nats(self, suspect: int, claim: Claim) -> float:
        if self.doubt is None or self.suspects.band[suspect]:
            return 0.0
        owed = self.doubt.nats(self.suspects.names[suspect], claim.light)
        return owed - self.doubt.agreement(self.scene, claim) if owed else 0.0

    def _unknown_nats(self, claim: Claim) -> float:
        if self._unknown[0] is not self.light:
            self._unknown = self.light, {}
        known = self._unknown[1]
        if claim not in known:
            bands = [other.light for s, other in self.claims.items() if self.suspects.band[s]]
            known[claim] = clutter_nats(self.scene.observed.height, claim.light, self.light, bands)
        return known[claim]

    def weigh_chance(self, doubt: Doubt | None = None) -> None:
        """Let those that are hardly worth their price pay for what their lines would gain anywhere near.

        Where the axis is doubted all do, and owe for the doubt besides.
        """
        atoms = [s for s in self.claims if not self.suspects.band[s]]
        doubtful = [s for s in atoms if doubt is not None or self.margin(s, self.claims[s]) < SURE_NATS]
        if doubtful:
            claims = [self.claims[s] for s in doubtful]
            levels = chance_nats(self.scene, claims, self.light, self.suspects.owed, SECOND_STAGE_NATS)
            self.chance = dict(zip(doubtful, levels.tolist(), strict=True))
        self.doubt = doubt
        if doubt is not None:
            doubt.undecided.update([self.suspects.names[s] for s in atoms if self._nothing_decides(s)])

    def _nothing_decides(self, suspect: int) -> bool:
        """Whether a claim is worth its price but for the doubt, on a peak or two that others might be."""
        claim = self.claims[suspect]
        margin = self.margin(suspect, claim)
        if int(self._bright(claim.light).sum()) > FEW_PEAKS or margin >= 0.0:
            return False
        almost = margin + self._doubt_nats(suspect, claim) >= 0.0
        return almost and any(self.worth(*rival) > 0.0 for rival in self.in_place_of(claim))

    def weigh_rivals(self) -> None:
        """For claims that rest on a line or two: how well other suspects would do in their place."""
        self.rivals = {
            suspect: self.in_place_of(claim)
            for suspect, claim in self.claims.items()
            if not self.suspects.band[suspect] and int(self._bright(claim.light).sum()) <= FEW_PEAKS
        }
        if self.doubt is not None and (alone := self._alone(self.doubt)):
            self.doubt.undecided -= alone
            self.prune()
            self.weigh_rivals()

    def _alone(self, doubt: Doubt) -> set[str]:
        """Who was to be told as ambiguous and has no rival that comes near him any more: the doubt counts again."""
        names = self.suspects.names
        undecided = [s for s in self.claims if names[s] in doubt.undecided]
        return {names[s] for s in undecided if not self._contended(s)}

    def _contended(self, suspect: int) -> bool:
        least = self.worth(suspect, self.claims[suspect]) - CONTENDED_NATS
        return any(self.worth(*rival) >= least for rival in self.rivals.get(suspect, []))

    def in_place_of(self, claim: Claim) -> list[tuple[int, Claim]]:
        """What unclaimed suspects would be in place of a claim, best margin first; the hopeless left out."""
        worth = self.unclaimed(np.maximum(self.light - claim.light, 0.0), NEAR_MISS_NATS)
        return sorted(worth, key=lambda pair: (-self.worth(*pair), self.suspects.names[pair[0]]))

    def unclaimed(self, others: FloatArray, within: float) -> list[tuple[int, Claim]]:
        """Unclaimed elements that come within some nats of their price beside the others' light."""
        if not self.offers.place:
            return []
        self._let_in(self._bounds(others), -within, alike=False)
        asked = self.offers
        fits, margin = asked.margins(others)
        near = np.flatnonzero((margin > -within) & ~self.suspects.band[asked.asked]).tolist()
        offers = [(int(asked.asked[n]), asked.offer(n, fits, others)) for n in near]
        price = self.suspects.price
        return [
            (s, self._claim(o))
            for s, o in offers
            if s not in self.claims and o.gain > max(float(price[s]) - within, 0.0)
        ]

    def worth(self, suspect: int, claim: Claim) -> float:
        """What a suspect gains beyond its price, nats."""
        return claim.gain - float(self.suspects.price[suspect])

    def _claim(self, offer: Offer) -> Claim:
        return Claim(offer.fits, self.offers.light(offer.fits), offer.gain)
