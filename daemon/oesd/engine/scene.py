"""Everything that the inference asks of one spectrum, laid out once: peaks, and places where nothing shines.

A *site* is a peak that a species has light in. The places where no peak is stand beside them, the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.darkness import UNSEEN, Dark, darkness
from oesd.engine.lines import IntArray
from oesd.engine.losses import FLOOR_SIGMAS, MISSING_SCALE, STRENGTH_SPREAD, UNEXPLAINED_SCALE
from oesd.engine.observed import Observed
from oesd.engine.patterns import Float32Array, Patterns, single
from oesd.engine.places import Near, Places, places_of
from oesd.engine.strengths import EXCITATIONS, LAMP, REFERENCE_ROW
from oesd.model import FloatArray, MaskArray

MATCH_FWHM = 0.3  # 1 sigma of a line's distance from the peak it belongs to: blends pull centres
SURROUNDINGS_FWHM = 60.0
REACH = 2.2  # in tolerances: farther lines put no light into a peak
LONE_NATS = 3.5
SURPRISE_RANGE = (0.35, 1.5)
FAR_FWHM = 0.25  # nine of ten lie within 0.2
CLOSE_FWHM = 0.1  # 1 sigma of a line's distance from the peak that it makes: the middle half of them lie within 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Sites:
    """Peaks that each species has light in, in the order of species, then of peaks; arrays (sites,) unless said.

    Attributes
    ----------
    species, peak : int64
    first : (species + 1,) int64
        Sites of species k are ``first[k]:first[k + 1]``.
    light : (EXCITATIONS, sites) float32
        What a unit amount puts into the peak.
    expected : (EXCITATIONS, sites) float32
        The same in units of what is seen; ``per_unit`` is one count in them, ``floor`` the noise.
    log_height : float32
        Of the peak's height, counts.
    costs : (3, sites) float32
        What misfits cost, see :func:`oesd.engine.losses.peak_loss`.
    """

    species: IntArray
    peak: IntArray
    first: IntArray
    light: Float32Array
    expected: Float32Array
    per_unit: Float32Array
    floor: Float32Array
    log_height: Float32Array
    costs: Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One spectrum as the inference asks it.

    Attributes
    ----------
    tolerance_nm : (peaks,) float64
        1 sigma of the distance between a line and the peak it belongs to.
    """

    observed: Observed
    patterns: Patterns
    places: Places
    tolerance_nm: FloatArray
    sites: Sites
    dark: Dark

    def light(self, species: int, excitation: int) -> FloatArray:
        """Light of a unit amount of a species in every peak; shape (peaks,)."""
        light = np.zeros(len(self.observed.height))
        mine = slice(self.sites.first[species], self.sites.first[species + 1])
        light[self.sites.peak[mine]] = self.sites.light[excitation, mine]
        return light

    def most_light(self, species: int) -> FloatArray:
        """The same under whatever excitation it is most."""
        light = np.zeros(len(self.observed.height))
        mine = slice(self.sites.first[species], self.sites.first[species + 1])
        light[self.sites.peak[mine]] = self.sites.light[:, mine].max(axis=0)
        return light


def build_scene(observed: Observed, patterns: Patterns, among: MaskArray | None = None) -> Scene:
    """Lay out one spectrum, for all species or for those marked, (species,)."""
    tolerance = np.sqrt(
        (MATCH_FWHM * observed.peak_fwhm_nm) ** 2 + observed.center_sigma_nm**2 + observed.axis_sigma_nm**2
    )
    places = places_of(patterns, float(observed.true_nm[0]), float(observed.true_nm[-1]), observed.fwhm_nm)
    sites = sites_of(observed, places.near, patterns.species_count, tolerance, among)
    return Scene(observed, patterns, places, tolerance, sites, darkness(observed, places))


def runs(values: IntArray) -> IntArray:
    """Where runs of equal values begin."""
    begins = np.empty(len(values), dtype=np.bool_)
    begins[:1] = True
    np.not_equal(values[1:], values[:-1], out=begins[1:])
    return begins.nonzero()[0]


def lengths(start: IntArray, total: int) -> IntArray:
    """How long the runs are that begin there and end at ``total``."""
    length = np.empty_like(start)
    np.subtract(start[1:], start[:-1], out=length[:-1])
    length[-1:] = total - start[-1:]
    return length


def peak_lines(observed_nm: FloatArray, reach_nm: FloatArray, lines_nm: FloatArray) -> tuple[IntArray, IntArray]:
    """All (peak, line) pairs with the line within reach of the peak; two index arrays of equal length."""
    first = lines_nm.searchsorted(observed_nm - reach_nm)
    count = lines_nm.searchsorted(observed_nm + reach_nm, side="right") - first
    peak, end = np.arange(len(count)).repeat(count), count.cumsum()
    line = np.arange(len(peak))
    line += (first - end + count).repeat(count)
    return peak, line


