"""From counts to peaks: correction, continuum, noise, line width and peaks, before any element is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.baseline import baseline, windows_of
from oesd.engine.correction import Corrected, correct
from oesd.engine.linespread import DEFAULT_PX, Widths, first_fwhm_px, seen
from oesd.engine.peaks import PeakList, find_peaks
from oesd.engine.windows import median
from oesd.model import FloatArray, Measurement, Recipe

PIXEL_RESPONSE = 0.003  # pixels differ in response by this share: a continuum's unevenness is no line


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """A corrected spectrum with everything measured in it before elements are asked for."""

    corrected: Corrected
    floor: FloatArray
    sigma: FloatArray
    fwhm_px: float
    peaks: PeakList


def measure(measurement: Measurement, recipe: Recipe) -> Light:
    """Correction, baseline, noise, line width and peaks."""
    pixels = len(measurement.sample)
    dispersion = float(median(np.diff(measurement.wavelengths_nm)))
    hint = None if recipe.fwhm_nm is None else min(recipe.fwhm_nm / dispersion, pixels / 4.0)
    known = None if hint is None else Widths.even(pixels, seen(hint))
    corrected = correct(measurement, hint)
    net = corrected.net
    unusable = corrected.saturated | corrected.spilled
    sigma = np.sqrt(corrected.variance)
    guess_px = min(DEFAULT_PX if hint is None else hint, pixels / 4.0)
    floor = baseline(net, guess_px)
    fwhm_px = min(first_fwhm_px(net - floor, sigma, unusable | corrected.unsure, hint), pixels / 4.0)
    if windows_of(fwhm_px) != windows_of(guess_px):
        floor = baseline(net, fwhm_px)
    sigma = np.hypot(sigma, PIXEL_RESPONSE * np.maximum(floor, 0.0))
    peaks, widths = find_peaks(net - floor, sigma, unusable, Widths.even(pixels, fwhm_px), known)
    return Light(corrected, floor, sigma, widths.middle_px, peaks)
