"""Spectrometers: axis, line spread, response, detector; from light to counts.

Light is put on a grid of ``FINE`` samples a pixel, spread by a profile that changes along the axis, taken through
response and stray light, integrated over pixels, and counted: electrons, read noise, non-linearity, hot pixels, spikes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial.polynomial import polyval
from numpy.typing import NDArray

Array = NDArray[np.float64]
FINE = 6
SIGMA_OF_FWHM = 1.0 / 2.3548200450309493


@dataclass(frozen=True, slots=True)
class Optics:
    """Axis as it is (``nm_of``: polynomial in x = -1..1), as the device reports it, and how a line is spread."""

    pixels: int
    nm_of: tuple[float, ...]
    error_nm: tuple[float, ...]
    fwhm_nm: tuple[float, float, float]
    skew: float
    lorentz: float
    stray: float
    ripple: float
    steps: tuple[tuple[float, float], ...]
    efficiency: tuple[float, ...]
    ghost: float = 0.0


@dataclass(frozen=True, slots=True)
class Detector:
    """What counts: full scale, electrons a count, read noise in counts of one scan, scans, dark, faults."""

    full_counts: float
    electrons_a_count: float
    read_counts: float
    scans: int
    dark_counts: float
    dark_slope: float
    nonlinearity: tuple[float, ...] | None
    hot_share: float
    spikes: float
    unevenness: float


class Spectrometer:
    """Optics on their grid."""

    def __init__(self, optics: Optics, rng: np.random.Generator) -> None:
        self.optics = optics
        x = np.linspace(-1.0, 1.0, optics.pixels)
        self.true_nm: Array = np.asarray(polyval(x, optics.nm_of))
        self.error_nm: Array = np.asarray(polyval(x, optics.error_nm))
        self.device_nm: Array = np.round(self.true_nm + self.error_nm, 4)
        place = (np.arange(optics.pixels * FINE) + 0.5) / FINE - 0.5
        self.fine_px: Array = place
        self.fine_nm: Array = np.asarray(polyval(2.0 * place / (optics.pixels - 1) - 1.0, optics.nm_of))
        self.fine_step_nm: Array = np.gradient(self.fine_nm)
        self._bends: Array = rng.standard_normal(6)

    @cached_property
    def response(self) -> Array:
        """Counts per photon on the fine grid, at most one: grating and detector, ripples, gain steps."""
        optics, nm = self.optics, self.fine_nm
        first, last = nm[0], nm[-1]
        x = 2.0 * (nm - first) / (last - first) - 1.0
        smooth = np.exp(polyval(x, optics.efficiency))
        period = (last - first) / (6.0 + 3.0 * abs(self._bends[0]))
        wavy = 1.0 + optics.ripple * np.sin(2.0 * np.pi * nm / period + self._bends[1])
        gain = np.ones(len(nm))
        for at, factor in optics.steps:
            gain[nm > first + at * (last - first)] *= factor
        whole = smooth * wavy * gain
        return np.asarray(whole / whole.max())

    def fwhm_at(self, nm: float) -> float:
        """Width of a single line in nm."""
        return float(np.interp(nm, (self.fine_nm[0], self.fine_nm.mean(), self.fine_nm[-1]), self.optics.fwhm_nm))

    def on_grid(self, nm: Array, photons: Array) -> Array:
        """Photons of lines put on the fine grid, shared by the two samples nearest: shape (samples,)."""
        place = np.interp(nm, self.fine_nm, np.arange(len(self.fine_nm)), left=-1.0, right=-1.0)
        inside = (place >= 0.0) & (place < len(self.fine_nm) - 1)
        left = place[inside].astype(np.intp)
        share, light = place[inside] - left, photons[inside]
        count = len(self.fine_nm)
        return np.asarray(np.bincount(left, light * (1.0 - share), count) + np.bincount(left + 1, light * share, count))

    def spread(self, light: Array) -> Array:
        """Light through slit and grating: three profiles, mixed along the axis."""
        middle, count = 0.5, len(light)
        along = np.linspace(0.0, 1.0, count)
        weights = (
            np.clip(1.0 - along / middle, 0.0, 1.0),
            1.0 - np.abs(along - middle) / middle,
            np.clip(along / middle - 1.0, 0.0, 1.0),
        )
        places = (0, count // 2, count - 1)
        total = np.zeros(count)
        for weight, place, fwhm in zip(weights, places, self.optics.fwhm_nm, strict=True):
            total += _convolved(light * weight, self._profile(fwhm / self.fine_step_nm[place]))
        return total

    def _profile(self, fwhm: float) -> Array:
        """Line spread in samples: split Gaussian with some Lorentz in its foot, of unit sum, middle at its top."""
        half = int(np.ceil(12.0 * fwhm))
        x = np.arange(-half, half + 1.0)
        left, right = (1.0 - self.optics.skew) * fwhm, (1.0 + self.optics.skew) * fwhm
        width = np.where(x < 0.0, left, right)
        gauss = np.exp(-0.5 * (x / (width * SIGMA_OF_FWHM)) ** 2)
        foot = 1.0 / (1.0 + (2.0 * x / width) ** 2)
        profile = (1.0 - self.optics.lorentz) * gauss / gauss.sum() + self.optics.lorentz * foot / foot.sum()
        return np.asarray(profile / profile.sum())

    def pixels_of(self, fine: Array) -> Array:
        """Sum of the samples of every pixel."""
        return np.asarray(fine.reshape(self.optics.pixels, FINE).sum(axis=1))

    def stray_of(self, fine: Array) -> Array:
        """Light that goes astray: a thousandth or so of all, everywhere, more near to where it came from."""
        if self.optics.stray == 0.0:
            return np.zeros(len(fine))
        far = np.full(len(fine), fine.mean())
        block = max(1, len(fine) // 60)
        near = np.repeat(fine[: len(fine) // block * block].reshape(-1, block).mean(axis=1), block)
        near = np.convolve(
            np.pad(near, (0, len(fine) - len(near)), mode="edge"), np.ones(5 * block) / (5 * block), "same"
        )
        return np.asarray(self.optics.stray * (0.5 * far + 0.5 * near) * 8.0)

    def ghost_of(self, fine: Array) -> Array:
        """Second order: light of half the wavelength, where the filter does not stop it."""
        if self.optics.ghost == 0.0:
            return np.zeros(len(fine))
        return np.asarray(self.optics.ghost * np.interp(self.fine_nm / 2.0, self.fine_nm, fine, left=0.0))


def _convolved(light: Array, profile: Array) -> Array:
    size = len(light) + len(profile) - 1
    padded = 1 << (size - 1).bit_length()
    spectrum = np.fft.rfft(light, padded) * np.fft.rfft(profile, padded)
    begin = len(profile) // 2
    return np.asarray(np.fft.irfft(spectrum, padded)[begin : begin + len(light)])


@dataclass(frozen=True, slots=True)
class Exposed:
    """Sample and dark in raw counts, noise of the corrected spectrum, pixels that are full, hot ones."""

    sample: Array
    dark: Array
    sigma: Array
    full: NDArray[np.bool_]
    hot: NDArray[np.intp]


def expose(counts: Array, detector: Detector, rng: np.random.Generator) -> Exposed:
    """Count light given as mean counts a scan above the dark, linear."""
    pixels = len(counts)
    dark = detector.dark_counts * (1.0 + detector.dark_slope * np.linspace(-0.5, 0.5, pixels))
    hot = np.flatnonzero(rng.random(pixels) < detector.hot_share)
    dark[hot] += detector.full_counts * 10.0 ** rng.uniform(-3.0, -1.0, len(hot))
    uneven = counts * (1.0 + detector.unevenness * rng.standard_normal(pixels))
    kept = [_scans(uneven, dark, detector, rng), _scans(np.zeros(pixels), dark, detector, rng)]
    sample, full = kept[0]
    sample = _with_spikes(sample, detector, rng)
    scan_variance = detector.read_counts**2 + np.maximum(counts, 0.0) / detector.electrons_a_count + 1.0 / 12.0
    sigma = np.sqrt(2.0 * detector.read_counts**2 + scan_variance - detector.read_counts**2) / np.sqrt(detector.scans)
    return Exposed(sample, kept[1][0], np.asarray(sigma), full, hot)


def _scans(light: Array, dark: Array, detector: Detector, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Mean of the scans and where a scan was full."""
    electrons = np.maximum(light + dark * 0.1, 0.0) * detector.electrons_a_count
    shape = (detector.scans, len(light))
    net = rng.poisson(np.minimum(electrons, 1e15), shape) / detector.electrons_a_count - dark * 0.1
    raw = dark + _bent(net, detector.nonlinearity) + detector.read_counts * rng.standard_normal(shape)
    raw = np.clip(np.round(raw), 0.0, detector.full_counts)
    return np.asarray(np.round(raw.mean(axis=0), 2)), np.asarray((raw >= detector.full_counts).any(axis=0))


def _bent(net: Array, polynomial: tuple[float, ...] | None) -> Array:
    """Counts that the device reports for linear ones: corrected = raw / polynomial(raw), solved by iteration."""
    if polynomial is None:
        return net
    raw = net
    for _ in range(6):
        raw = net * polyval(raw, polynomial)
    return np.asarray(raw)


def _with_spikes(sample: Array, detector: Detector, rng: np.random.Generator) -> Array:
    """Cosmic hits of one scan, spread over the mean of all; one pixel, at times two."""
    struck = sample.copy()
    for _ in range(rng.poisson(detector.spikes)):
        place, height = int(rng.integers(1, len(sample) - 1)), detector.full_counts * 10.0 ** rng.uniform(-2.2, -0.2)
        struck[place] += height / detector.scans
        if rng.random() < 0.25:
            struck[place + 1] += 0.4 * height / detector.scans
    return np.minimum(struck, detector.full_counts)
