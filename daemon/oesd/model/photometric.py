"""Spectra that are no counts: how much light goes through, comes back or arrives, and what that takes to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from oesd.model.measured import FloatArray, MaskArray, Quantity


@dataclass(frozen=True, slots=True, eq=False)
class IrradianceCalibration:
    """Energy per count of one spectrometer with its optics.

    Attributes
    ----------
    wavelengths_nm : (points,) float64
        Strictly increasing, the pixels of the calibrated spectrometer.
    uj_per_count : (points,) float64
        Microjoules that a count of each pixel stands for; 0 or NaN where the pixel is not calibrated.
    collection_area_cm2 : float or None
        Of fibre or diffuser; None for an integrating sphere, which tells a power and no irradiance.
    integration_us : int or None
        Of the calibration itself: for information, the energy of a count does not depend on it.
    sha256 : str
        Hex, of the file that it was read from.
    """

    wavelengths_nm: FloatArray
    uj_per_count: FloatArray
    collection_area_cm2: float | None
    integration_us: int | None = None
    sha256: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Photometric:
    """A spectrum in physical units; every array (pixels,).

    Attributes
    ----------
    values, sigma : float64
        With the standard deviation that is each pixel's own; NaN where ``masked``.
    masked : mapping of str to bool array
        Pixels without a value, by the reason: a pixel may have several.
    unit : str
        ``"1"`` for ratios and absorbance.
    scale_sigma : float
        Share by which all values may be off together: light that flickered from scan to scan.
    """

    quantity: Quantity
    unit: str
    wavelengths_nm: FloatArray
    values: FloatArray
    sigma: FloatArray
    masked: Mapping[str, MaskArray]
    scale_sigma: float = 0.0
    warnings: tuple[str, ...] = ()