def _density(observed: Observed) -> FloatArray:
    """Peaks per nm around each peak; shape (peaks,)."""
    center = observed.center_nm
    reach = SURROUNDINGS_FWHM * observed.peak_fwhm_nm
    low = np.maximum(center - reach, observed.true_nm[0])
    high = np.minimum(center + reach, observed.true_nm[-1])
    neighbours = center.searchsorted(high, side="right") - center.searchsorted(low)
    density: FloatArray = neighbours / np.maximum(high - low, 1e-12)
    return density


def sites_of(
    observed: Observed, near: Near, species_count: int, tolerance: FloatArray, among: MaskArray | None = None
) -> Sites:
    """Light of every species in every peak under each excitation, and what misfits cost there."""
    peak, line = peak_lines(observed.center_nm, REACH * tolerance, near.nm)
    owner = near.species.take(line)
    if among is not None:
        kept = np.flatnonzero(among[owner])
        peak, line, owner = peak[kept], line[kept], owner[kept]
    order = owner.argsort(kind="stable")
    peak, line, species = peak.take(order), line.take(order), owner.take(order).astype(np.int64)
    offset = near.nm.take(line) - observed.center_nm.take(peak)
    z = offset / tolerance.take(peak)
    z *= z
    z *= -0.5
    start = runs(species * len(tolerance) + peak)
    if not len(start):
        return _laid_out(observed, species_count, species, peak, near.relative.take(line, axis=1), offset)
    shown = np.empty((EXCITATIONS + 1, len(line)), dtype=np.float32)  # the last: how far from the middle that is
    relative, pull = shown[:-1], shown[-1]
    near.relative.take(line, axis=1, out=relative, mode="clip")  # no number is beyond the end: "raise" takes a copy
    relative *= np.exp(z, out=z).astype(np.float32)
    np.add(relative[REFERENCE_ROW], relative[LAMP], out=pull)
    pull *= offset
    summed = np.add.reduceat(shown, start, axis=1)
    light = summed[:-1]
    centre = summed[-1] / np.maximum(light[REFERENCE_ROW] + light[LAMP], 1e-12)
    return _laid_out(observed, species_count, species.take(start), peak.take(start), light, centre)


def _laid_out(
    observed: Observed,
    species_count: int,
    species: IntArray,
    peak: IntArray,
    light: Float32Array,
    offset_nm: FloatArray,
) -> Sites:
    """Sites with everything that the losses ask."""
    height, error = observed.height, observed.height_sigma
    unit = height + FLOOR_SIGMAS * error
    floor = FLOOR_SIGMAS * error / unit
    spread = 2.0 * (STRENGTH_SPREAD**2 + (floor / FLOOR_SIGMAS) ** 2)
    over = np.where(observed.saturated, 0.0, 1.0 / MISSING_SCALE) / spread
    logarithm = np.log(np.maximum(height, 1e-300))
    of_peak = single(np.array([1.0 / unit, np.maximum(floor, UNSEEN), 1.0 / spread, over, logarithm]))
    per_unit, at_least, sharp, missing, log_height = of_peak.take(peak, axis=1)
    costs = np.empty((3, len(peak)), dtype=np.float32)
    np.multiply(_surprise(observed, peak, offset_nm), UNEXPLAINED_SCALE, out=costs[0])
    np.divide(sharp, costs[0], out=costs[1])
    costs[2] = missing
    return Sites(
        species=species,
        peak=peak,
        first=species.searchsorted(np.arange(species_count + 1)),
        light=light,
        expected=light * per_unit,
        per_unit=per_unit,
        floor=at_least,
        log_height=log_height,
        costs=costs,
    )


def _surprise(observed: Observed, peak: IntArray, offset_nm: FloatArray) -> FloatArray:
    """How much it says that a species' light meets a peak, relative to a lone peak met closely.

    -ln of the chance that a random line comes this near to any peak: little where peaks are so dense that any line
    meets one, much where it meets the middle of a lone one.
    """
    unsure = observed.center_sigma_nm * observed.center_sigma_nm + observed.axis_sigma_nm**2
    close, far = ((width * observed.peak_fwhm_nm) ** 2 + unsure for width in (CLOSE_FWHM, FAR_FWHM))
    density, close, far = np.array([2.0 * _density(observed), close, 1.0 / far]).take(peak, axis=1)
    square = offset_nm * offset_nm
    chance: FloatArray = np.sqrt(square + close) * density
    chance *= 1.0 + square * far
    least, most = np.exp(-LONE_NATS * SURPRISE_RANGE[1]), np.exp(-LONE_NATS * SURPRISE_RANGE[0])
    surprise: FloatArray = np.log(np.minimum(np.maximum(chance, least), most))
    surprise *= -1.0 / LONE_NATS
    return surprise
