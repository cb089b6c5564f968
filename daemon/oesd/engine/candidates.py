"""Which line each peak may be: every plausible one with a probability.

The share of a found element in a peak is its expected light there; what nobody explains is spread thinly over the
lines of other elements within reach, by prominence, distance and prior, so that a person always has alternatives to
choose from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from oesd.engine.claims import Inference
from oesd.engine.lines import IntArray
from oesd.engine.patterns import Float32Array
from oesd.engine.priors import Prior, prior_nats
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.strengths import line_strengths
from oesd.model import FloatArray, MaskArray

FOUND_BASE = 0.05  # what a found element's line of the right strength weighs before its light is asked, ...
FAINT_BASE = 2e-3  # ... and one of any strength: line lists are known by intensity only, or not at all
OTHER_BASE = 0.004
HOPELESS_NATS = 3.0  # a candidate that the missing lines of its element speak against is a candidate all the same
HOPE_WEIGHT = 0.4
LEAST_WEIGHT = 2e-5  # a faint line at the edge of reach is no alternative
CLOSE_FWHM = 0.12  # 1 sigma of a line's distance from the peak that it makes alone
OTHER_EXCITATIONS = 0.2  # a plasma is not one temperature: lines that another excitation favours count this much
LEAST_CLOSE = 0.05  # of a found element's line, or it must weigh something even if the element were not found:
FOUND_HOPE = float(np.exp(-HOPE_WEIGHT * HOPELESS_NATS))
KEPT_PRIORS = 4
KEPT_FINDINGS = 16


def weighed_lines(scene: Scene, inference: Inference, prior: Prior) -> tuple[IntArray, IntArray, FloatArray]:
    """Peak, line and probability of every pair within reach; probabilities of one peak add up to at most one."""
    seen, table = scene.observed, line_strengths().table
    found = _found(table.elements, inference)
    hope = _hope_weight(table.elements, inference)
    base = _base(table.elements, prior)
    hope[found] = 0.0  # their lines are asked for by themselves, and all of them
    reach, sharp = np.maximum(REACH * scene.tolerance_nm, seen.peak_fwhm_nm), 1.0 / _closeness(scene)
    worth = _worth_naming(table.elements, prior)
    peak, place, _, close = _within_reach(seen.center_nm, reach, sharp, worth.nm)
    faint = hope.take(worth.element.take(place))
    faint *= worth.base.take(place)
    faint *= close
    kept = (faint > LEAST_WEIGHT).nonzero()[0]
    peaks, lines, weights = peak.take(kept), worth.line.take(place.take(kept)), faint.take(kept)
    theirs, nm = _lines_of(tuple(found.nonzero()[0].tolist()))
    peak, place, offset, close = _within_reach(seen.center_nm, reach, sharp, nm)
    line = theirs.take(place)
    share = _line_light(inference, line) / seen.height.take(peak)
    right = (FAINT_BASE + FOUND_BASE * np.sqrt(np.minimum(share, 1.0))) * close
    near = np.exp(-0.5 * (offset / scene.tolerance_nm.take(peak)) ** 2)
    kept = ((close > LEAST_CLOSE) | (FOUND_HOPE * base.take(line) * close > LEAST_WEIGHT)).nonzero()[0]
    weight = np.concatenate([weights, (np.minimum(share * near, 1.0) + right).take(kept)])
    peak, line = np.concatenate([peaks, peak.take(kept)]), np.concatenate([lines, line.take(kept)])
    of = table.element.take(line)
    sure = contenders(inference) | inference.probability
    certainty = np.full(len(table.elements), 0.5)
    for name, probability in sure.items():
        certainty[table.index_of[name]] = probability
    total = np.bincount(peak, weights=weight, minlength=len(seen.height))
    unexplained = np.minimum(np.maximum(1.0 - inference.light / seen.height, 0.0), 1.0)
    return peak, line, weight * certainty.take(of) / (total + 0.3 * unexplained).take(peak)


def _within_reach(
    center_nm: FloatArray, reach_nm: FloatArray, sharp: FloatArray, nm: FloatArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Pairs of peaks and of lines near them: numbers of both, the line's distance, nm, and how close that is.

    ``sharp``, (peaks,): 1 / the distance, nm, at which a line is half as close as can be; ``nm``, (lines,), of lines.
    """
    peak, place = peak_lines(center_nm, reach_nm, nm)
    offset = nm.take(place)
    offset -= center_nm.take(peak)
    z = offset * sharp.take(peak)
    z *= z
    z += 1.0
    return peak, place, offset, np.divide(1.0, z, out=z)


