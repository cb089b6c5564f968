"""Everything that the inference asks of one spectrum, laid out once: peaks, and places where nothing shines.

For every species and excitation: the light it would put into each observed peak (``into_peaks``). The light it would
put where no peak is, its *absences*, is laid out for those species only that are worth it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from oesd.engine.lines import IntArray
from oesd.engine.patterns import Float32Array, Patterns, single
from oesd.engine.places import Places, on_a_ladder, places_on
from oesd.engine.strengths import EXCITATIONS, LAMP, REFERENCE_ROW
from oesd.engine.windows import filtered, gaussian_kernel
from oesd.model import FloatArray, MaskArray

MATCH_FWHM = 0.3  # 1 sigma of a line's distance from the peak it belongs to: blends pull centres
NEAR_FWHM = 0.75  # closer to a peak than this, a line is judged there and not as absent
SURROUNDINGS_FWHM = 60.0
REACH = 2.2  # in tolerances: farther lines put no light into a peak
LONE_NATS = 3.5
SURPRISE_RANGE = (0.35, 1.5)
FAR_FWHM = 0.25  # nine of ten lie within 0.2
CLOSE_FWHM = 0.1  # 1 sigma of a line's distance from the peak that it makes: the middle half of them lie within 0.06
QUIETEST = 1e-30  # counts: a synthetic spectrum may have no noise at all, and single precision cannot divide by less
AXIS_MARGIN_NM = 2.5  # an axis may be found to be this much off


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
class Absences:
    """Where some species should shine and no peak is; arrays (places,), in the order of species.

    Attributes
    ----------
    species : int32
    strength : (EXCITATIONS, places) float32
        What is expected there.
    upper, noise : float32
        What is seen there at most, and its error.
    soft : float32
        Share of lines of which only an intensity is known.
    """

    species: NDArray[np.int32]
    strength: Float32Array
    upper: Float32Array
    noise: Float32Array
    soft: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class _Dark:
    """The entries of an axis where this spectrum has no peak (``lonely``), and what is seen at most in each place."""

    places: Places
    lonely: MaskArray
    upper: Float32Array
    noise: Float32Array

    def chosen(self, entry: IntArray, strength: Float32Array) -> Absences:
        places, where = self.places, self.places.number[entry]
        return Absences(places.species[entry], strength, self.upper[where], self.noise[where], places.soft[entry])


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Sites of every species in one spectrum.

    Attributes
    ----------
    into_peaks : (EXCITATIONS, species, peaks) float32
    tolerance_nm : (peaks,) float64
        1 sigma of the distance between a line and the peak it belongs to.
    offset_nm : (species, peaks) float32
        Where a species' light in a peak is centred, relative to the peak.
    density : (peaks,) float64
        Peaks per nm around each peak.
    """

    observed: Observed
    patterns: Patterns
    into_peaks: Float32Array
    tolerance_nm: FloatArray
    offset_nm: Float32Array
    density: FloatArray
    dark: _Dark

    def surprise(self, species: IntArray, peak: IntArray) -> FloatArray:
        """How much it says that a species' light meets a peak, relative to a lone peak met closely.

        -ln of the chance that a random line comes this near to any peak: little where peaks are so dense that any line
        meets one, much where it meets the middle of a lone one.
        """
        seen = self.observed
        unsure = seen.center_sigma_nm**2 + seen.axis_sigma_nm**2
        close, far = ((width * seen.fwhm_nm) ** 2 + unsure for width in (CLOSE_FWHM, FAR_FWHM))
        square = self.offset_nm[species, peak].astype(np.float64) ** 2
        chance = 2.0 * self.density[peak] * np.sqrt(square + close[peak]) * (1.0 + square / far[peak])
        surprise: FloatArray = np.clip(-np.log(np.clip(chance, 1e-6, 1.0)) / LONE_NATS, *SURPRISE_RANGE)
        return surprise

    def absences(self, species: MaskArray) -> Absences:
        """Lay out the places without light of the chosen species, (species,)."""
        entry = np.flatnonzero(species[self.dark.places.species] & self.dark.lonely)
        return self.dark.chosen(entry, self.dark.places.strength[:, entry])

    def strong_absences(self, excitation: int) -> Absences:
        """Lay out the places where the strongest lines of any species are missing; ``strength`` is (1, places)."""
        strong = self.dark.places.strong[excitation]
        entry = strong[self.dark.lonely[strong]]
        return self.dark.chosen(entry, self.dark.places.strength[excitation, entry][None])


