"""What every species would show along one wavelength axis: worked out once per axis, kept for the spectra to come.

A *place* is a stretch of ``PLACE_FWHM`` line widths. All lines of a species within one place are one entry: their
strengths add up, for the instrument does not tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oesd.engine.lines import IntArray
from oesd.engine.patterns import Float32Array, Patterns
from oesd.engine.strengths import REFERENCE_ROW
from oesd.model import FloatArray, MaskArray

PLACE_FWHM = 0.6
LADDER = 1.05
FAINTEST = 1e-3  # of the species' strongest entry on the axis: the absence of anything fainter says nothing
STRONG = 0.15  # of the species' strongest line
NARROWEST_NM = 0.002
KEPT_AXES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Entries in the order of species, then of wavelength; arrays (entries,) unless said.

    Attributes
    ----------
    edges_nm : (places + 1,) float64
        Where the places end.
    number : int32
        The entry's place.
    first : (species + 1,) int64
        Entries of species k are ``first[k]:first[k + 1]``; ``species`` says the same for each entry.
    strength : (EXCITATIONS, entries) float32
    soft : float32
        Share of lines of which only an intensity is known.
    strong : tuple of int64
        For each excitation the entries above ``STRONG``.
    """

    edges_nm: FloatArray
    number: NDArray[np.int32]
    species: NDArray[np.int32]
    first: IntArray
    strength: Float32Array
    soft: Float32Array
    strong: tuple[IntArray, ...]


def on_a_ladder(fwhm_nm: float) -> float:
    """Nearest of widths 5 % apart: places are kept by width, and each spectrum teaches a slightly different one."""
    return float(LADDER ** round(np.log(fwhm_nm) / np.log(LADDER)))


@lru_cache(maxsize=KEPT_AXES)
def places_on(patterns: Patterns, low_nm: float, high_nm: float, fwhm_nm: float) -> Places:
    """Entries of all species between two wavelengths for one line width.

    Parameters
    ----------
    patterns : Patterns
    low_nm, high_nm, fwhm_nm : float
        Rounded (:func:`on_a_ladder`), so that the next spectrum finds what this one has worked out.
    """
    width = max(PLACE_FWHM * fwhm_nm, NARROWEST_NM)
    ordered = patterns.wl_nm[patterns.by_species]
    lines = patterns.by_species[(ordered >= low_nm) & (ordered <= high_nm)]
    wl, species = patterns.wl_nm[lines], patterns.species[lines]
    number = np.floor((wl - low_nm) / width).astype(np.int64)
    edges: FloatArray = low_nm + width * np.arange(int(number.max(initial=0)) + 2.0)
    start = np.flatnonzero(np.diff(species * len(edges) + number, prepend=-1))
    weight = patterns.relative[:, lines]
    strength = np.add.reduceat(weight, start, axis=1) if len(start) else weight
    light = weight[REFERENCE_ROW].astype(np.float64) + 1e-15
    keep = _worth_asking(strength, species[start])
    owner = species[start][keep]
    kept = np.ascontiguousarray(strength[:, keep])
    return Places(
        edges_nm=edges,
        number=number[start][keep].astype(np.int32),
        species=owner.astype(np.int32),
        first=np.searchsorted(owner, np.arange(patterns.species_count + 1)),
        strength=kept,
        soft=_mean(patterns.soft[lines].astype(np.float64), light, start)[keep].astype(np.float32),
        strong=tuple(np.flatnonzero(row > np.float32(STRONG)) for row in kept),
    )


def _mean(values: FloatArray, weight: FloatArray, start: IntArray) -> FloatArray:
    if not len(start):
        return np.zeros(0)
    mean: FloatArray = np.add.reduceat(values * weight, start) / np.add.reduceat(weight, start)
    return mean


def _worth_asking(strength: Float32Array, species: IntArray) -> MaskArray:
    """Entries that under some excitation are not hopelessly faint beside the species' strongest."""
    start = np.flatnonzero(np.diff(species, prepend=-1))
    if not len(start):
        return np.zeros(0, dtype=np.bool_)
    top = np.maximum.reduceat(strength, start, axis=1)
    owner = np.repeat(np.arange(len(start)), np.diff(start, append=len(species)))
    return np.asarray((strength > np.float32(FAINTEST) * top[:, owner]).any(axis=0), dtype=np.bool_)
