"""The comb of lines: how well the observed peaks fit all species' expected lines at every shift of the axis.

Observed and expected spectra are compressed (logarithm of height over noise, logarithm of strength), so that many lines
vote and no single one decides, and compared at every shift (cross-correlation of logarithmic spectra as in Tonry and
Davis, Astron. J. 84, 1511 (1979)). A species' comb has unit norm: every line that should be there and is not takes from
what the others can give. Shifts are scored far beyond those asked for: what chance can do is seen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oesd.engine.bands import LISTED
from oesd.engine.patterns import Float32Array, shipped_patterns
from oesd.engine.places import KEPT_AXES, on_a_ladder
from oesd.engine.priors import prior_nats
from oesd.engine.strengths import LAMP, STAGES, line_strengths
from oesd.engine.windows import FWHM_PER_SIGMA, binned
from oesd.model import FloatArray

BINS_PER_FWHM = 3.0
MAX_BINS = 4096
MAX_LAGS = 120
WINDOW_NM = 3.0  # shifts scored at least, ...
BEYOND_NM = 1.0  # ... and this much beyond those asked for
SIDE_WIDTHS = 4.0
SMEAR = np.exp(-0.5 * (np.arange(-3, 4) * FWHM_PER_SIGMA / BINS_PER_FWHM) ** 2)
DYNAMIC_RANGE = 300.0
FAINTEST = 10.0  # of DYNAMIC_RANGE
MOST_LINES = 25  # of a species: its strongest lines are seen first; a forest of weak ones fits every shift
VOTER = 0.01  # of the best species' sixth power: who fits this well at a shift tells where within the comb's bins it is
EQUILIBRIUM = 1  # the excitation used beside the lamp's


@dataclass(frozen=True, slots=True, eq=False)
class Combs:
    """Compressed expected spectra, a row for each species that has lines on the axis, filled up with weight 0.

    Attributes
    ----------
    place : (species, lines) int64
        Bin of the grid.
    weight : (species, lines) float32
    nm : (species, lines) float64
        Air wavelength of the light in the bin.
    """

    place: NDArray[np.int64]
    weight: Float32Array
    nm: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Shifts:
    """How well the peaks fit at every shift of the axis.

    Attributes
    ----------
    nm, score : (shifts,) float64
        Evenly spaced, symmetric about zero.
    width_nm : float
        Line width: shifts closer than that are not told apart.
    """

    nm: FloatArray
    score: FloatArray
    width_nm: float


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """What each species' comb adds to the score of every shift, (species, shifts) float32."""

    sixth: Float32Array
    combs: Combs

    def at(self, number: int) -> tuple[FloatArray, FloatArray]:
        """Lines of the species that fit best at one of the shifts: air wavelengths, nm, and how much each counts."""
        share = self.sixth[:, number]
        rows = (share > VOTER * share.max()).nonzero()[0]
        weight = (self.combs.weight[rows] * np.sqrt(share[rows])[:, None]).ravel()
        line = weight.nonzero()[0]
        return self.combs.nm[rows].ravel()[line], weight[line].astype(np.float64)


def shift_scores(
    center_nm: FloatArray,
    clarity: FloatArray,
    low_nm: float,
    high_nm: float,
    fwhm_nm: float,
    reach_nm: float,
) -> tuple[Shifts, Votes]:
    """Score of every shift within the reach and beyond it, and whose votes it is made of.

    Parameters
    ----------
    center_nm, clarity : (peaks,) float64
        Peaks on the device's axis, and their heights over noise.
    low_nm, high_nm : float
        Ends of the axis.
    fwhm_nm : float
        Line width in the middle of the axis.
    reach_nm : float
        How far off the axis may be.
    """
    width = max(on_a_ladder(fwhm_nm), (high_nm - low_nm) * BINS_PER_FWHM / MAX_BINS)
    step = width / BINS_PER_FWHM
    bins = int((high_nm - low_nm) / step) + 2
    wide = max(WINDOW_NM, reach_nm + BEYOND_NM, SIDE_WIDTHS * width)
    reach = int(min(np.ceil(wide / step), MAX_LAGS))
    combs = _combs(round(low_nm, 6), bins, step)
    observed = _observed(center_nm, np.log1p(0.5 * clarity), low_nm, step, bins, reach)
    shifted = _windows(observed, 2 * reach + 1)
    agreement = np.matmul(combs.weight[:, None, :], shifted.take(combs.place, axis=0))[:, 0]
    sixth = np.maximum(agreement, np.float32(0.0), out=agreement)
    sixth *= sixth
    sixth = sixth * sixth * sixth  # those species that fit best decide, and not how many there are
    shift_nm = np.arange(-float(reach), reach + 1.0) * step
    return Shifts(shift_nm, sixth.sum(axis=0, dtype=np.float64), width), Votes(sixth, combs)


def _windows(values: Float32Array, size: int) -> Float32Array:
    """All windows of so many values, a row each; numpy's sliding_window_view takes longer to be called than to copy."""
    each = values.itemsize
    view: Float32Array = np.ndarray((len(values) - size + 1, size), values.dtype, values, strides=(each, each))
    return view.copy()


