"""Which line each peak may be: every plausible one with a probability, in order of preference.

The share of a found element in a peak is its expected light there; what nobody explains is spread thinly over the
lines of other elements within reach, by prominence, distance and prior, so that a person always has alternatives to
choose from.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from oesd.engine.assignment import Claim, Inference
from oesd.engine.lines import IntArray
from oesd.engine.priors import prior_nats
from oesd.engine.scene import Scene, peak_lines
from oesd.engine.strengths import Strengths, line_strengths
from oesd.model import Candidate, FloatArray

MAX_CANDIDATES = 8
FOUND_BASE = 0.03  # a found element's weaker lines, as a share of the peak, before others are asked
OTHER_BASE = 0.004
NAMED_ABOVE = 0.5
DOUBT_SHARE = 0.04  # a peak of which a found element explains so little is as likely something else
WORST_PROMINENCE = -2.5
OTHER_EXCITATIONS = 0.2  # a plasma is not one temperature: lines that another excitation favours count this much


@dataclass(frozen=True, slots=True)
class Naming:
    """What one peak is called, how surely, and what else it may be."""

    element: str | None
    probability: float
    candidates: tuple[Candidate, ...]


def name_peaks(scene: Scene, inference: Inference, allowed: Collection[str]) -> list[Naming]:
    """Name every peak of the scene, in its order."""
    strengths = line_strengths()
    peak, line, weight = _weighed_lines(scene, inference, strengths, allowed)
    order = np.lexsort((line, -weight, peak))
    peak, line, weight = peak[order], line[order], weight[order]
    bounds = np.searchsorted(peak, np.arange(len(scene.observed.height) + 1))
    named = _named_elements(scene, inference)
    return [
        _naming(strengths, line[first:last], weight[first:last], named[number])
        for number, (first, last) in enumerate(pairwise(bounds.tolist()))
    ]


def _weighed_lines(
    scene: Scene, inference: Inference, strengths: Strengths, allowed: Collection[str]
) -> tuple[IntArray, IntArray, FloatArray]:
    """Peak, line and probability of every pair within reach; probabilities of one peak add up to at most one."""
    seen, table = scene.observed, strengths.table
    reach = np.maximum(2.2 * scene.tolerance_nm, seen.fwhm_nm)
    peak, line = peak_lines(seen.center_nm, reach, table.wl_air_nm)
    usable = _line_base(strengths, inference, allowed)
    keep = usable[line] > 0.0
    peak, line = peak[keep], line[keep]
    z = (table.wl_air_nm[line] - seen.center_nm[peak]) / scene.tolerance_nm[peak]
    near = np.exp(-0.5 * z * z)
    light = _line_light(strengths, inference)[line] * near / seen.height[peak]
    weight = np.minimum(light, 1.0) + usable[line] * near
    certainty = _certainty(strengths, inference)[line]
    total = np.bincount(peak, weights=weight, minlength=len(seen.height))
    unexplained = np.clip(1.0 - inference.light / seen.height, 0.0, 1.0)
    return peak, line, weight * certainty / (total + 0.3 * unexplained)[peak]


def _line_base(strengths: Strengths, inference: Inference, allowed: Collection[str]) -> FloatArray:
    """Weight of a line for being prominent, zero where its element is not allowed; shape (lines,)."""
    table = strengths.table
    per_element = np.array(
        [
            0.0
            if name not in allowed
            else FOUND_BASE
            if name in inference.claims
            else OTHER_BASE * np.exp(-prior_nats(name))
            for name in table.elements
        ]
    )
    return per_element[table.element] * _prominence()


@cache
def _prominence() -> FloatArray:
    """Prominence of every line of the shipped table as a share, zero for the faintest; shape (lines,)."""
    prom = line_strengths().table.prom
    share: FloatArray = np.where(prom > WORST_PROMINENCE, 10.0 ** np.minimum(prom, 0.0), 0.0)
    return share


def _line_light(strengths: Strengths, inference: Inference) -> FloatArray:
    """Expected light of every line of the found elements, counts."""
    light = np.zeros(len(strengths.table))
    for claim in inference.claims.values():
        for species, fit in claim.fits.items():
            mine = strengths.species == species
            relative = strengths.relative[:, mine]
            light[mine] += fit.amount * (relative[fit.excitation] + 0.1 * OTHER_EXCITATIONS * relative.max(axis=0))
    return light


def _certainty(strengths: Strengths, inference: Inference) -> FloatArray:
    """Probability that the line's element is there; one half for what was not asked for by the inference."""
    per_element = np.array([inference.probability.get(name, 0.5) for name in strengths.table.elements])
    return per_element[strengths.table.element]


def _named_elements(scene: Scene, inference: Inference) -> list[tuple[str | None, float]]:
    """Element and probability of each peak: the one with most light there, if it explains enough of it."""
    height = scene.observed.height
    if not inference.claims or not len(height):
        return [(None, 0.0)] * len(height)
    names = list(inference.claims)
    possible = np.stack([_other_light(scene, inference.claims[name]) for name in names])
    light = np.stack([inference.claims[name].light for name in names]) + 0.1 * possible
    bands = sum((claim.light for claim in inference.bands.values()), np.zeros(len(height)))
    share = light / np.maximum(light.sum(axis=0) + bands, 1e-300)
    first = share.argmax(axis=0)
    total = (light + possible).sum(axis=0)
    explained = total / (total + DOUBT_SHARE * height)
    sure = np.array([inference.probability[name] for name in names])
    probability = share[first, np.arange(len(height))] * explained * sure[first]
    return [(names[i] if p >= NAMED_ABOVE else None, float(p)) for i, p in zip(first, probability, strict=True)]


def _other_light(scene: Scene, claim: Claim) -> FloatArray:
    """What an element may show in every peak if it is excited otherwise than fitted; shape (peaks,)."""
    light = np.zeros(len(claim.light))
    for species, fit in claim.fits.items():
        light += OTHER_EXCITATIONS * fit.amount * scene.into_peaks[:, species].max(axis=0)
    return light


def _naming(strengths: Strengths, lines: IntArray, weights: FloatArray, named: tuple[str | None, float]) -> Naming:
    """Candidates of one peak by weight, the named element's lines first, keys unique."""
    table = strengths.table
    element, probability = named
    found: dict[str, tuple[str, int, float, float]] = {}
    for line, weight in zip(lines[: 3 * MAX_CANDIDATES].tolist(), weights.tolist(), strict=False):
        symbol, wavelength = table.elements[table.element[line]], float(table.wl_air_nm[line])
        found.setdefault(f"{symbol}_{wavelength:.1f}", (symbol, int(table.stage[line]), wavelength, weight))
        if len(found) >= MAX_CANDIDATES:
            break
    mine = sum(weight for symbol, _, _, weight in found.values() if symbol == element)
    rest = sum(weight for symbol, _, _, weight in found.values() if symbol != element)
    if element is None or mine <= 0.0:
        element, up, down = None, 1.0, 1.0
    else:
        up, down = probability / mine, min(1.0, (1.0 - probability) / max(rest, 1e-300))
    candidates = [
        Candidate(key, symbol, stage, round(wavelength, 4), round(weight * (up if symbol == element else down), 4))
        for key, (symbol, stage, wavelength, weight) in found.items()
    ]
    candidates.sort(key=lambda c: c.element != element if element else False)
    return Naming(element, round(probability, 4) if element else 0.0, tuple(candidates))
