"""From light to raw counts: response, line spread, stray light, electrons, noise, non-linearity, ADC.

The order is that of nature::

    lines, continuum --> electrons/s per pixel (once per emitter)        Optics.rates
    rate x time + dark current x time --> mean electrons
    mean + noise of variance (mean + read noise^2) --> electrons         one normal draw
    full well --> counts --> non-linearity --> + offset --> ADC limits   Optics.frame

A unit differs from its model by what its serial number and the seed draw: wavelength coefficients, fixed patterns, hot
pixels. Frame ``n`` depends on seed, serial number and ``n`` only: the same seed gives the same frames.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
from numpy.typing import NDArray

from .model import Detector, Model
from .scene import Emitter

FloatArray = NDArray[np.float64]

_SIGMA_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_REFERENCE_C, _DOUBLING_K = 20.0, 7.0
_BLOOM = 1.01
_HALO_NM = 25.0
_KNOTS = 1025


def polynomial(coefficients: tuple[float, ...], x: FloatArray) -> FloatArray:
    """Return c0 + c1 x + c2 x^2 + ..."""
    total = np.zeros_like(x)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def unit_wavelengths(model: Model, generator: np.random.Generator) -> tuple[float, ...]:
    """Coefficients of one unit: offset and dispersion a little off the model's, to seven digits as in an EEPROM."""
    c0, c1, *rest = model.bench.wavelengths
    drawn = (c0 + generator.uniform(-0.4, 0.4), c1 * (1 + generator.uniform(-3e-4, 3e-4)), *rest)
    return tuple(float(np.float32(f"{value:.6e}")) if model.wire.protocol != "ooi" else float(f"{value:.6e}")
                 for value in drawn)  # fmt: skip