def _closeness(scene: Scene) -> FloatArray:
    """1 sigma of the distance between a peak and the line that makes it alone, nm; shape (peaks,)."""
    seen = scene.observed
    close: FloatArray = np.sqrt((CLOSE_FWHM * seen.peak_fwhm_nm) ** 2 + seen.center_sigma_nm**2 + seen.axis_sigma_nm**2)
    return close


def _found(elements: tuple[str, ...], inference: Inference) -> MaskArray:
    """Which elements are claimed or contested; shape (elements,)."""
    found = np.zeros(len(elements), dtype=np.bool_)
    index = line_strengths().table.index_of
    found[[index[name] for name in (*inference.claims, *contenders(inference))]] = True
    return found


def contenders(inference: Inference) -> dict[str, float]:
    """Everybody of whom it could not be decided whether he is there, with his share of the probability."""
    return {name: share for contest in inference.contests for name, share in contest.share.items()}


def _hope_weight(elements: tuple[str, ...], inference: Inference) -> FloatArray:
    """What an unclaimed element's line weighs beside one of an element whose other lines speak for it; (elements,).

    An element whose other lines are missing has little left to hope for.
    """
    hope = np.array(list(map(inference.hope.get, elements, repeat(-HOPELESS_NATS))))
    weight: FloatArray = np.exp(HOPE_WEIGHT * np.minimum(np.maximum(hope, -HOPELESS_NATS), 0.0))
    return weight


@lru_cache(maxsize=KEPT_PRIORS)
def _base(elements: tuple[str, ...], prior: Prior) -> Float32Array:
    """Weight of every line of the shipped table if its element is unclaimed, zero where it is not allowed; (lines,)."""
    owed = np.array([prior_nats(name) for name in elements])
    allowed = np.array([prior.allows(name) for name in elements])
    base = np.where(allowed, OTHER_BASE * np.exp(-owed), 0.0)
    table = line_strengths().table
    return (base[table.element] * 10.0 ** np.minimum(table.prom, 0.0)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Worth:
    """Lines that may be named for unclaimed elements at all, by wavelength, nm, with their weights; (lines,)."""

    line: IntArray
    nm: FloatArray
    element: NDArray[np.int16]
    base: Float32Array


@lru_cache(maxsize=KEPT_PRIORS)
def _worth_naming(elements: tuple[str, ...], prior: Prior) -> _Worth:
    table, base = line_strengths().table, _base(elements, prior)
    lines = np.flatnonzero(base > LEAST_WEIGHT)
    return _Worth(lines, table.wl_air_nm[lines], table.element[lines].astype(np.int16), base[lines])


@lru_cache(maxsize=KEPT_FINDINGS)
def _lines_of(elements: tuple[int, ...]) -> tuple[IntArray, FloatArray]:
    """Lines of these elements, and their wavelengths, nm, in the order of these."""
    table = line_strengths().table
    lines = np.flatnonzero(np.isin(table.element, elements))
    return lines, table.wl_air_nm[lines]


@cache
def _most() -> FloatArray:
    """Strength of every line of the shipped table under the excitation that favours it most; shape (lines,)."""
    most: FloatArray = line_strengths().relative.max(axis=0)
    return most


def _line_light(inference: Inference, line: IntArray) -> FloatArray:
    """Expected light of each of these lines, counts; none of elements that are neither found nor contested."""
    strengths = line_strengths()
    amount, excitation = np.zeros(strengths.species_count), np.zeros(strengths.species_count, dtype=np.int64)
    contested = [claim for contest in inference.contests for claim in contest.claims.values()]
    for claim in (*inference.claims.values(), *contested):
        for number, fit in claim.fits.items():
            amount[number], excitation[number] = fit.amount, fit.excitation
    species = strengths.species.take(line)
    light: FloatArray = strengths.relative[excitation.take(species), line] + 0.1 * OTHER_EXCITATIONS * _most().take(
        line
    )
    light *= amount.take(species)
    return light
