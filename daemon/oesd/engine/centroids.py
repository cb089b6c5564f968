"""Where the light of some species' lines is centred in every peak."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from oesd.engine.claims import Fit
from oesd.engine.scene import REACH, Scene, peak_lines
from oesd.engine.windows import binned
from oesd.model import FloatArray

NEAR_FWHM = 0.6  # 1 sigma, in line widths, of how near a line's light draws a peak's centre


def centroids(scene: Scene, fits: Mapping[int, Fit]) -> tuple[FloatArray, FloatArray]:
    """How far from each peak's centre the light of these fits is centred, nm, and how much of it there is; (peaks,)."""
    seen, patterns = scene.observed, scene.patterns
    amount, excitation = np.zeros(patterns.species_count), np.zeros(patterns.species_count, dtype=np.int64)
    for species, fit in fits.items():
        amount[species], excitation[species] = fit.amount, fit.excitation
    theirs = patterns.lines_of(list(fits))
    peak, place = peak_lines(seen.center_nm, REACH * scene.tolerance_nm, patterns.wl_nm.take(theirs))
    line = theirs.take(place)
    owner = patterns.species.take(line)
    strength = amount.take(owner) * patterns.relative[excitation.take(owner), line]
    offset = patterns.wl_nm.take(line) - seen.center_nm.take(peak)
    near = strength * np.exp(-0.5 * (offset / (NEAR_FWHM * seen.peak_fwhm_nm.take(peak))) ** 2)
    total = binned(peak, near, len(seen.height))
    centre: FloatArray = binned(peak, near * offset, len(seen.height)) / np.maximum(total, 1e-300)
    return centre, total
