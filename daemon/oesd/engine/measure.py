"""From counts to peaks: correction, continuum, noise, line width and peaks, before any element is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from oesd.engine.baseline import continuum, rough_floor
from oesd.engine.correction import Corrected, correct
from oesd.engine.firstwidth import first_fwhm_px
from oesd.engine.linespread import Widths, remembered, seen, shown
from oesd.engine.peaks import PeakList, find_peaks
from oesd.engine.windows import median, on_axis, shared_noise
from oesd.model import FloatArray, LineSpread, MaskArray, Measurement, Recipe

PIXEL_RESPONSE = 0.003  # pixels differ in response by this share: a continuum's unevenness is no line


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A corrected spectrum with everything measured in it before elements are asked for.

    ``center_nm`` are the peaks on the device's axis, ``nm_per_px`` its dispersion there; both (peaks,). ``alike`` is
    how much more of the pixels' variance is left under a line than of white noise (:func:`shared_noise`).
    """

    corrected: Corrected
    floor: FloatArray
    sigma: FloatArray
    fwhm_px: float
    peaks: PeakList
    center_nm: FloatArray
    nm_per_px: FloatArray
    line_spread: LineSpread | None = None
    alike: float = 1.0

    def chosen(self, keep: MaskArray) -> Light:
        """The same with those of the peaks where ``keep`` is true."""
        if keep.all():
            return self
        nm, dispersion = self.center_nm[keep], self.nm_per_px[keep]
        return replace(self, peaks=self.peaks.chosen(keep), center_nm=nm, nm_per_px=dispersion)


def measure(measurement: Measurement, recipe: Recipe) -> Light:
    """Correction, baseline, noise, line width and peaks."""
    pixels = len(measurement.sample)
    known = _known(measurement.wavelengths_nm, recipe)
    hint = None if known is None else known.middle_px
    corrected = correct(measurement, hint)
    net = corrected.net
    unusable = corrected.saturated | corrected.spilled
    variance = corrected.variance
    widths = known if known is not None and np.isfinite(known.sigma).all() else None
    if widths is None:
        rough = first_fwhm_px(net - rough_floor(net), variance, unusable | corrected.unsure, hint)
        widths = Widths.even(pixels, min(rough, pixels / 4.0))
    alike = shared_noise(widths.middle_px, corrected.boxcar_px)
    under = continuum(net, variance * alike if corrected.boxcar_px else variance, widths.middle_px)
    sigma = np.maximum(under.level, 0.0)
    sigma *= sigma
    sigma *= PIXEL_RESPONSE**2
    sigma += variance
    np.sqrt(sigma, out=sigma)
    of_lines = sigma * sqrt(alike) if corrected.boxcar_px else sigma
    peaks, learned = find_peaks(net - under.level, of_lines, unusable, widths, known, under.sigma, corrected.unsure)
    spread = None if learned.alone is None else shown(learned.alone, learned.lines, measurement.wavelengths_nm)
    at = on_axis(peaks.center_px, measurement.wavelengths_nm)
    return Light(corrected, under.level, sigma, learned.widths.middle_px, peaks, *at, spread, alike)


def _known(device_nm: FloatArray, recipe: Recipe) -> Widths | None:
    """The hint of a person, else what earlier spectra of the device showed, else nothing."""
    if recipe.fwhm_nm is None:
        told = recipe.line_spread
        return None if told is None or not told.fwhm_nm else remembered(told, device_nm)
    hint = recipe.fwhm_nm / float(median(np.diff(device_nm)))
    return Widths.even(len(device_nm), min(seen(hint), len(device_nm) / 4.0))
