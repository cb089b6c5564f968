"""The plasma calibrates the axis: how far the device's wavelengths are from the truth, from the whole comb of lines.

Observed and expected spectra are compressed (logarithm of height over noise, logarithm of strength), so that many lines
vote and no single one decides, and compared at every shift within ``REACH_NM``; the shift at which some species fit
best wins (cross-correlation of logarithmic spectra as in Tonry and Davis, Astron. J. 84, 1511 (1979)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from oesd.engine.patterns import Float32Array, shipped_patterns
from oesd.engine.places import on_a_ladder
from oesd.engine.priors import prior_nats
from oesd.engine.strengths import LAMP, STAGES, line_strengths
from oesd.engine.windows import FWHM_PER_SIGMA, binned, median
from oesd.model import FloatArray

REACH_NM = 0.65
BINS_PER_FWHM = 3.0
MAX_BINS = 4096
MAX_LAGS = 120
SMEAR = np.exp(-0.5 * (np.arange(-3, 4) * FWHM_PER_SIGMA / BINS_PER_FWHM) ** 2)
FAINTEST = 3.0  # of DYNAMIC_RANGE
DYNAMIC_RANGE = 300.0
TYPICAL_ERROR = 0.7  # of the reach
EQUILIBRIUM = 2  # the excitation used beside the lamp's


@dataclass(frozen=True, slots=True)
class Axis:
    """Correction of the axis: true = device - shift_nm - stretch * (device - pivot_nm)."""

    shift_nm: float = 0.0
    stretch: float = 0.0
    pivot_nm: float = 0.0
    sigma_nm: float = 0.1
    sure: bool = False

    def true_nm(self, device_nm: FloatArray) -> FloatArray:
        """Air wavelengths of positions on the device's axis."""
        return device_nm - self.shift_nm - self.stretch * (device_nm - self.pivot_nm)

    def device_nm(self, true_nm: FloatArray) -> FloatArray:
        """Positions on the device's axis of air wavelengths."""
        return (true_nm + self.shift_nm - self.stretch * self.pivot_nm) / (1.0 - self.stretch)


def coarse_axis(
    center_nm: FloatArray,
    height: FloatArray,
    noise: FloatArray,
    low_nm: float,
    high_nm: float,
    fwhm_nm: float,
    reach_nm: float = REACH_NM,
) -> Axis:
    """Best shift over all species; unsure (and zero) when the peaks fit nothing.

    Parameters
    ----------
    center_nm, height, noise : (peaks,) float64
        Peaks on the device's axis, their heights and the errors of these.
    low_nm, high_nm : float
        Ends of the axis.
    fwhm_nm : float
        Line width in the middle of the axis.
    reach_nm : float
        How far off the axis may be.
    """
    if not len(center_nm):
        return Axis()
    width = max(on_a_ladder(fwhm_nm), (high_nm - low_nm) * BINS_PER_FWHM / MAX_BINS)
    step = width / BINS_PER_FWHM
    bins = int((high_nm - low_nm) / step) + 2
    reach = int(min(np.ceil(reach_nm / step), MAX_LAGS))
    combs = _combs(round(low_nm, 6), bins, step)
    observed = _observed(center_nm, np.log1p(0.5 * height / noise), low_nm, step, bins, reach)
    lags = np.arange(-reach, reach + 1)
    met = sliding_window_view(observed, len(lags))[combs.place] * combs.weight[:, None]
    agreement = np.clip(np.add.reduceat(met, combs.start, axis=0), 0.0, None).astype(np.float64)
    score = (agreement**4).sum(axis=0) * np.exp(-0.5 * (lags * step / (TYPICAL_ERROR * reach_nm)) ** 2)
    best = int(np.argmax(score))
    if score[best] <= 0.0:
        return Axis()
    return Axis(shift_nm=float((lags[best] + _vertex(score, best)) * step), sigma_nm=0.08 * fwhm_nm, sure=True)


def _vertex(score: FloatArray, best: int) -> float:
    if not 0 < best < len(score) - 1:
        return 0.0
    left, top, right = score[best - 1 : best + 2]
    return float(0.5 * (left - right) / min(left - 2.0 * top + right, -1e-300))


