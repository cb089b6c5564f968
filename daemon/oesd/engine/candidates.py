"""Which line each peak may be: every plausible one with a probability, in order of preference.

The share of a found element in a peak is its expected light there; what nobody explains is spread thinly over the
lines of other elements within reach, by prominence, distance and prior, so that a person always has alternatives to
choose from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from oesd.engine.bands import SYSTEMS, charge_stage, molecule_of
from oesd.engine.bandshapes import SeenBand
from oesd.engine.claims import Claim, Inference
from oesd.engine.lines import IntArray
from oesd.engine.priors import Prior, prior_nats
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.strengths import Strengths, line_strengths
from oesd.model import Candidate, FloatArray, MaskArray

MAX_CANDIDATES = 8
SURE_CANDIDATES = 4  # are always shown, ...
LEAST_PROBABILITY = 2e-5  # ... the others when they are so likely
FOUND_BASE = 0.05  # what a found element's line of the right strength weighs before its light is asked, ...
FAINT_BASE = 2e-3  # ... and one of any strength: line lists are known by intensity only, or not at all
OTHER_BASE = 0.004
HOPELESS_NATS = 3.0  # a candidate that the missing lines of its element speak against is a candidate all the same
HOPE_WEIGHT = 0.4
NAMED_ABOVE = 0.5
NAMED_ODDS = (
    3.3  # names are right so much more often than shares of light say: measured on plasmas of the test simulator
)
CONTESTED_SHARE = 0.3  # of a peak's height
DOUBT_SHARE = 0.04  # a peak of which a found element explains so little is as likely something else
LEAST_WEIGHT = 2e-5  # a faint line at the edge of reach is no alternative
CLOSE_FWHM = 0.12  # 1 sigma of a line's distance from the peak that it makes alone
OTHER_EXCITATIONS = 0.2  # a plasma is not one temperature: lines that another excitation favours count this much


@dataclass(frozen=True, slots=True)
class Naming:
    """What one peak is called, how surely, and what else it may be."""

    element: str | None
    probability: float
    candidates: tuple[Candidate, ...]
    ambiguous: bool = False


def name_peaks(scene: Scene, inference: Inference, prior: Prior) -> list[Naming]:
    """Name every peak of the scene, in its order."""
    table = line_strengths().table
    peak, line, weight = _weighed_lines(scene, inference, prior)
    order = np.argsort(peak + 1.0 / (1.0 + weight), kind="stable")
    peak, line, weight = peak[order], line[order], weight[order]
    rank = np.arange(len(peak)) - np.searchsorted(peak, peak)
    keep = (rank < SURE_CANDIDATES) | ((weight > LEAST_PROBABILITY) & (rank < 2 * MAX_CANDIDATES))
    peak, line, weight = peak[keep], line[keep], weight[keep]
    bounds = np.searchsorted(peak, np.arange(len(scene.observed.height) + 1)).tolist()
    symbols = [table.elements[number] for number in table.element[line].tolist()]
    wavelength = table.wl_air_nm[line]
    facts = list(
        zip(symbols, table.stage[line].tolist(), np.round(wavelength, 4).tolist(), weight.tolist(), strict=True)
    )
    named = _named_elements(scene, inference)
    contested = np.asarray(contested_peaks(scene, inference).any(axis=0), dtype=np.bool_)
    centers = scene.observed.center_nm.tolist()
    namings = [
        _naming(facts[first:last], named[number], centers[number])
        for number, (first, last) in enumerate(pairwise(bounds))
    ]
    return [
        replace(naming, ambiguous=True) if naming.element is None and mine else naming
        for naming, mine in zip(namings, contested.tolist(), strict=True)
    ]


def contested_peaks(scene: Scene, inference: Inference) -> MaskArray:
    """Peaks that each contest is about: those its likeliest contender explains; shape (contests, peaks)."""
    peaks = np.zeros((len(inference.contests), len(scene.observed.height)), dtype=np.bool_)
    for number, contest in enumerate(inference.contests):
        likeliest = next(iter(contest.claims.values()))
        peaks[number] = likeliest.light > CONTESTED_SHARE * scene.observed.height
    return peaks


def _weighed_lines(scene: Scene, inference: Inference, prior: Prior) -> tuple[IntArray, IntArray, FloatArray]:
    """Peak, line and probability of every pair within reach; probabilities of one peak add up to at most one."""
    strengths = line_strengths()
    seen, table = scene.observed, strengths.table
    reach = np.maximum(REACH * scene.tolerance_nm, seen.fwhm_nm)
    peak, line = peak_lines(seen.center_nm, reach, table.wl_air_nm)
    offset = table.wl_air_nm[line] - seen.center_nm[peak]
    near = np.exp(-0.5 * (offset / scene.tolerance_nm[peak]) ** 2)
    close = 1.0 / (1.0 + (offset / _closeness(scene)[peak]) ** 2)
    base = _element_base(table.elements, inference, prior)[table.element[line]] * _prominence()[line]
    found = _found(table.elements, inference)[table.element[line]]
    keep = found & (close > 0.05) | (base * close > LEAST_WEIGHT)
    peak, line = peak[keep], line[keep]
    share = _line_light(strengths, inference, line) / seen.height[peak]
    faint = np.where(found[keep], FAINT_BASE + FOUND_BASE * np.sqrt(np.minimum(share, 1.0)), base[keep])
    weight = np.minimum(share * near[keep], 1.0) + faint * close[keep]
    sure = _contenders(inference) | inference.probability
    certainty = np.array([sure.get(name, 0.5) for name in table.elements])[table.element[line]]
    total = np.bincount(peak, weights=weight, minlength=len(seen.height))
    unexplained = np.clip(1.0 - inference.light / seen.height, 0.0, 1.0)
    return peak, line, weight * certainty / (total + 0.3 * unexplained)[peak]


def _closeness(scene: Scene) -> FloatArray:
    """1 sigma of the distance between a peak and the line that makes it alone, nm; shape (peaks,)."""
    seen = scene.observed
    close: FloatArray = np.sqrt((CLOSE_FWHM * seen.fwhm_nm) ** 2 + seen.center_sigma_nm**2 + seen.axis_sigma_nm**2)
    return close


def _found(elements: tuple[str, ...], inference: Inference) -> MaskArray:
    """Which elements are claimed or contested; shape (elements,)."""
    there = inference.claims.keys() | _contenders(inference).keys()
    return np.array([name in there for name in elements])


def _contenders(inference: Inference) -> dict[str, float]:
    """Everybody of whom it could not be decided whether he is there, with his share of the probability."""
    return {name: share for contest in inference.contests for name, share in contest.share.items()}


def _element_base(elements: tuple[str, ...], inference: Inference, prior: Prior) -> FloatArray:
    """Weight of an unclaimed element's most prominent line, zero where it is not allowed; shape (elements,).

    An element whose other lines are missing has little left to hope for.
    """
    hope = np.clip([inference.hope.get(name, -HOPELESS_NATS) for name in elements], -HOPELESS_NATS, 0.0)
    owed = np.array([prior_nats(name) for name in elements])
    allowed = np.array([prior.allows(name) for name in elements])
    base: FloatArray = np.where(allowed, OTHER_BASE * np.exp(HOPE_WEIGHT * hope - owed), 0.0)
    return base


@cache
def _prominence() -> FloatArray:
    """Prominence of every line of the shipped table as a share; shape (lines,)."""
    share: FloatArray = 10.0 ** np.minimum(line_strengths().table.prom, 0.0)
    return share


def _line_light(strengths: Strengths, inference: Inference, line: IntArray) -> FloatArray:
    """Expected light of each of these lines, counts; none of elements that are neither found nor contested."""
    light = np.zeros(len(line))
    species = strengths.species[line]
    contested = [claim for contest in inference.contests for claim in contest.claims.values()]
    for claim in (*inference.claims.values(), *contested):
        for number, fit in claim.fits.items():
            mine = np.flatnonzero(species == number)
            relative = strengths.relative[:, line[mine]]
            light[mine] = fit.amount * (relative[fit.excitation] + 0.1 * OTHER_EXCITATIONS * relative.max(axis=0))
    return light


def _named_elements(scene: Scene, inference: Inference) -> list[tuple[str | None, float]]:
    """Element or molecule of each peak and its probability: the one with most light, if it explains enough of it."""
    height = scene.observed.height
    claims = inference.claims | inference.bands
    if not claims or not len(height):
        return [(None, 0.0)] * len(height)
    names = list(claims)
    possible = np.stack([_other_light(scene, claims[name]) for name in names])
    possible[len(inference.claims) :] = 0.0
    light = np.stack([claims[name].light for name in names]) + 0.1 * possible
    share = light / np.maximum(light.sum(axis=0), 1e-300)
    first = share.argmax(axis=0)
    total = (light + possible).sum(axis=0)
    explained = total / (total + DOUBT_SHARE * height)
    sure = np.array(list((inference.probability | inference.band_probability).values()))
    probability = share[first, np.arange(len(height))] * explained * sure[first]
    stated = NAMED_ODDS * probability / (1.0 + (NAMED_ODDS - 1.0) * probability)
    return [
        (names[i] if p >= NAMED_ABOVE else None, float(s)) for i, p, s in zip(first, probability, stated, strict=True)
    ]


def with_bands(namings: list[Naming], of_lines: MaskArray, bands: list[SeenBand]) -> list[Naming]:
    """Names of all peaks: those of lines in their order, the others with the band that they belong to."""
    lines = iter(namings)
    named = [next(lines) if line else None for line in of_lines.tolist()]
    for band in bands:
        probability = round(band.explained, 4)
        for number in band.peaks.tolist():
            if named[number] is None:
                molecule = _molecule(band.system, band.head_nm, probability)
                named[number] = Naming(molecule_of(band.system), probability, (molecule,))
    return [naming for naming in named if naming is not None]


def _molecule(system: str, nm: float, probability: float) -> Candidate:
    name = molecule_of(system)
    return Candidate(f"{name}_{nm:.1f}", name, charge_stage(system), round(nm, 4), round(probability, 4))


def _other_light(scene: Scene, claim: Claim) -> FloatArray:
    """What an element may show in every peak if it is excited otherwise than fitted; shape (peaks,)."""
    light = np.zeros(len(claim.light))
    for species, fit in claim.fits.items():
        light += OTHER_EXCITATIONS * fit.amount * scene.into_peaks[:, species].max(axis=0)
    return light


def _naming(lines: list[tuple[str, int, float, float]], named: tuple[str | None, float], nm: float) -> Naming:
    """Candidates of one peak by weight, the named element's lines first, keys unique.

    ``lines``: element, stage, wavelength and weight of each line, heaviest first; ``nm``: where the peak is.
    """
    element, probability = named
    if element in SYSTEMS:
        return Naming(
            molecule_of(element),
            round(probability, 4),
            (_molecule(element, nm, probability), *_naming(lines, (None, 0.0), nm).candidates),
        )
    found: dict[str, tuple[str, int, float, float]] = {}
    for fact in lines:
        found.setdefault(f"{fact[0]}_{fact[2]:.1f}", fact)
    kept = list(found.items())[:MAX_CANDIDATES]
    mine = sum([fact[3] for _, fact in kept if fact[0] == element])
    rest = sum([fact[3] for _, fact in kept if fact[0] != element])
    if element is None or mine <= 0.0:
        element, up, down = None, 1.0, 1.0
    else:
        up, down = probability / mine, min(1.0, (1.0 - probability) / max(rest, 1e-300))
        kept.sort(key=lambda item: item[1][0] != element)
    candidates = [
        Candidate(key, symbol, stage, wavelength, round(weight * (up if symbol == element else down), 4))
        for key, (symbol, stage, wavelength, weight) in kept
    ]
    return Naming(element, round(probability, 4) if element else 0.0, tuple(candidates))
