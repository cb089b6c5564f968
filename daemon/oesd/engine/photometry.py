"""Transmittance, reflectance, absorbance against a reference, and irradiance by a calibration, with their errors.

T = (S - D) t_r / ((R - D_r) t),  A = -log10 T,  E = (S - D) q / (t a dlambda)

S, R sample and reference, D their darks, t their integration times; q energy per count, a collection area, dlambda nm a
pixel. Both spectra go through every correction first. A value that cannot be told is masked: a division by little light
gives a number, not knowledge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from oesd.engine import checks
from oesd.engine.correction import Corrected, correct
from oesd.engine.errors import SpectrumError
from oesd.engine.windows import grown
from oesd.model import FloatArray, IrradianceCalibration, MaskArray, Measurement, Photometric, Quantity

WEAK_SIGMAS = 10.0  # reference below: 1 / R is then biased by 1 % (1 / 10^2) and its error no longer Gaussian
DARK_SIGMAS = 3.0  # transmitted light below: an absorbance is a lower limit only
SAME_AXIS_SHARE = 0.5  # of a pixel: two axes further apart are not of one spectrometer in one state
LEAST_COVERED = 0.05  # of the pixels that a calibration must reach to be of this spectrometer

RATIOS = (Quantity.TRANSMITTANCE, Quantity.REFLECTANCE, Quantity.ABSORBANCE)


def photometry(
    wavelengths_nm: ArrayLike,
    sample: ArrayLike,
    dark: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    *,
    quantity: str,
    calibration: IrradianceCalibration | None = None,
    integration_us: int | None = None,
    saturation_counts: float | None = None,
    nonlinearity: Sequence[float] | None = None,
    scans_averaged: int = 1,
) -> Photometric:
    """Turn one spectrum of counts into transmittance, reflectance, absorbance or irradiance.

    Parameters
    ----------
    wavelengths_nm : (pixels,) array_like
        nm in air, strictly increasing.
    sample, dark, reference : (pixels,) array_like
        Mean raw counts of one scan, all of one integration time.
    quantity : {"transmittance", "reflectance", "absorbance", "irradiance"}
        The first three need a reference, the last one a calibration and the integration time.
    calibration : IrradianceCalibration, optional
        As :func:`oesd.formats.read_calibration` gives it.
    integration_us : int, optional
    saturation_counts : float, optional
    nonlinearity : sequence of float, optional
        c0, c1, ... with corrected = (raw - dark) / polynomial(raw - dark).
    scans_averaged : int

    Raises
    ------
    SpectrumError
        The arrays are no spectrum, or something is missing; one line says what.
    """
    measurement = checks.arrays(
        wavelengths_nm, sample, dark, reference, integration_us, saturation_counts, nonlinearity, scans_averaged
    )
    return photometric(measurement, known_quantity(quantity), calibration=calibration)


def known_quantity(name: str) -> Quantity:
    """Quantity of this name; :class:`SpectrumError` for one that cannot be made of counts."""
    if name in (Quantity.IRRADIANCE, *RATIOS):
        return Quantity(name)
    names = ", ".join((*RATIOS, Quantity.IRRADIANCE))
    raise SpectrumError(f"unknown quantity {str(name)!r:.60}: one of {names}")


def photometric(
    measurement: Measurement,
    quantity: Quantity,
    *,
    reference: Measurement | None = None,
    calibration: IrradianceCalibration | None = None,
) -> Photometric:
    """Turn a measurement into a quantity; see :func:`photometry`.

    ``reference`` is a spectrum of the reference light with a dark and an integration time of its own; without it the
    measurement's own reference counts.
    """
    given = checks.measurement(measurement)
    if quantity is Quantity.IRRADIANCE:
        return irradiance(given, calibration)
    if quantity not in RATIOS:
        raise SpectrumError(f"{quantity} is what is measured: nothing is to be computed")
    white = _own_reference(given) if reference is None else checks.measurement(reference)
    if white is None:
        raise SpectrumError(f"{quantity} needs a reference, and this spectrum has none: give a spectrum of the light")
    return ratio(given, replace(white, boxcar_half_width_px=given.boxcar_half_width_px), quantity)


def ratio(sample: Measurement, reference: Measurement, quantity: Quantity) -> Photometric:
    """Transmittance, reflectance or absorbance of a sample against a reference of the same spectrometer."""
    check_same_axis(sample, reference)
    s, r = correct(sample), correct(reference)
    times = _relative_time(sample, reference)
    weak = r.net < WEAK_SIGMAS * np.sqrt(r.variance)
    masked = {
        "saturated": _saturated(s) | _saturated(r),
        "not to be trusted": s.unsure | r.unsure,
        "reference too weak": weak,
    }
    light = np.where(weak, 1.0, r.net)
    value = s.net / light * times
    sigma = times / light * np.sqrt(s.variance + (s.net / light) ** 2 * r.variance)
    if quantity is Quantity.ABSORBANCE:
        value, sigma, masked["too dark"] = _absorbance(value, sigma)
    flicker = float(np.hypot(s.flicker / np.sqrt(sample.scans), r.flicker / np.sqrt(reference.scans)))
    told = (*s.warnings, *(f"reference: {text}" for text in r.warnings if text not in s.warnings), *_no_dark(sample))
    return _masked(quantity, "1", sample.wavelengths_nm, value, sigma, masked, flicker, told)


def irradiance(measurement: Measurement, calibration: IrradianceCalibration | None) -> Photometric:
    """Spectral irradiance, uW/cm2/nm (uW/nm for an integrating sphere); of a checked measurement."""
    if calibration is None:
        raise SpectrumError(
            "irradiance needs a calibration (microjoules per count): give the vendor's calibration file"
        )
    if not measurement.integration_us:
        raise SpectrumError("irradiance needs the integration time, which this spectrum does not tell")
    corrected = correct(measurement)
    per_nm, calibrated = _energy_per_nm(measurement.wavelengths_nm, calibration)
    if calibrated.mean() < LEAST_COVERED:
        raise SpectrumError("the calibration has next to no pixel in the range of this spectrum: it is of another one")
    area_cm2 = calibration.collection_area_cm2
    factor = np.where(calibrated, per_nm, 0.0) / (measurement.integration_us * 1e-6 * (area_cm2 or 1.0))
    masked = {
        "saturated": _saturated(corrected),
        "not to be trusted": corrected.unsure,
        "not calibrated": ~calibrated,
    }
    flicker = corrected.flicker / float(np.sqrt(measurement.scans))
    told = (*calibration.warnings, *corrected.warnings, *_no_dark(measurement))
    unit = "uW/cm2/nm" if area_cm2 else "uW/nm"
    value, sigma = corrected.net * factor, np.sqrt(corrected.variance) * factor
    return _masked(Quantity.IRRADIANCE, unit, measurement.wavelengths_nm, value, sigma, masked, flicker, told)


def check_same_axis(sample: Measurement, other: Measurement, what: str = "reference") -> None:
    """Refuse a reference or dark of another spectrometer: another number of pixels, or an axis that is off."""
    if len(sample.sample) != len(other.sample):
        raise SpectrumError(
            f"the {what} has {len(other.sample)} pixels, the sample {len(sample.sample)}: not of one spectrometer"
        )
    off = np.abs(sample.wavelengths_nm - other.wavelengths_nm) / np.gradient(sample.wavelengths_nm)
    if off.max() > SAME_AXIS_SHARE:
        raise SpectrumError(f"the axis of the {what} is {off.max():.1f} pixels off: not of one spectrometer")


def _own_reference(given: Measurement) -> Measurement | None:
    """The measurement's reference as one of its own: what is known of the sample's scans is not known of its."""
    if given.reference is None:
        return None
    return replace(
        given, sample=given.reference, reference=None, scans=given.reference_scans,
        saturated=given.reference_saturated, short=None, short_saturated=None,
        short_dark=None, short_integration_us=None, spread=None,
    )  # fmt: skip


def _relative_time(sample: Measurement, reference: Measurement) -> float:
    """Integration time of the reference by the sample's; 1 where either is not told."""
    if not sample.integration_us or not reference.integration_us:
        return 1.0
    return reference.integration_us / sample.integration_us


