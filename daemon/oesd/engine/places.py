"""What every species would show along one wavelength axis: worked out once per axis, kept for the spectra to come.

A *place* is a stretch of ``PLACE_FWHM`` line widths. All lines of a species within one place are one entry: their
strengths add up, for the instrument does not tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.engine.lines import IntArray
from oesd.engine.losses import LEAST_STRENGTH, MISSING_SCALE, SOFT_ABSENCE
from oesd.engine.patterns import Float32Array, Patterns
from oesd.engine.strengths import LAMP, REFERENCE_ROW
from oesd.model import FloatArray, MaskArray

PLACE_FWHM = 0.6
LADDER = 1.05
FAINTEST = 1e-3  # of the species' strongest entry on the axis: the absence of anything fainter says nothing
NARROWEST_NM = 0.002
KEPT_AXES = 8  # of a few devices, some of which are now at one and now at the next width of the ladder; 1 to 3 MB each
AXIS_MARGIN_NM = 2.5  # an axis may be found to be this much off
SCREENED_ROWS = (0, 2, LAMP)  # excitations of the screening
MOST_SCREENED = 12  # strongest entries of a species that the screening asks for


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Lines on the axis that are not hopelessly faint, by wavelength; arrays (lines,).

    Attributes
    ----------
    nm : float64
    species : int16
    relative : (EXCITATIONS, lines) float32
    """

    nm: FloatArray
    species: NDArray[np.int16]
    relative: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Entries in the order of species, then of wavelength; arrays (entries,) unless said.

    Attributes
    ----------
    edges_nm : (places + 1,) float64
        Where the places end.
    number : int64
        The entry's place.
    first : (species + 1,) int64
        Entries of species k are ``first[k]:first[k + 1]``.
    strength : (EXCITATIONS, entries) float32
        What is expected for a unit amount.
    known : float32
        What the absence of a strong line says, nats: less of one that is known by intensity only.
    strong_place : (MOST_SCREENED, len(SCREENED_ROWS), species) int64
        Places of the entries that the screening asks for, strongest first; ``strong_strength`` and ``strong_known``
        are theirs, zero where there are no more.
    near : Near
    """

    edges_nm: FloatArray
    number: IntArray
    first: IntArray
    strength: Float32Array
    known: Float32Array
    strong_place: IntArray
    strong_strength: Float32Array
    strong_known: Float32Array
    near: Near


def on_a_ladder(fwhm_nm: float) -> float:
    """Nearest of widths 5 % apart: places are kept by width, and each spectrum teaches a slightly different one."""
    return float(LADDER ** round(log(fwhm_nm) / log(LADDER)))


def places_of(patterns: Patterns, low_nm: float, high_nm: float, fwhm_nm: float) -> Places:
    """Places of an axis with this line width; the next spectrum of the same axis finds them made."""
    return _places(patterns, round(low_nm - AXIS_MARGIN_NM), round(high_nm + AXIS_MARGIN_NM), on_a_ladder(fwhm_nm))


@lru_cache(maxsize=KEPT_AXES)
def _places(patterns: Patterns, low_nm: float, high_nm: float, fwhm_nm: float) -> Places:
    width = max(PLACE_FWHM * fwhm_nm, NARROWEST_NM)
    lines = _on_axis(patterns, low_nm, high_nm)
    species = patterns.species[lines]
    number = np.floor((patterns.wl_nm[lines] - low_nm) / width).astype(np.int64)
    edges: FloatArray = low_nm + width * np.arange(int(number.max(initial=0)) + 2.0)
    start = np.flatnonzero(np.diff(species * len(edges) + number, prepend=-1))
    owner, number, count = species[start], number[start], patterns.species_count
    strength = _added(patterns.relative, lines, start)
    top = _tops(strength, owner, count)
    near = _near(patterns, lines, species, top)
    known = _known(patterns, lines, start)
    keep = np.flatnonzero(_worth_asking(strength, owner, top))
    strength, owner, number, known = strength.take(keep, axis=1), owner[keep], number[keep], known[keep]
    strong = _strong(strength, owner, count)
    return Places(
        edges_nm=edges,
        number=number,
        first=np.searchsorted(owner, np.arange(count + 1)),
        strength=strength,
        known=known,
        strong_place=_of_strong(number[None], strong),
        strong_strength=_of_strong(strength, strong),
        strong_known=_of_strong(known[None], strong),
        near=near,
    )


def _on_axis(patterns: Patterns, low_nm: float, high_nm: float) -> IntArray:
    """Lines between these wavelengths, in the order of species, then of wavelength."""
    first, last = np.searchsorted(patterns.wl_nm, [low_nm, high_nm])
    lines: IntArray = patterns.by_species[(patterns.by_species >= first) & (patterns.by_species < last)]
    return lines


def _added(relative: Float32Array, lines: IntArray, start: IntArray) -> Float32Array:
    """Sums of the lines' strengths from each start to the next; a row at a time, for all at once take much memory."""
    added = np.zeros((len(relative), len(start)), dtype=np.float32)
    if len(start):
        for row, sums in zip(relative, added, strict=True):
            np.add.reduceat(row.take(lines), start, out=sums)
    return added


