"""Everything that the inference asks of one spectrum, laid out once: peaks, and places where nothing shines.

For every species and excitation: the light it would put into each observed peak (``into_peaks``), and the light it
would put where no peak is (its *absences*, gathered in bins of about half a line width).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oesd.engine.bands import SYSTEMS, band_heads
from oesd.engine.lines import IntArray
from oesd.engine.strengths import EXCITATIONS, STAGES, Strengths, line_strengths
from oesd.engine.windows import binned, filtered, gaussian_kernel
from oesd.model import FloatArray, MaskArray

MATCH_FWHM = 0.3  # 1 sigma of a line's distance from the peak it belongs to: blends pull centres
NEAR_FWHM = 0.75  # closer to a peak than this, a line is judged there and not as absent
BIN_FWHM = 0.6
SOFT_ROW = 1  # the excitation by which lines share a bin's softness
SURROUNDINGS_FWHM = 60.0
MATCH_WINDOW = 2.4  # in tolerances: a line this near a peak counts as meeting it
LONE_NATS = 3.5
SURPRISE_RANGE = (0.35, 1.2)


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The spectrum as the inference sees it, wavelengths already corrected by the plasma's own axis.

    Attributes
    ----------
    center_nm, center_sigma_nm, height, height_sigma : (peaks,) float64
    saturated : (peaks,) bool
    true_nm, net, sigma : (pixels,) float64
    fwhm_nm : float
        Line width; ``fwhm_px`` the same in pixels.
    axis_sigma_nm : float
    """

    center_nm: FloatArray
    center_sigma_nm: FloatArray
    height: FloatArray
    height_sigma: FloatArray
    saturated: MaskArray
    true_nm: FloatArray
    net: FloatArray
    sigma: FloatArray
    fwhm_nm: float
    fwhm_px: float
    axis_sigma_nm: float


