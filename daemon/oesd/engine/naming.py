"""What each peak is called: its element or molecule, how surely, and the candidates in order of preference."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import repeat
from operator import add

import numpy as np

from oesd.engine.bands import SYSTEMS, charge_stage, molecule_of
from oesd.engine.bandshapes import SeenBand
from oesd.engine.candidates import OTHER_EXCITATIONS, weighed_lines
from oesd.engine.claims import Claim, Inference
from oesd.engine.lines import IntArray
from oesd.engine.priors import Prior
from oesd.engine.scene import Scene, lengths, runs
from oesd.engine.strengths import line_strengths
from oesd.model import Candidate, FloatArray, MaskArray

MAX_CANDIDATES = 8
SURE_CANDIDATES = 4  # are always shown, ...
LEAST_PROBABILITY = 2e-5  # ... the others when they are so likely
NAMED_ABOVE = 0.5
NAMED_ODDS = (
    3.3  # names are right so much more often than shares of light say: measured on plasmas of the test simulator
)
CONTESTED_SHARE = 0.3  # of a peak's height
DOUBT_SHARE = 0.04  # a peak of which a found element explains so little is as likely something else
KEPT_LINES = 4096
TENTHS = 1 << 16  # more than any line's tenths of nm


@dataclass(slots=True)
class Namings:
    """What every peak is called, how surely, what else it may be, and whether that could not be decided: columns."""

    element: list[str | None]
    probability: list[float]
    candidates: list[tuple[Candidate, ...]]
    ambiguous: list[bool]


def name_peaks(scene: Scene, inference: Inference, prior: Prior) -> Namings:
    """Name every peak of the scene, in its order."""
    number_of, peaks = line_strengths().table.index_of, len(scene.observed.height)
    peak, line, weight = _alternatives(*weighed_lines(scene, inference, prior))
    named, stated = _named(scene, inference)
    claimed = {name: number_of[name] for name in inference.claims}
    number = np.array([-1 if name is None else claimed.get(name, -1) for name in named], dtype=np.int64)
    own = line_strengths().table.element.take(line) == number.take(peak)
    mine = np.bincount(peak, weights=weight * own, minlength=peaks)
    rest = np.bincount(peak, weights=weight, minlength=peaks) - mine
    has = mine > 0.0
    up = np.where(has, stated / np.where(has, mine, 1.0), 1.0)
    told = has | np.array([name in SYSTEMS for name in named], dtype=np.bool_)
    down = np.where(told, np.minimum(1.0, (1.0 - stated) / np.maximum(rest, 1e-300)), 1.0)
    weight = weight * np.where(own, up.take(peak), down.take(peak))
    order = (2 * peak + ~own).argsort(kind="stable")
    candidates = _candidates(line.take(order), weight.take(order))
    bounds = peak.searchsorted(np.arange(peaks + 1)).tolist()
    contested = contested_peaks(scene, inference).any(axis=0) & ~has
    of_peak = list(map(candidates.__getitem__, map(slice, bounds, bounds[1:])))
    probability = np.where(has, stated, 0.0).round(4).tolist()
    namings = Namings(named, probability, of_peak, np.asarray(contested).tolist())
    for unnamed in (~has).nonzero()[0].tolist():
        system, sure = named[unnamed], round(float(stated[unnamed]), 4)
        namings.element[unnamed] = None
        if system in SYSTEMS:
            band = _molecule(system, float(scene.observed.center_nm[unnamed]), sure)
            _rename(namings, unnamed, molecule_of(system), sure, (band, *of_peak[unnamed]))
    return namings


def _rename(namings: Namings, number: int, name: str, probability: float, candidates: tuple[Candidate, ...]) -> None:
    namings.element[number], namings.probability[number] = name, probability
    namings.candidates[number], namings.ambiguous[number] = candidates, False


def contested_peaks(scene: Scene, inference: Inference) -> MaskArray:
    """Peaks that each contest is about: those its likeliest contender explains; shape (contests, peaks)."""
    peaks = np.zeros((len(inference.contests), len(scene.observed.height)), dtype=np.bool_)
    for number, contest in enumerate(inference.contests):
        likeliest = next(iter(contest.claims.values()))
        peaks[number] = likeliest.light > CONTESTED_SHARE * scene.observed.height
    return peaks


def _alternatives(peak: IntArray, line: IntArray, weight: FloatArray) -> tuple[IntArray, IntArray, FloatArray]:
    """Lines worth showing by peak, likeliest first, one of each key."""
    order = (peak + 1.0 / (1.0 + weight)).argsort(kind="stable")
    peak, line, weight = peak.take(order), line.take(order), weight.take(order)
    rank = _rank(peak)
    shown = (rank < SURE_CANDIDATES) | ((weight > LEAST_PROBABILITY) & (rank < 2 * MAX_CANDIDATES))
    kept = shown.nonzero()[0]
    peak, line, weight = peak.take(kept), line.take(kept), weight.take(kept)
    table = line_strengths().table
    key = (peak * len(table.elements) + table.element.take(line)) * TENTHS + _tenths().take(line)
    order = key.argsort(kind="stable")
    first = order.take(runs(key.take(order)))
    first.sort()
    kept = first[_rank(peak.take(first)) < MAX_CANDIDATES]
    return peak.take(kept), line.take(kept), weight.take(kept)


def _rank(peak: IntArray) -> IntArray:
    """Place of each line among those of its peak; the peaks are in ascending order."""
    begin = runs(peak)
    rank: IntArray = np.arange(len(peak)) - begin.repeat(lengths(begin, len(peak)))
    return rank


@cache
def _tenths() -> IntArray:
    """Tenths of nm that each line of the shipped table is called by, rounded as they are written."""
    nm = np.round(line_strengths().table.wl_air_nm, 4)
    tenths = np.rint(10.0 * nm).astype(np.int64)
    halves = np.flatnonzero(np.abs(10.0 * nm - np.floor(10.0 * nm) - 0.5) < 1e-6)
    tenths[halves] = [round(10.0 * float(f"{x:.1f}")) for x in nm[halves].tolist()]
    return tenths


@lru_cache(maxsize=KEPT_LINES)
def _told(line: int) -> tuple[str, str, int, float]:
    """Key, element, ionization and wavelength of a line of the shipped table, as its candidates tell them."""
    table = line_strengths().table
    symbol, tenths = table.elements[int(table.element[line])], int(_tenths()[line])
    nm = float(np.round(table.wl_air_nm[line : line + 1], 4)[0])
    return f"{symbol}_{tenths / 10.0:.1f}", symbol, int(table.stage[line]), nm


def _candidates(line: IntArray, weight: FloatArray) -> tuple[Candidate, ...]:
    """These lines of the shipped table as candidates of this probability."""
    chances = zip(weight.round(4).tolist())
    fields = map(add, map(_told, line.tolist()), chances)  # no step of this runs in Python: there are hundreds
    return tuple(map(tuple.__new__, repeat(Candidate), fields))


def _named(scene: Scene, inference: Inference) -> tuple[list[str | None], FloatArray]:
    """Element or molecule of each peak and its probability: the one with most light, if it explains enough of it."""
    height = scene.observed.height
    claims = inference.claims | inference.bands
    if not claims or not len(height):
        return [None] * len(height), np.zeros(len(height))
    names = list(claims)
    possible = np.array([_other_light(scene, claims[name]) for name in names])
    possible[len(inference.claims) :] = 0.0
    light = np.array([claims[name].light for name in names]) + 0.1 * possible
    share = light / np.maximum(light.sum(axis=0), 1e-300)
    first = share.argmax(axis=0)
    total = (light + possible).sum(axis=0)
    explained = total / (total + DOUBT_SHARE * height)
    sure = np.array(list((inference.probability | inference.band_probability).values()))
    probability = share[first, np.arange(len(height))] * explained * sure[first]
    stated: FloatArray = NAMED_ODDS * probability / (1.0 + (NAMED_ODDS - 1.0) * probability)
    enough = probability >= NAMED_ABOVE
    return [names[i] if p else None for i, p in zip(first.tolist(), enough.tolist(), strict=True)], stated


def with_bands(namings: Namings, of_lines: MaskArray, bands: list[SeenBand]) -> Namings:
    """Names of all peaks: those of lines in their order, the others with the band that they belong to."""
    if not bands:
        return namings
    peaks = len(of_lines)
    every = Namings([None] * peaks, [0.0] * peaks, [()] * peaks, [False] * peaks)
    for of_line, number in enumerate(of_lines.nonzero()[0].tolist()):
        every.element[number], every.probability[number] = namings.element[of_line], namings.probability[of_line]
        every.candidates[number], every.ambiguous[number] = namings.candidates[of_line], namings.ambiguous[of_line]
    unnamed = ~of_lines
    for band in bands:
        probability = round(band.explained, 4)
        for number in band.peaks[unnamed[band.peaks]].tolist():
            unnamed[number] = False
            molecule = _molecule(band.system, band.head_nm, probability)
            _rename(every, number, molecule_of(band.system), probability, (molecule,))
    return every


def _molecule(system: str, nm: float, probability: float) -> Candidate:
    name = molecule_of(system)
    return Candidate(f"{name}_{nm:.1f}", name, charge_stage(system), round(nm, 4), round(probability, 4))


def _other_light(scene: Scene, claim: Claim) -> FloatArray:
    """What an element may show in every peak if it is excited otherwise than fitted; shape (peaks,)."""
    light = np.zeros(len(claim.light))
    for species, fit in claim.fits.items():
        light += OTHER_EXCITATIONS * fit.amount * scene.most_light(species)
    return light