class Optics:
    """One unit of a model.

    Parameters
    ----------
    model : Model
    serial : str
    seed : int
        With the serial number it fixes everything that is drawn.

    Attributes
    ----------
    wavelength_coefficients : tuple of float
        As the unit's memory has them; the true axis is the same.
    wavelengths_nm : (pixels,) float64
    """

    def __init__(self, model: Model, serial: str, seed: int) -> None:
        self.model = model
        self._key = (seed & 0xFFFFFFFF, zlib.crc32(serial.encode()))
        generator = np.random.default_rng(self._key)
        detector = model.detector
        pixels = np.arange(detector.pixels, dtype=np.float64) + model.bench.first_index
        self.wavelength_coefficients = unit_wavelengths(model, generator)
        self.wavelengths_nm = polynomial(self.wavelength_coefficients, pixels)
        self._nm_per_px = np.gradient(self.wavelengths_nm)
        self._offset = detector.offset_counts + generator.normal(0.0, 2.0, detector.pixels)
        self._dark_e_per_s = _dark_current(detector, generator)
        self._sensitivity = _sensitivity(model, self.wavelengths_nm, generator)
        self._counts_of = _inverse_nonlinearity(detector)

    def rates(self, emitter: Emitter) -> FloatArray:
        """Electrons per second in each pixel from one emitter at level 1, stray light included.

        Returns
        -------
        (pixels,) float64
        """
        lines_nm, photons = emitter.lines()
        light = self._spread(lines_nm, photons) + emitter.continuum(self.wavelengths_nm) * self._nm_per_px
        rate = light * self._sensitivity * self.model.bench.throughput_e
        rate += self.model.bench.stray_light * self._stray(rate)
        rate[list(self.model.detector.dark_pixels)] = 0.0
        return rate

    def frame(
        self, rate_e_per_s: FloatArray, integration_s: float, temperature_c: float, index: int, *, scans: int = 1
    ) -> FloatArray:
        """Raw counts of frame ``index``.

        Parameters
        ----------
        rate_e_per_s : (pixels,) float64
            Photoelectrons per second.
        integration_s, temperature_c : float
            Integration time, and temperature of the detector.
        scans : int
            Averaged on board: the noise is that of a mean.

        Returns
        -------
        (pixels,) float64
            Whole numbers 0..adc_max.
        """
        detector = self.model.detector
        warming = 2.0 ** ((temperature_c - _REFERENCE_C) / _DOUBLING_K)
        mean_e = (rate_e_per_s + self._dark_e_per_s * warming) * integration_s
        noise = self._noise(index) * np.sqrt((mean_e + detector.read_noise_e**2) / scans)
        counts = self._counts_of_linear((mean_e + noise) / detector.electrons_per_count)
        full = (detector.saturation_counts - detector.offset_counts) * _BLOOM
        np.minimum(counts, full, out=counts)
        counts += self._offset
        np.rint(counts, out=counts)
        return np.clip(counts, 0, detector.adc_max, out=counts)

    def _noise(self, index: int) -> NDArray[np.float32]:
        seed, unit = self._key
        generator = np.random.Generator(np.random.Philox(key=[seed, unit], counter=[0, 0, 0, index]))
        return generator.standard_normal(self.model.detector.pixels, dtype=np.float32)

    def _counts_of_linear(self, linear: FloatArray) -> FloatArray:
        knots, counts = self._counts_of
        return np.asarray(np.interp(linear, knots, counts), dtype=np.float64)

    def _spread(self, lines_nm: FloatArray, photons: FloatArray) -> FloatArray:
        """Lines as Gaussians of the bench's width; each keeps its photons."""
        light = np.zeros_like(self.wavelengths_nm)
        centres_px = np.interp(lines_nm, self.wavelengths_nm, np.arange(light.size), left=-np.inf, right=np.inf)
        inside = np.isfinite(centres_px)
        for centre, amount in zip(centres_px[inside], photons[inside], strict=True):
            self._add_line(light, float(centre), float(amount))
        return light

    def _add_line(self, light: FloatArray, centre_px: float, photons: float) -> None:
        sigma_px = self.model.bench.fwhm_nm * _SIGMA_PER_FWHM / self._nm_per_px[round(centre_px)]
        reach = math.ceil(6 * sigma_px)
        first = max(round(centre_px) - reach, 0)
        pixels = np.arange(first, min(round(centre_px) + reach + 1, light.size))
        profile = np.exp(-0.5 * ((pixels - centre_px) / sigma_px) ** 2)
        light[first : first + pixels.size] += photons * profile / (sigma_px * math.sqrt(2.0 * math.pi))

    def _stray(self, rate: FloatArray) -> FloatArray:
        """Half of the stray light lies evenly over the detector, half in a wide halo round its source."""
        halo_px = _HALO_NM / float(np.mean(self._nm_per_px))
        reach = np.arange(-int(3 * halo_px), int(3 * halo_px) + 1)
        kernel = np.exp(-np.abs(reach) / halo_px)
        halo = np.convolve(rate, kernel / kernel.sum(), mode="full")[reach.size // 2 :][: rate.size]
        return np.asarray(0.5 * (halo + np.mean(rate)), dtype=np.float64)


def _dark_current(detector: Detector, generator: np.random.Generator) -> FloatArray:
    """Electrons per second at the reference temperature: a mild pattern, and some hot pixels."""
    pattern = generator.gamma(30.0, 1.0 / 30.0, detector.pixels)
    hot = generator.random(detector.pixels) < detector.hot_pixels
    pattern[hot] *= 1.0 + generator.exponential(10.0, int(np.count_nonzero(hot)))
    return np.asarray(detector.dark_e_per_s * pattern, dtype=np.float64)


def _sensitivity(model: Model, wavelengths_nm: FloatArray, generator: np.random.Generator) -> FloatArray:
    """Response of the bench, with one per cent of pixel-to-pixel difference."""
    nm, relative = np.array(model.bench.response, dtype=np.float64).T
    pattern = generator.normal(1.0, 0.01, wavelengths_nm.size)
    return np.asarray(np.interp(wavelengths_nm, nm, relative, left=0.0, right=0.0) * pattern, dtype=np.float64)


def _inverse_nonlinearity(detector: Detector) -> tuple[FloatArray, FloatArray]:
    """Knots (linear, counts) of the detector's curve: ``linear = counts / polynomial(counts)``.

    The memory of a spectrometer holds the polynomial that takes counts to linear ones; nature goes the other way.
    """
    counts = np.linspace(-0.02 * detector.adc_max, 1.2 * detector.adc_max, _KNOTS)
    return counts / polynomial(detector.nonlinearity, counts), counts