@dataclass(frozen=True, slots=True, eq=False)
class Patterns:
    """Atomic lines and band heads in one list sorted by wavelength; species of bands follow those of elements.

    ``by_species`` are the lines' numbers in the order of species, then of wavelength.
    """

    wl_nm: FloatArray
    species: IntArray
    relative: FloatArray
    soft: MaskArray
    species_count: int
    by_species: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Sites of every species in one spectrum.

    Attributes
    ----------
    into_peaks : (EXCITATIONS, species, peaks) float64
    tolerance_nm : (peaks,) float64
        1 sigma of the distance between a line and the peak it belongs to.
    surprise : (peaks,) float64
        How much a line that meets this peak says, relative to a lone peak: little where peaks are so dense that any
        line meets one.
    first : (species + 1,) int64
        ``absent[:, first[k]:first[k + 1]]`` are the absences of species k.
    absent : (EXCITATIONS, bins) float64
        Strength expected there; ``absent_upper`` what is seen at most, ``absent_noise`` its error, ``absent_soft``
        the share of soft lines.
    """

    observed: Observed
    patterns: Patterns
    into_peaks: FloatArray
    tolerance_nm: FloatArray
    surprise: FloatArray
    first: IntArray
    absent: FloatArray
    absent_upper: FloatArray
    absent_noise: FloatArray
    absent_soft: FloatArray
    cache: dict[int, object] = field(default_factory=dict)


def patterns_of(strengths: Strengths) -> Patterns:
    """Merge the elements' lines and the molecules' heads."""
    band_nm, system, share = band_heads()
    wl = np.concatenate([strengths.table.wl_air_nm, band_nm])
    species = np.concatenate([strengths.species, strengths.species_count + system])
    relative = np.concatenate([strengths.relative, np.tile(share, (EXCITATIONS, 1))], axis=1)
    soft = np.concatenate([strengths.soft, np.zeros(len(band_nm), dtype=np.bool_)])
    order = np.argsort(wl, kind="stable")
    count = strengths.species_count + len(SYSTEMS)
    by_species = np.argsort(species[order], kind="stable")
    return Patterns(wl[order], species[order], relative[:, order], soft[order], count, by_species)


@cache
def shipped_patterns() -> Patterns:
    """Patterns of the shipped table, made once."""
    return patterns_of(line_strengths())


def band_species() -> range:
    """Species numbers of the molecular band systems."""
    first = len(line_strengths().table.elements) * STAGES
    return range(first, first + len(SYSTEMS))


def build_scene(observed: Observed, patterns: Patterns) -> Scene:
    """Lay out one spectrum."""
    tolerance = np.sqrt((MATCH_FWHM * observed.fwhm_nm) ** 2 + observed.center_sigma_nm**2 + observed.axis_sigma_nm**2)
    into_peaks = _into_peaks(observed, patterns, tolerance)
    first, absent, upper, noise, soft = _absences(observed, patterns)
    return Scene(
        observed, patterns, into_peaks, tolerance, _surprise(observed, tolerance), first, absent, upper, noise, soft
    )


def peak_lines(observed_nm: FloatArray, reach_nm: FloatArray, lines_nm: FloatArray) -> tuple[IntArray, IntArray]:
    """All (peak, line) pairs with the line within reach of the peak; two index arrays of equal length."""
    first = np.searchsorted(lines_nm, observed_nm - reach_nm, side="left")
    last = np.searchsorted(lines_nm, observed_nm + reach_nm, side="right")
    count = last - first
    peak = np.repeat(np.arange(len(count)), count)
    line = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return peak, line


def _surprise(observed: Observed, tolerance: FloatArray) -> FloatArray:
    """-ln of the chance that a random line meets a peak, from the local density of peaks, over ``LONE_NATS``."""
    center = observed.center_nm
    reach = SURROUNDINGS_FWHM * observed.fwhm_nm
    low = np.maximum(center - reach, observed.true_nm[0])
    high = np.minimum(center + reach, observed.true_nm[-1])
    neighbours = np.searchsorted(center, high, side="right") - np.searchsorted(center, low, side="left")
    chance = neighbours * MATCH_WINDOW * tolerance / np.maximum(high - low, 1e-12)
    surprise: FloatArray = np.clip(-np.log(np.clip(chance, 1e-6, 1.0)) / LONE_NATS, *SURPRISE_RANGE)
    return surprise


def _into_peaks(observed: Observed, patterns: Patterns, tolerance: FloatArray) -> FloatArray:
    peaks = len(observed.center_nm)
    peak, line = peak_lines(observed.center_nm, 2.2 * tolerance, patterns.wl_nm)
    z = (patterns.wl_nm[line] - observed.center_nm[peak]) / tolerance[peak]
    share = np.exp(-0.5 * z * z)
    keys = patterns.species[line] * peaks + peak
    size = patterns.species_count * peaks
    rows = [binned(keys, row[line] * share, size) for row in patterns.relative]
    return np.stack(rows).reshape(EXCITATIONS, patterns.species_count, peaks)


def _absences(
    observed: Observed, patterns: Patterns
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    lines = _lonely_lines(observed, patterns)
    wl, species = patterns.wl_nm[lines], patterns.species[lines]
    place = np.floor((wl - observed.true_nm[0]) / (BIN_FWHM * observed.fwhm_nm)).astype(np.int64)
    places = int(place.max(initial=0)) + 1
    keys = species * places + place
    start = np.flatnonzero(np.diff(keys, prepend=-1))
    upper, noise = _seen_at_most(observed, wl)
    weights = patterns.relative[:, lines]
    soft = (weights[SOFT_ROW] + 1e-15) * patterns.soft[lines]
    return (
        np.searchsorted(species[start], np.arange(patterns.species_count + 1)),
        np.add.reduceat(weights, start, axis=1),
        np.maximum.reduceat(upper, start),
        np.minimum.reduceat(noise, start),
        np.add.reduceat(soft, start) / np.add.reduceat(weights[SOFT_ROW] + 1e-15, start),
    )


def _lonely_lines(observed: Observed, patterns: Patterns) -> IntArray:
    """Lines on the axis that no peak is near to, by species and then by wavelength."""
    low, high = np.searchsorted(patterns.wl_nm, [observed.true_nm[0], observed.true_nm[-1]])
    wl = patterns.wl_nm[low:high]
    centers = np.concatenate([[-np.inf], observed.center_nm, [np.inf]])
    after = np.searchsorted(centers, wl)
    lonely = np.zeros(len(patterns.wl_nm), dtype=np.bool_)
    lonely[low:high] = np.minimum(centers[after] - wl, wl - centers[after - 1]) >= NEAR_FWHM * observed.fwhm_nm
    lines: IntArray = patterns.by_species[lonely[patterns.by_species]]
    return lines


def _seen_at_most(observed: Observed, wl: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Highest light near each wavelength after matched smoothing, and its noise."""
    kernel = gaussian_kernel(0.7 * observed.fwhm_px)
    smooth = np.maximum(filtered(observed.net, kernel), 0.0)
    noise = np.sqrt(filtered(observed.sigma**2, kernel * kernel))
    reach = max(1, round(0.35 * observed.fwhm_px))
    upper = sliding_window_view(np.pad(smooth, reach, mode="edge"), 2 * reach + 1).max(axis=1)
    return np.interp(wl, observed.true_nm, upper), np.interp(wl, observed.true_nm, noise)