def _observed(
    center_nm: FloatArray, weight: FloatArray, low_nm: float, step: float, bins: int, reach: int
) -> Float32Array:
    """Compressed spectrum on the grid and ``reach`` bins beyond: the highest of all peaks' shapes at each place.

    Its mean is taken off, its norm is one, and then it is smeared by one more line width: in place of all the combs.
    """
    half = int(2.0 * BINS_PER_FWHM)
    at = (center_nm - low_nm) / step
    near = np.rint(at).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    z = (near - at[:, None]) * (FWHM_PER_SIGMA / BINS_PER_FWHM)
    z *= z
    z *= -0.5
    values = np.exp(z, out=z)
    values *= weight[:, None]
    place = near + reach
    inside = (place >= 0) & (place < bins + 2 * reach)
    if not inside.all():
        place, values = place[inside], values[inside]
    grid = np.zeros(bins + 2 * reach)
    np.maximum.at(grid, place.ravel(), values.ravel())
    grid -= grid.sum() / len(grid)
    smeared = np.convolve(grid, SMEAR, mode="same")[: len(grid)] if len(grid) >= len(SMEAR) else grid
    return (smeared / max(float(np.sqrt(grid @ grid)), 1e-12)).astype(np.float32)


@lru_cache(maxsize=KEPT_AXES)
def _combs(low_nm: float, bins: int, step: float) -> Combs:
    """Combs of all species on the grid, each of unit norm when smeared by one line width, prior-weighted.

    A line counts with the better of its equilibrium and its lamp strength: which of the two rules is not known yet.
    """
    strengths, patterns = line_strengths(), shipped_patterns(step * BINS_PER_FWHM)
    lines = patterns.by_species
    place = np.rint((patterns.wl_nm[lines] - low_nm) / step).astype(np.int64)
    strength = np.maximum(patterns.relative[EQUILIBRIUM, lines], patterns.relative[LAMP, lines])
    used = (place >= 0) & (place < bins) & (patterns.species[lines] < strengths.species_count + len(LISTED))
    place, strength, lines = place[used], strength[used], lines[used]
    species = patterns.species[lines]
    first = np.flatnonzero(np.diff(species * bins + place, prepend=-1))
    if not len(first):
        return Combs(np.zeros((1, 1), dtype=np.int64), np.zeros((1, 1), dtype=np.float32), np.zeros((1, 1)))
    moment = np.add.reduceat(strength * patterns.wl_nm[lines], first)
    strength, place, species = np.add.reduceat(strength, first), place[first], species[first]
    middle_nm = moment / np.maximum(strength, 1e-30)
    strong, weight = _strongest(strength, species)
    place, species, weight, middle_nm = place[strong], species[strong], weight[strong], middle_nm[strong]
    prior = np.ones(patterns.species_count)
    prior[: strengths.species_count] = np.repeat(
        [np.exp(-0.15 * prior_nats(name)) for name in strengths.table.elements], STAGES
    )
    norm = _smeared_norm(place, species, weight, patterns.species_count)
    return _in_rows(species, place, weight * (prior / norm)[species], middle_nm)


def _in_rows(species: NDArray[np.int64], place: NDArray[np.int64], weight: FloatArray, nm: FloatArray) -> Combs:
    """One row for each species that has entries, filled up with nothing."""
    start = np.flatnonzero(np.diff(species, prepend=-1))
    row = np.repeat(np.arange(len(start)), np.diff(start, append=len(species)))
    column = np.arange(len(species)) - start[row]
    size = len(start), int(column.max()) + 1
    combs = Combs(np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.float32), np.zeros(size))
    combs.place[row, column], combs.weight[row, column], combs.nm[row, column] = place, weight, nm
    return combs


def _strongest(strength: FloatArray, species: NDArray[np.int64]) -> tuple[NDArray[np.int64], FloatArray]:
    """Entries of each species worth a vote, in the order given, and the logarithmic weight of all entries."""
    start = np.flatnonzero(np.diff(species, prepend=-1))
    count = np.diff(start, append=len(species))
    ratio = DYNAMIC_RANGE * strength / np.repeat(np.maximum.reduceat(strength, start), count)
    rank = np.empty(len(species), dtype=np.int64)
    rank[np.lexsort((-ratio, species))] = np.arange(len(species)) - np.repeat(start, count)
    return np.flatnonzero((ratio > FAINTEST) & (rank < MOST_LINES)), np.log1p(ratio)


def _smeared_norm(place: NDArray[np.int64], species: NDArray[np.int64], weight: FloatArray, count: int) -> FloatArray:
    """Norm of each species' comb after smearing: entries that overlap count together."""
    overlap = np.convolve(SMEAR, SMEAR)[len(SMEAR) - 1 :]
    square = overlap[0] * weight * weight
    far = len(overlap)
    shared = np.append(2.0 * overlap, 0.0)
    for ahead in range(1, min(far, len(place))):
        gap = np.where(species[ahead:] == species[:-ahead], place[ahead:] - place[:-ahead], far)
        square[:-ahead] += weight[:-ahead] * weight[ahead:] * shared[np.minimum(gap, far)]
    return np.sqrt(np.maximum(binned(species, square, count), 1e-30))
