"""What the inference sees of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.model import FloatArray, MaskArray


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The spectrum as the inference sees it, wavelengths already corrected by the plasma's own axis.

    Attributes
    ----------
    center_nm, center_sigma_nm, height, height_sigma : (peaks,) float64
    saturated : (peaks,) bool
    true_nm, net, sigma : (pixels,) float64
    fwhm_nm : float
        Line width, at the axis' median dispersion; ``fwhm_px`` the same in pixels.
    peak_fwhm_nm : (peaks,) float64
        Line width at each peak: the dispersion changes along an axis, and steps where two channels were joined.
    axis_sigma_nm : float
    alike : float
        How much more of the pixels' variance is left under a line than of white noise: a boxcar made neighbours alike.
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
    peak_fwhm_nm: FloatArray
    axis_sigma_nm: float
    alike: float = 1.0
