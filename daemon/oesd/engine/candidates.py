"""Which line each peak may be: every plausible one with a probability.

The share of a found element in a peak is its expected light there; what nobody explains is spread thinly over the
lines of other elements within reach, by prominence, distance and prior, so that a person always has alternatives to
choose from.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from oesd.engine.claims import Inference
from oesd.engine.lines import IntArray
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
KEPT_PRIORS = 8


def weighed_lines(scene: Scene, inference: Inference, prior: Prior) -> tuple[IntArray, IntArray, FloatArray]:
    """Peak, line and probability of every pair within reach; probabilities of one peak add up to at most one."""
    seen, table = scene.observed, line_strengths().table
    peak, line = peak_lines(seen.center_nm, np.maximum(REACH * scene.tolerance_nm, seen.fwhm_nm), table.wl_air_nm)
    offset = table.wl_air_nm[line] - seen.center_nm[peak]
    z = offset / _closeness(scene)[peak]
    close = 1.0 / (1.0 + z * z)
    of, there = table.element[line], _found(table.elements, inference)
    faint = _element_base(table.elements, inference, prior)[of] * _prominence()[line] * close
    kept = np.flatnonzero((faint > LEAST_WEIGHT) | (there[of] & (close > 0.05)))
    peak, line, of = peak[kept], line[kept], of[kept]
    close, faint, offset = close[kept], faint[kept], offset[kept]
    share = _line_light(inference, line) / seen.height[peak]
    right = (FAINT_BASE + FOUND_BASE * np.sqrt(np.minimum(share, 1.0))) * close
    near = np.exp(-0.5 * (offset / scene.tolerance_nm[peak]) ** 2)
    weight = np.minimum(share * near, 1.0) + np.where(there[of], right, faint)
    sure = contenders(inference) | inference.probability
    certainty = np.array([sure.get(name, 0.5) for name in table.elements])
    total = np.bincount(peak, weights=weight, minlength=len(seen.height))
    unexplained = np.minimum(np.maximum(1.0 - inference.light / seen.height, 0.0), 1.0)
    return peak, line, weight * certainty[of] / (total + 0.3 * unexplained)[peak]


def _closeness(scene: Scene) -> FloatArray:
    """1 sigma of the distance between a peak and the line that makes it alone, nm; shape (peaks,)."""
    seen = scene.observed
    close: FloatArray = np.sqrt((CLOSE_FWHM * seen.fwhm_nm) ** 2 + seen.center_sigma_nm**2 + seen.axis_sigma_nm**2)
    return close


def _found(elements: tuple[str, ...], inference: Inference) -> MaskArray:
    """Which elements are claimed or contested; shape (elements,)."""
    there = inference.claims.keys() | contenders(inference).keys()
    return np.array([name in there for name in elements])


def contenders(inference: Inference) -> dict[str, float]:
    """Everybody of whom it could not be decided whether he is there, with his share of the probability."""
    return {name: share for contest in inference.contests for name, share in contest.share.items()}


def _element_base(elements: tuple[str, ...], inference: Inference, prior: Prior) -> FloatArray:
    """Weight of an unclaimed element's most prominent line, zero where it is not allowed; shape (elements,).

    An element whose other lines are missing has little left to hope for.
    """
    hope = np.array([inference.hope.get(name, -HOPELESS_NATS) for name in elements])
    bounded = np.minimum(np.maximum(hope, -HOPELESS_NATS), 0.0)
    base: FloatArray = np.exp(HOPE_WEIGHT * bounded) * _prior_base(elements, prior)
    return base


@lru_cache(maxsize=KEPT_PRIORS)
def _prior_base(elements: tuple[str, ...], prior: Prior) -> FloatArray:
    owed = np.array([prior_nats(name) for name in elements])
    allowed = np.array([prior.allows(name) for name in elements])
    base: FloatArray = np.where(allowed, OTHER_BASE * np.exp(-owed), 0.0)
    return base


@cache
def _prominence() -> FloatArray:
    """Prominence of every line of the shipped table as a share; shape (lines,)."""
    share: FloatArray = 10.0 ** np.minimum(line_strengths().table.prom, 0.0)
    return share


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
    species = strengths.species[line]
    light: FloatArray = strengths.relative[excitation[species], line] + 0.1 * OTHER_EXCITATIONS * _most()[line]
    light *= amount[species]
    return light
