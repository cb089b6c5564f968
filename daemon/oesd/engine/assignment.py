"""Which elements are in the light: joint inference over all peaks and all places where a peak should be and is not.

Greedy selection with refitting (orthogonal matching pursuit, Pati et al., Asilomar 1993) on the evidence of
``evidence.py``: the element that gains most is taken, what it explains counts for nobody else, those it shares light
with are fitted anew, and at the end every element must still be worth its price beside all others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from oesd.engine.bands import SYSTEMS
from oesd.engine.evidence import Evidence, Fits
from oesd.engine.lines import IntArray
from oesd.engine.patterns import band_species
from oesd.engine.priors import prior_nats
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.screening import coarse_gains
from oesd.engine.strengths import STAGES, line_strengths
from oesd.engine.windows import binned
from oesd.model import FloatArray, MaskArray

PRICE_NATS = 5.0  # of any element: the logarithm of how many amounts and excitations were tried
SECOND_STAGE_NATS = 1.5
BAND_PRICE_NATS = 3.0
PROBABILITY_NATS = 2.5
SHARED = 0.1
SLACK_NATS = 2.0  # what the coarse gain of a suspect may miss
REGAINED_NATS = 1.0  # what others' light may give back to a suspect that it has taken light from
AT_ONCE = 6
FEW_PEAKS = 2  # a claim on so few may be another's
RIVAL_NATS = 1.0
AMBIGUOUS_BELOW = 0.6
CLUTTER_NATS = 3.0  # owed where no peak is explained, none where half are: unknown light meets any line by chance
EXPLAINED = 0.3
HOPEFUL_NATS = 0.5
MAX_ELEMENTS = 25


@dataclass(frozen=True, slots=True)
class Fit:
    """Amount and excitation of one species, and what it gains (nats)."""

    gain: float
    amount: float
    excitation: int


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """An element (or band system) in the light: its species' fits, its light in every peak, its margin in nats."""

    fits: dict[int, Fit]
    light: FloatArray
    gain: float


@dataclass(slots=True, eq=False)
class Inference:
    """Elements found: claims by symbol, margins and probabilities."""

    claims: dict[str, Claim] = field(default_factory=dict)
    probability: dict[str, float] = field(default_factory=dict)
    bands: dict[str, Claim] = field(default_factory=dict)
    band_probability: dict[str, float] = field(default_factory=dict)
    light: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True)
class _Suspect:
    name: str
    species: tuple[int, ...]
    price: float
    band: bool


def expected_centers(scene: Scene, inference: Inference) -> tuple[FloatArray, MaskArray]:
    """Where the found elements' light in each peak is centred, nm, and which peaks are theirs alone; shape (peaks,)."""
    seen, patterns = scene.observed, scene.patterns
    peak, line = peak_lines(seen.center_nm, REACH * scene.tolerance_nm, patterns.wl_nm)
    amount = np.zeros(patterns.species_count)
    excitation = np.zeros(patterns.species_count, dtype=np.int64)
    for claim in (*inference.claims.values(), *inference.bands.values()):
        for species, fit in claim.fits.items():
            amount[species], excitation[species] = fit.amount, fit.excitation
    owner = patterns.species[line]
    peak, line, owner = (x[amount[owner] > 0.0] for x in (peak, line, owner))
    strength = amount[owner] * patterns.relative[excitation[owner], line]
    offset = patterns.wl_nm[line] - seen.center_nm[peak]
    near = strength * np.exp(-0.5 * (offset / (0.6 * seen.fwhm_nm)) ** 2)
    total = binned(peak, near, len(seen.height))
    centre = binned(peak, near * offset, len(seen.height)) / np.maximum(total, 1e-300)
    trusted = (inference.light > 0.4 * seen.height) & (inference.light < 4.0 * seen.height) & ~seen.saturated
    return seen.center_nm + centre, trusted & (total > 0.0)


def infer(scene: Scene, allowed: Collection[str]) -> Inference:
    """Find the elements among ``allowed`` that the spectrum cannot do without."""
    search = _Search(scene, _suspects(allowed))
    search.grow()
    search.prune()
    search.weigh_rivals()
    return search.result()


def _suspects(allowed: Collection[str]) -> list[_Suspect]:
    elements = [
        _Suspect(name, (STAGES * i, STAGES * i + 1), PRICE_NATS + prior_nats(name), False)
        for i, name in enumerate(line_strengths().table.elements)
        if name in allowed
    ]
    return elements + [
        _Suspect(name, (species,), BAND_PRICE_NATS, True) for name, species in zip(SYSTEMS, band_species(), strict=True)
    ]


@dataclass(slots=True, eq=False)
class _Offer:
    """What a suspect gains beside some light of others, and with which fits."""

    fits: dict[int, Fit]
    gain: float


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -60.0, 60.0))))


