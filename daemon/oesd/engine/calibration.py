"""The plasma calibrates the axis: how far the device's wavelengths are from the truth, from the whole comb of lines.

Observed and expected spectra are compressed (logarithm of height over noise, logarithm of strength), so that many lines
vote and no single one decides, and compared at every shift within ``REACH_NM``; the shift at which some species fit
best wins (cross-correlation of logarithmic spectra as in Tonry and Davis, Astron. J. 84, 1511 (1979)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oesd.engine.priors import prior_nats
from oesd.engine.strengths import LAMP, STAGES, line_strengths
from oesd.engine.windows import FWHM_PER_SIGMA, binned, median
from oesd.model import FloatArray

Float32Array = NDArray[np.float32]
Float16Array = NDArray[np.float16]

REACH_NM = 0.65
BINS_PER_FWHM = 3.0
MAX_BINS = 4096
MAX_LAGS = 60
ONE_THREAD_FLOPS = 200_000
LADDER = 1.05
DYNAMIC_RANGE = 300.0
TYPICAL_ERROR_NM = 0.45
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
    center_nm: FloatArray, height: FloatArray, noise: FloatArray, low_nm: float, high_nm: float, fwhm_nm: float
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
    """
    if not len(center_nm):
        return Axis()
    fwhm_nm = _on_a_ladder(fwhm_nm)
    bins = int(min(MAX_BINS, np.ceil((high_nm - low_nm) / fwhm_nm * BINS_PER_FWHM) + 1))
    step = (high_nm - low_nm) / (bins - 1)
    reach = int(min(np.ceil(REACH_NM / step), MAX_LAGS))
    combs = _combs(round(low_nm, 6), round(high_nm, 6), bins, round(fwhm_nm / step, 1))
    observed = _observed(center_nm, np.log1p(0.5 * height / noise), low_nm, step, bins + 2 * reach, reach, fwhm_nm)
    lags = np.arange(-reach, reach + 1)
    shifted = np.stack([observed[reach + lag : reach + lag + bins] for lag in lags], axis=1)
    agreement = np.clip(_product(combs, shifted.astype(np.float32)), 0.0, None).astype(np.float64)
    score = (agreement**4).sum(axis=0) * np.exp(-0.5 * (lags * step / TYPICAL_ERROR_NM) ** 2)
    best = int(np.argmax(score))
    if score[best] <= 0.0:
        return Axis()
    return Axis(shift_nm=float((lags[best] + _vertex(score, best)) * step), sigma_nm=0.08 * fwhm_nm, sure=True)


def _on_a_ladder(fwhm_nm: float) -> float:
    """Nearest of widths 5 % apart: combs are kept by width, and each spectrum teaches a slightly different one."""
    return float(LADDER ** round(np.log(fwhm_nm) / np.log(LADDER)))


def _product(combs: Float16Array, shifted: Float32Array) -> Float32Array:
    """Matrix product in pieces that BLAS does in one thread: its other threads would spin, to nobody's gain."""
    rows = max(1, ONE_THREAD_FLOPS // shifted.size)
    pieces = (combs[i : i + rows].astype(np.float32) for i in range(0, len(combs), rows))
    return np.concatenate([piece @ shifted for piece in pieces])


def _vertex(score: FloatArray, best: int) -> float:
    if not 0 < best < len(score) - 1:
        return 0.0
    left, top, right = score[best - 1 : best + 2]
    return float(0.5 * (left - right) / min(left - 2.0 * top + right, -1e-300))


def _observed(
    center_nm: FloatArray, weight: FloatArray, low_nm: float, step: float, bins: int, offset: int, fwhm_nm: float
) -> FloatArray:
    """Compressed spectrum on the grid: the highest of all peaks' shapes at each place, minus its mean, unit norm."""
    half = int(np.ceil(2.0 * fwhm_nm / step))
    near = np.rint((center_nm - low_nm) / step).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    z = (near * step + low_nm - center_nm[:, None]) / (fwhm_nm / FWHM_PER_SIGMA)
    values = weight[:, None] * np.exp(-0.5 * z * z)
    place = near + offset
    inside = (place >= 0) & (place < bins)
    grid = np.zeros(bins)
    np.maximum.at(grid, place[inside], values[inside])
    grid -= grid.mean()
    return grid / max(float(np.linalg.norm(grid)), 1e-12)


@lru_cache(maxsize=4)
def _combs(low_nm: float, high_nm: float, bins: int, fwhm_bins: float) -> Float16Array:
    """Compressed expected spectra on the grid, shape (species, bins), unit norm, prior-weighted.

    Kept at half precision, which is a thousand times finer than what is known of line strengths: half the memory.

    A line counts with the better of its equilibrium and its lamp strength: which of the two rules is not known yet.
    """
    strengths = line_strengths()
    count = strengths.species_count
    place = np.rint((strengths.table.wl_air_nm - low_nm) / (high_nm - low_nm) * (bins - 1)).astype(np.int64)
    strength = np.maximum(strengths.relative[EQUILIBRIUM], strengths.relative[LAMP])
    used = (place >= 0) & (place < bins) & (strength * DYNAMIC_RANGE > 0.2)
    keys = strengths.species[used] * bins + place[used]
    grid = binned(keys, strength[used], count * bins).reshape(count, bins).astype(np.float32)
    top = grid.max(axis=1, keepdims=True)
    combs = _smeared(
        np.log(1.0 + grid * (np.float32(DYNAMIC_RANGE) / np.where(top > 0.0, top, np.float32(1.0)))), fwhm_bins
    )
    norm = np.sqrt(np.einsum("sb,sb->s", combs, combs))
    weight = np.array([np.exp(-0.15 * prior_nats(name)) for name in strengths.table.elements for _ in range(STAGES)])
    combs *= (weight / np.where(norm > 0.0, norm, 1.0)).astype(np.float32)[:, None]
    return combs.astype(np.float16)


def _smeared(grid: Float32Array, fwhm_bins: float) -> Float32Array:
    smeared, bins = grid.copy(), grid.shape[1]
    for offset in range(1, int(np.ceil(fwhm_bins)) + 1):
        share = np.float32(np.exp(-0.5 * (offset * FWHM_PER_SIGMA / fwhm_bins) ** 2))
        shaded = share * grid
        smeared[:, offset:] += shaded[:, : bins - offset]
        smeared[:, : bins - offset] += shaded[:, offset:]
    return smeared


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
