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
from oesd.engine.evidence import NO_FIT, Fit, best_fit
from oesd.engine.priors import prior_nats
from oesd.engine.scene import Scene, band_species, peak_lines
from oesd.engine.screening import Screen
from oesd.engine.strengths import EXCITATIONS, STAGES, line_strengths
from oesd.engine.windows import binned
from oesd.model import FloatArray, MaskArray

PRICE_NATS = 5.0  # of any element: the logarithm of how many amounts and excitations were tried
SECOND_STAGE_NATS = 1.5
BAND_PRICE_NATS = 3.0
PROBABILITY_NATS = 2.5
SHARED = 0.1
SCREEN_SLACK_NATS = 4.0
HOPEFUL_NATS = 0.5
MAX_ELEMENTS = 25


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
    peak, line = peak_lines(seen.center_nm, 2.2 * scene.tolerance_nm, patterns.wl_nm)
    amount = np.zeros((patterns.species_count, EXCITATIONS))
    for claim in (*inference.claims.values(), *inference.bands.values()):
        for species, fit in claim.fits.items():
            amount[species, fit.excitation] = fit.amount
    strength = np.einsum("le,el->l", amount[patterns.species[line]], patterns.relative[:, line])
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


class _Search:
    def __init__(self, scene: Scene, suspects: list[_Suspect]) -> None:
        self.scene = scene
        self.light = np.zeros(len(scene.observed.height))
        self.claims: dict[_Suspect, Claim] = {}
        asked = np.zeros(scene.into_peaks.shape[1], dtype=np.bool_)
        asked[[k for s in suspects for k in s.species]] = True
        self.screen = Screen(scene, asked)
        coarse = self.screen.gains(self.light)
        self.hopeful = coarse > HOPEFUL_NATS
        self.waiting = [s for s in suspects if self._bound(s, coarse) > 0.0]
        self.screen.narrow(self.hopeful)

    @staticmethod
    def _bound(suspect: _Suspect, coarse: FloatArray) -> float:
        """What the margin of a suspect can be at most, by its coarse gains."""
        return float(coarse[list(suspect.species)].sum()) - suspect.price + SCREEN_SLACK_NATS

    def claim(self, suspect: _Suspect, others: FloatArray) -> Claim:
        """Best fit of all species of a suspect beside the others' light; the weaker stage must pay for itself."""
        fits = {k: best_fit(self.scene, k, others) if self.hopeful[k] else NO_FIT for k in suspect.species}
        first = max(fits, key=lambda k: fits[k].gain)
        light = self._light(first, fits[first])
        chosen, gain = {first: fits[first]}, fits[first].gain
        for k in suspect.species:
            if k != first and fits[k].gain > SECOND_STAGE_NATS:
                second = best_fit(self.scene, k, others + light)
                if second.gain > SECOND_STAGE_NATS:
                    chosen[k] = second
                    light = light + self._light(k, second)
                    gain += second.gain - SECOND_STAGE_NATS
        return Claim(chosen, light, gain)

    def _light(self, species: int, fit: Fit) -> FloatArray:
        light: FloatArray = fit.amount * self.scene.into_peaks[fit.excitation, species]
        return light

    def grow(self) -> None:
        """Take the best suspect until none is worth its price."""
        while self.waiting and len(self.claims) < MAX_ELEMENTS:
            best = self._best()
            if best is None:
                return
            self._take(*best)

    def _best(self) -> tuple[_Suspect, Claim] | None:
        """Best suspect beside the present light; looked at closely in order of the bounds while these exceed it."""
        coarse = self.screen.gains(self.light)
        bounds = {s: self._bound(s, coarse) for s in self.waiting}
        self.waiting = [s for s in self.waiting if bounds[s] > 0.0]
        best, top = None, 0.0
        for suspect in sorted(self.waiting, key=bounds.__getitem__, reverse=True):
            if bounds[suspect] <= top:
                break
            claim = self.claim(suspect, self.light)
            if claim.gain - suspect.price > top:
                best, top = (suspect, claim), claim.gain - suspect.price
        return best

    def _take(self, suspect: _Suspect, claim: Claim) -> None:
        self.waiting.remove(suspect)
        self.claims[suspect] = claim
        self.light = self.light + claim.light
        self._refit_sharers(suspect, claim.light)

    def _bright(self, light: FloatArray) -> MaskArray:
        return light > SHARED * self.scene.observed.height

    def _refit_sharers(self, suspect: _Suspect, light: FloatArray) -> None:
        """Fit those anew that have light in the peaks of the one that came or went."""
        touched = self._bright(light)
        for other in list(self.claims):
            if other is not suspect and bool(self._bright(self.claims[other].light)[touched].any()):
                self._refit(other)

    def _refit(self, suspect: _Suspect) -> None:
        others = self.light - self.claims[suspect].light
        others = np.maximum(others, 0.0)
        self.claims[suspect] = self.claim(suspect, others)
        self.light = others + self.claims[suspect].light

    def prune(self) -> None:
        """Drop, worst first, every claim that is not worth its price beside all the others."""
        for suspect in list(self.claims):
            self._refit(suspect)
        while self.claims:
            worst = min(self.claims, key=lambda s: self.claims[s].gain - s.price)
            if self.claims[worst].gain >= worst.price:
                return
            gone = self.claims.pop(worst)
            self.light = np.maximum(self.light - gone.light, 0.0)
            self._refit_sharers(worst, gone.light)

    def result(self) -> Inference:
        """Claims with probabilities: logistic in the margin."""
        found = Inference(light=self.light)
        for suspect, claim in self.claims.items():
            if suspect.band:
                found.bands[suspect.name] = claim
                continue
            margin = claim.gain - suspect.price
            found.claims[suspect.name] = claim
            found.probability[suspect.name] = float(1.0 / (1.0 + np.exp(-min(margin, 60.0) / PROBABILITY_NATS)))
        return found