def _known(patterns: Patterns, lines: IntArray, start: IntArray) -> Float32Array:
    """What the absence of each entry says, nats: by the share of its light that is known by intensity only."""
    if not len(start):
        return np.zeros(0, dtype=np.float32)
    light = patterns.relative[REFERENCE_ROW].take(lines)
    light += np.float32(LEAST_STRENGTH)
    all_light = np.add.reduceat(light, start)
    light *= patterns.soft[lines]
    soft = np.add.reduceat(light, start) / all_light
    known: Float32Array = (MISSING_SCALE * (1.0 - (1.0 - SOFT_ABSENCE) * soft)).astype(np.float32, copy=False)
    return known


def _tops(strength: Float32Array, species: IntArray, count: int) -> Float32Array:
    """Strongest entry of every species under each excitation; 0 for those without."""
    top = np.zeros((len(strength), count), dtype=np.float32)
    start = np.flatnonzero(np.diff(species, prepend=-1))
    if len(start):
        top[:, species[start]] = np.maximum.reduceat(strength, start, axis=1)
    return top


def _worth_asking(strength: Float32Array, species: IntArray, top: Float32Array) -> MaskArray:
    """Which are under some excitation not hopelessly faint beside the species' strongest."""
    worth = np.zeros(strength.shape[1], dtype=np.bool_)
    for row, most in zip(strength, np.float32(FAINTEST) * top, strict=True):  # one at a time: all at once take 10 MB
        worth |= row > most[species]
    return worth


def _strong(strength: Float32Array, species: IntArray, count: int) -> IntArray:
    """Entries of each species under each screened excitation, strongest first; -1 where there are no more."""
    strong = np.full((MOST_SCREENED, len(SCREENED_ROWS), count), -1)
    first = np.searchsorted(species, np.arange(count))
    for number, row in enumerate(SCREENED_ROWS):
        order = np.lexsort((-strength[row], species))
        rank = np.arange(len(order)) - first[species[order]]
        kept = rank < MOST_SCREENED
        strong[rank[kept], number, species[order[kept]]] = order[kept]
    return strong


def _of_strong(values: NDArray[Any], strong: IntArray) -> NDArray[Any]:
    """Values, (1 or EXCITATIONS, entries), of the entries that the screening asks for; 0 where there is none."""
    if not values.shape[1]:
        return np.zeros(strong.shape, dtype=values.dtype)
    rows = np.minimum(np.array(SCREENED_ROWS), len(values) - 1)[:, None]
    chosen: NDArray[Any] = values[rows, np.maximum(strong, 0)]
    chosen[strong < 0] = 0
    return chosen


def _near(patterns: Patterns, lines: IntArray, species: IntArray, top: Float32Array) -> Near:
    """Those of the lines that are under some excitation not hopelessly faint beside the species' strongest entry."""
    worth = np.zeros(len(lines), dtype=np.bool_)
    for row, most in zip(patterns.relative, np.float32(FAINTEST) * top, strict=True):
        worth |= row.take(lines) > most[species]
    kept = np.sort(lines[worth])
    return Near(patterns.wl_nm[kept], patterns.species[kept].astype(np.int16), patterns.relative.take(kept, axis=1))