def _absorbance(value: FloatArray, sigma: FloatArray) -> tuple[FloatArray, FloatArray, MaskArray]:
    """-log10 of a transmittance, its error, and where there is too little light for one."""
    dark = value < np.maximum(DARK_SIGMAS * sigma, 1e-300)
    through = np.where(dark, 1.0, value)
    return -np.log10(through), sigma / through / np.log(10.0), dark


def _energy_per_nm(wavelengths_nm: FloatArray, calibration: IrradianceCalibration) -> tuple[FloatArray, MaskArray]:
    """Microjoules per count and nm at each pixel, and where the calibration tells them.

    Energy per count divided by the calibration's own nm per pixel does not depend on the pixel grid.
    """
    axis, energy = calibration.wavelengths_nm, calibration.uj_per_count
    known = np.isfinite(energy) & (energy > 0.0)
    if known.sum() < 2:
        return np.zeros(len(wavelengths_nm)), np.zeros(len(wavelengths_nm), dtype=np.bool_)
    density = energy[known] / np.gradient(axis)[known]
    place = np.interp(wavelengths_nm, axis, np.arange(len(axis)))
    below = np.minimum(place.astype(np.int64), len(axis) - 2)
    share = place - below
    between = (known[below] | (share > 0.999)) & (known[below + 1] | (share < 0.001))
    inside = (wavelengths_nm >= axis[0] - 1e-6) & (wavelengths_nm <= axis[-1] + 1e-6)
    return np.interp(wavelengths_nm, axis[known], density), between & inside


def _saturated(corrected: Corrected) -> MaskArray:
    return grown(corrected.saturated | corrected.spilled, corrected.boxcar_px)


def _no_dark(measurement: Measurement) -> tuple[str, ...]:
    if measurement.dark is not None or measurement.electric_dark_pixels:
        return ()
    return ("no dark was subtracted: weak light is overstated by the detector's offset",)


def _masked(
    quantity: Quantity,
    unit: str,
    wavelengths_nm: FloatArray,
    values: FloatArray,
    sigma: FloatArray,
    masked: dict[str, MaskArray],
    scale_sigma: float,
    warnings: tuple[str, ...],
) -> Photometric:
    """The spectrum with nothing where nothing is known."""
    none = np.logical_or.reduce(list(masked.values()))
    return Photometric(
        quantity=quantity,
        unit=unit,
        wavelengths_nm=wavelengths_nm,
        values=np.where(none, np.nan, values),
        sigma=np.where(none, np.nan, sigma),
        masked={reason: where for reason, where in masked.items() if where.any()},
        scale_sigma=scale_sigma,
        warnings=warnings + _hidden(none, masked),
    )


def _hidden(none: MaskArray, masked: dict[str, MaskArray]) -> tuple[str, ...]:
    if not none.any():
        return ()
    reasons = ", ".join(f"{reason} {int(where.sum())}" for reason, where in masked.items() if where.any())
    return (f"{int(none.sum())} of {len(none)} pixels have no value: {reasons}",)
