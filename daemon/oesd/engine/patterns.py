"""Atomic lines and molecular bands as one list: what the inference compares a spectrum with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oesd.engine.bands import SYSTEMS, band_peaks, width_number
from oesd.engine.lines import IntArray
from oesd.engine.strengths import STAGES, Strengths, line_strengths
from oesd.model import FloatArray, MaskArray

Float32Array = NDArray[np.float32]
LARGEST = 1e18
KEPT_WIDTHS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Lines and peaks of bands sorted by wavelength; species of bands follow those of elements.

    Attributes
    ----------
    wl_nm : (lines,) float64
    species : (lines,) int64
    relative : (EXCITATIONS, lines) float32
    soft : (lines,) bool
        Strength known by intensity only.
    species_count : int
    by_species : (lines,) int64
        The lines' numbers in the order of species, then of wavelength; those of species k are
        ``by_species[first[k]:first[k + 1]]``.
    """

    wl_nm: FloatArray
    species: IntArray
    relative: Float32Array
    soft: MaskArray
    species_count: int
    by_species: IntArray
    first: IntArray

    def lines_of(self, species: list[int]) -> IntArray:
        """Numbers of all lines of these species, by wavelength; at least one species."""
        lines = np.concatenate([self.by_species[self.first[one] : self.first[one + 1]] for one in species])
        lines.sort(kind="stable")  # as many ascending runs as species: merged, not sorted
        return lines


def patterns_of(strengths: Strengths, width: int) -> Patterns:
    """Merge the elements' lines and the peaks of molecules' bands, as lines of a width (by its number) show them."""
    band_nm, system, share = band_peaks(width)
    wl = np.concatenate([strengths.table.wl_air_nm, band_nm])
    species = np.concatenate([strengths.species, strengths.species_count + system])
    bands = share[np.minimum(np.arange(len(strengths.relative)), len(share) - 1)]  # fewer temperatures than excitations
    relative = np.concatenate([strengths.relative, bands], axis=1).astype(np.float32)
    soft = np.concatenate([strengths.soft, np.zeros(len(band_nm), dtype=np.bool_)])
    order = np.argsort(wl, kind="stable")
    count = strengths.species_count + len(SYSTEMS)
    by_species = np.argsort(species[order], kind="stable")
    first = np.searchsorted(species[order][by_species], np.arange(count + 1))
    return Patterns(wl[order], species[order], relative[:, order], soft[order], count, by_species, first)


def single(values: FloatArray) -> Float32Array:
    """Single precision; what is too large for it is as large as its squares allow."""
    return np.minimum(values, LARGEST).astype(np.float32)


def shipped_patterns(fwhm_nm: float) -> Patterns:
    """Patterns of the shipped table for a line width, made once."""
    return _shipped(width_number(fwhm_nm))


@lru_cache(maxsize=KEPT_WIDTHS)
def _shipped(width: int) -> Patterns:
    return patterns_of(line_strengths(), width)


def band_species() -> range:
    """Species numbers of the molecular band systems."""
    first = len(line_strengths().table.elements) * STAGES
    return range(first, first + len(SYSTEMS))