def _observed(
    center_nm: FloatArray, weight: FloatArray, low_nm: float, step: float, bins: int, reach: int
) -> Float32Array:
    """Compressed spectrum on the grid and ``reach`` bins beyond: the highest of all peaks' shapes at each place.

    Its mean is taken off, its norm is one, and then it is smeared by one more line width: in place of all the combs.
    """
    half = int(2.0 * BINS_PER_FWHM)
    near = np.rint((center_nm - low_nm) / step).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    z = (near * step + low_nm - center_nm[:, None]) / (BINS_PER_FWHM * step / FWHM_PER_SIGMA)
    values = weight[:, None] * np.exp(-0.5 * z * z)
    place = near + reach
    inside = (place >= 0) & (place < bins + 2 * reach)
    grid = np.zeros(bins + 2 * reach)
    np.maximum.at(grid, place[inside], values[inside])
    grid -= grid.mean()
    smeared = np.convolve(grid, SMEAR, mode="same")[: len(grid)] if len(grid) >= len(SMEAR) else grid
    return (smeared / max(float(np.linalg.norm(grid)), 1e-12)).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Combs:
    """Compressed expected spectra: entries in the order of species, ``start`` where each one's begin."""

    place: NDArray[np.int32]
    weight: Float32Array
    start: NDArray[np.int64]


@lru_cache(maxsize=4)
def _combs(low_nm: float, bins: int, step: float) -> _Combs:
    """Combs of all species on the grid, each of unit norm when smeared by one line width, prior-weighted.

    A line counts with the better of its equilibrium and its lamp strength: which of the two rules is not known yet.
    """
    strengths, patterns = line_strengths(), shipped_patterns()
    lines = patterns.by_species
    place = np.rint((patterns.wl_nm[lines] - low_nm) / step).astype(np.int64)
    strength = np.maximum(patterns.relative[EQUILIBRIUM, lines], patterns.relative[LAMP, lines])
    used = (place >= 0) & (place < bins)
    place, strength, species = place[used], strength[used], patterns.species[lines[used]]
    first = np.flatnonzero(np.diff(species * bins + place, prepend=-1))
    if not len(first):
        return _Combs(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.int64))
    strength, place, species = np.add.reduceat(strength, first), place[first], species[first]
    start = np.flatnonzero(np.diff(species, prepend=-1))
    top = np.repeat(np.maximum.reduceat(strength, start), np.diff(start, append=len(species)))
    ratio = DYNAMIC_RANGE * strength / top
    used = ratio > FAINTEST
    place, species, weight = place[used], species[used], np.log1p(ratio[used])
    start = np.flatnonzero(np.diff(species, prepend=-1))
    prior = np.ones(patterns.species_count)
    prior[: strengths.species_count] = np.repeat(
        [np.exp(-0.15 * prior_nats(name)) for name in strengths.table.elements], STAGES
    )
    norm = _smeared_norm(place, species, weight, patterns.species_count)
    return _Combs(place.astype(np.int32), (weight * (prior / norm)[species]).astype(np.float32), start)


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


def refined_axis(coarse: Axis, center_nm: FloatArray, expected_nm: FloatArray, sigma_nm: FloatArray) -> Axis:
    """Shift and stretch from identified peaks: weighted straight line, outliers losing their weight (Huber).

    ``center_nm`` are on the device's axis, ``expected_nm`` the true positions of the light there. The stretch needs at
    least six peaks and is held back by a prior of 0.1 nm over 300 nm.
    """
    if len(center_nm) < 2:
        return coarse
    pivot = float(np.mean(center_nm))
    arm = (center_nm - pivot) / 300.0
    offset = center_nm - expected_nm - coarse.shift_nm
    prior = np.diag([1.0 / 0.3**2, (1.0 / 0.1**2) if len(center_nm) >= 6 else 1e12])
    design = np.stack([np.ones_like(arm), arm])
    solution: FloatArray = np.zeros(2)
    weight = 1.0 / (sigma_nm * sigma_nm)
    for _ in range(5):
        weight = _huber_weight(offset - solution @ design, sigma_nm)
        solution = np.asarray(np.linalg.solve(design * weight @ design.T + prior, design * weight @ offset), np.float64)
    covariance = np.linalg.inv(design * weight @ design.T + prior)
    return Axis(
        shift_nm=coarse.shift_nm + float(solution[0]),
        stretch=float(solution[1]) / 300.0,
        pivot_nm=pivot,
        sigma_nm=float(np.sqrt(covariance[0, 0])),
        sure=True,
    )


def _huber_weight(residual: FloatArray, sigma: FloatArray) -> FloatArray:
    scale = max(1.4826 * float(median(np.abs(residual / sigma))), 1.0) * sigma
    weight: FloatArray = 1.0 / (scale * scale) / np.maximum(np.abs(residual) / (1.5 * scale), 1.0)
    return weight
