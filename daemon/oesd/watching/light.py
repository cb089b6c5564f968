"""A spectrum as this room takes it: corrected light with the error of every pixel, and what is known of its lines."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from oesd.model import AxisCorrection, FloatArray, LineSpread, MaskArray

FWHM_PER_SIGMA = 2.3548200450309493  # 2 sqrt(2 ln 2), of a Gaussian
PIXEL_SIGMA = 12.0**-0.5  # of a pixel's own width, in pixels
USUAL_PX = 3.0  # width of a line where nothing is known of it


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """One corrected spectrum; arrays (pixels,).

    Attributes
    ----------
    wavelengths_nm : float64
        The device's own axis, air.
    net, variance : float64
        Counts of one scan without dark, and the variance of each pixel's own noise, counts^2.
    saturated : bool
        Pixels at the detector's limit, and those beside them that its charge lies on.
    seconds : float
        Exposure of one scan: values are told per second, so that an automatic exposure makes no steps.
    peaks_nm : (peaks,) float64
        Where lines were found, on the device's axis.
    axis, spread, own_spread : optional
        How far the axis is off; the width of a line, by what earlier spectra told and by this one alone.
    """

    wavelengths_nm: FloatArray
    net: FloatArray
    variance: FloatArray
    saturated: MaskArray
    seconds: float
    peaks_nm: FloatArray = field(default_factory=lambda: np.zeros(0))
    axis: AxisCorrection | None = None
    spread: LineSpread | None = None
    own_spread: LineSpread | None = None


def device_nm(true_nm: float, axis: AxisCorrection | None) -> float:
    """Where a line of an air wavelength lies on the device's axis: true = device - shift - stretch (device - pivot)."""
    if axis is None or not axis.sure:
        return true_nm
    return (true_nm + axis.shift_nm - axis.stretch * axis.pivot_nm) / (1.0 - axis.stretch)


def fwhm_nm(wavelengths_nm: FloatArray, spread: LineSpread | None, nm: float) -> float:
    """Full width at half maximum of a single line there, without the pixel's own."""
    if spread is None or not spread.fwhm_nm:
        return USUAL_PX * dispersion_nm(wavelengths_nm, nm)
    return float(np.interp(nm, spread.wavelengths_nm, spread.fwhm_nm))


def dispersion_nm(wavelengths_nm: FloatArray, nm: float) -> float:
    """Width of a pixel there, nm."""
    at = int(np.clip(np.searchsorted(wavelengths_nm, nm), 1, len(wavelengths_nm) - 1))
    return float(wavelengths_nm[at] - wavelengths_nm[at - 1])


def shape(z: FloatArray, wing: float) -> FloatArray:
    """A line's light at distances from its middle in standard deviations of its Gaussian; 1 in the middle."""
    plain: FloatArray = np.exp(-0.5 * z * z)
    return plain if not wing else (1.0 - wing) * plain + wing / (1.0 + (2.0 / FWHM_PER_SIGMA * z) ** 2)