class _Search:
    def __init__(self, scene: Scene, suspects: list[_Suspect]) -> None:
        self.scene = scene
        self.light = np.zeros(len(scene.observed.height))
        self.claims: dict[_Suspect, Claim] = {}
        self.clutter = 0.0
        coarse = coarse_gains(scene, [k for s in suspects for k in s.species])
        hopeful = coarse > HOPEFUL_NATS
        self.bound = {s: sum(float(coarse[k]) for k in s.species) - s.price + SLACK_NATS for s in suspects}
        self.waiting = [s for s in suspects if self.bound[s] > 0.0 and any(hopeful[k] for k in s.species)]
        self.asked = list(self.waiting)
        self.rival: dict[_Suspect, float] = {}
        asked = np.array(sorted(k for s in self.waiting for k in s.species if hopeful[k]), dtype=np.int64)
        self.evidence = Evidence(scene, asked)
        self.number = {int(k): n for n, k in enumerate(asked)}

    def offers(self, suspects: list[_Suspect], others: FloatArray) -> list[_Offer]:
        """Best fits of all species of some suspects beside the others' light; the weaker stage must pay for itself."""
        mine = [[self.number[k] for k in s.species if k in self.number] for s in suspects]
        asked = np.array(sorted(n for numbers in mine for n in numbers), dtype=np.int64)
        fits = self.evidence.fits(asked, others)
        place = {int(n): i for i, n in enumerate(asked)}
        offers, seconds = [], []
        for numbers in mine:
            ranked = sorted((place[n] for n in numbers), key=lambda i: -fits.gain[i])
            offers.append(self._offer(asked, fits, ranked[0]))
            if len(ranked) > 1 and fits.gain[ranked[1]] > SECOND_STAGE_NATS:
                seconds.append((int(asked[ranked[1]]), offers[-1]))
        self._add_seconds(seconds, others)
        return offers

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
        fits = self.evidence.fits(asked, np.stack([others + self._light(offer.fits) for _, offer in seconds]))
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

    def _best(self) -> tuple[_Suspect, _Offer] | None:
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

    def _take(self, suspect: _Suspect, offer: _Offer) -> None:
        self.waiting.remove(suspect)
        self.claims[suspect] = Claim(offer.fits, self._light(offer.fits), offer.gain)
        self.light = self.light + self.claims[suspect].light
        self._refit_sharers(suspect, self.claims[suspect].light)

    def _unexplained(self) -> float:
        """Share of the peaks of which no claim explains even a part."""
        height = self.scene.observed.height
        return float(np.mean(self.light < EXPLAINED * height)) if len(height) else 0.0

    def _bright(self, light: FloatArray) -> MaskArray:
        return light > SHARED * self.scene.observed.height

    def _refit_sharers(self, suspect: _Suspect, light: FloatArray) -> None:
        """Fit those anew that have light in the peaks of the one that came or went."""
        touched = self._bright(light)
        for other in list(self.claims):
            if other is not suspect and bool(self._bright(self.claims[other].light)[touched].any()):
                self._refit(other)

    def _refit(self, suspect: _Suspect) -> None:
        others = np.maximum(self.light - self.claims[suspect].light, 0.0)
        offer = self.offers([suspect], others)[0]
        self.claims[suspect] = Claim(offer.fits, self._light(offer.fits), offer.gain)
        self.light = others + self.claims[suspect].light

    def prune(self) -> None:
        """Drop, worst first, every claim that is not worth its price beside all the others."""
        for suspect in list(self.claims):
            self._refit(suspect)
        while self.claims:
            self.clutter = CLUTTER_NATS * max(0.0, 2.0 * self._unexplained() - 1.0)
            worst = min(self.claims, key=lambda s: self.claims[s].gain - s.price)
            if self.claims[worst].gain >= worst.price + self.clutter:
                return
            gone = self.claims.pop(worst)
            self.light = np.maximum(self.light - gone.light, 0.0)
            self._refit_sharers(worst, gone.light)

    def weigh_rivals(self) -> None:
        """For claims that rest on a line or two: how well the best other suspect would do in their place."""
        for suspect, claim in self.claims.items():
            if suspect.band or int(self._bright(claim.light).sum()) > FEW_PEAKS:
                continue
            rivals = [s for s in self.asked if s not in self.claims and not s.band]
            others = np.maximum(self.light - claim.light, 0.0)
            margins = [o.gain - s.price for s, o in zip(rivals, self.offers(rivals, others), strict=True)]
            self.rival[suspect] = max(margins, default=-np.inf)

    def result(self) -> Inference:
        """Claims with probabilities: logistic in the margin."""
        found = Inference(light=self.light)
        for suspect, claim in self.claims.items():
            margin = claim.gain - suspect.price - self.clutter
            probability = _logistic(margin / PROBABILITY_NATS)
            sole = _logistic((claim.gain - suspect.price - self.rival.get(suspect, -np.inf)) / RIVAL_NATS)
            probability = min(probability, sole)
            if suspect.band:
                found.bands[suspect.name] = claim
                found.band_probability[suspect.name] = probability
            elif sole >= AMBIGUOUS_BELOW:
                found.claims[suspect.name] = claim
                found.probability[suspect.name] = probability
        return found