def build_scene(observed: Observed, patterns: Patterns) -> Scene:
    """Lay out one spectrum."""
    tolerance = np.sqrt((MATCH_FWHM * observed.fwhm_nm) ** 2 + observed.center_sigma_nm**2 + observed.axis_sigma_nm**2)
    into_peaks, offset_nm = _into_peaks(observed, patterns, tolerance)
    return Scene(observed, patterns, into_peaks, tolerance, offset_nm, _density(observed), _dark(observed, patterns))


def peak_lines(observed_nm: FloatArray, reach_nm: FloatArray, lines_nm: FloatArray) -> tuple[IntArray, IntArray]:
    """All (peak, line) pairs with the line within reach of the peak; two index arrays of equal length."""
    first = np.searchsorted(lines_nm, observed_nm - reach_nm, side="left")
    last = np.searchsorted(lines_nm, observed_nm + reach_nm, side="right")
    count = last - first
    peak = np.repeat(np.arange(len(count)), count)
    line = np.arange(count.sum()) + np.repeat(first - np.cumsum(count) + count, count)
    return peak, line


def _density(observed: Observed) -> FloatArray:
    """Peaks per nm around each peak; shape (peaks,)."""
    center = observed.center_nm
    reach = SURROUNDINGS_FWHM * observed.fwhm_nm
    low = np.maximum(center - reach, observed.true_nm[0])
    high = np.minimum(center + reach, observed.true_nm[-1])
    neighbours = np.searchsorted(center, high, side="right") - np.searchsorted(center, low, side="left")
    density: FloatArray = neighbours / np.maximum(high - low, 1e-12)
    return density


def _into_peaks(observed: Observed, patterns: Patterns, tolerance: FloatArray) -> tuple[Float32Array, Float32Array]:
    """Light of every species in every peak under each excitation, and where it is centred there."""
    peaks = len(observed.center_nm)
    peak, line = peak_lines(observed.center_nm, REACH * tolerance, patterns.wl_nm)
    offset = patterns.wl_nm[line] - observed.center_nm[peak]
    share = np.exp(-0.5 * (offset / tolerance[peak]) ** 2)
    keys = patterns.species[line] * peaks + peak
    into = np.empty((EXCITATIONS, patterns.species_count * peaks), dtype=np.float32)
    for row, relative in enumerate(patterns.relative):
        into[row] = np.bincount(keys, weights=relative[line] * share, minlength=into.shape[1])
    pull = share * offset * (patterns.relative[REFERENCE_ROW, line] + patterns.relative[LAMP, line])
    moment = np.bincount(keys, weights=pull, minlength=into.shape[1])
    centre = single(moment / np.maximum(into[REFERENCE_ROW] + into[LAMP], 1e-12))
    shape = (patterns.species_count, peaks)
    return into.reshape(EXCITATIONS, *shape), centre.reshape(shape)


def _dark(observed: Observed, patterns: Patterns) -> _Dark:
    low, high = float(observed.true_nm[0]), float(observed.true_nm[-1])
    width = on_a_ladder(observed.fwhm_nm)
    places = places_on(patterns, round(low - AXIS_MARGIN_NM), round(high + AXIS_MARGIN_NM), width)
    middle = _middle(places)
    upper, noise = _seen_at_most(observed, middle)
    return _Dark(places, _lonely(observed, middle)[places.number], upper, noise)


def _middle(places: Places) -> FloatArray:
    middle: FloatArray = 0.5 * (places.edges_nm[1:] + places.edges_nm[:-1])
    return middle


def _lonely(observed: Observed, middle: FloatArray) -> MaskArray:
    """Places on the axis whose middle no peak is near to."""
    near = NEAR_FWHM * observed.fwhm_nm
    size = len(middle) + 1
    entered = np.bincount(np.searchsorted(middle, observed.center_nm - near), minlength=size)
    left = np.bincount(np.searchsorted(middle, observed.center_nm + near), minlength=size)
    on_axis = (middle >= observed.true_nm[0]) & (middle <= observed.true_nm[-1])
    lonely: MaskArray = (np.cumsum(entered - left)[:-1] == 0) & on_axis
    return lonely


def _seen_at_most(observed: Observed, wl: FloatArray) -> tuple[Float32Array, Float32Array]:
    """Highest light near each wavelength after matched smoothing, and its noise."""
    kernel = gaussian_kernel(0.7 * observed.fwhm_px)
    smooth = np.maximum(filtered(observed.net, kernel), 0.0)
    noise = np.maximum(np.sqrt(filtered(observed.sigma**2, kernel * kernel)), QUIETEST)
    reach = max(1, round(0.35 * observed.fwhm_px))
    upper = sliding_window_view(np.pad(smooth, reach, mode="edge"), 2 * reach + 1).max(axis=1)
    pixel = np.rint(np.interp(wl, observed.true_nm, np.arange(len(smooth)))).astype(np.int64)
    return single(upper[pixel]), single(noise[pixel])
