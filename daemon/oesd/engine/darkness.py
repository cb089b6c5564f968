"""Where nothing shines: what is seen there at most, in a form that any strength can be held against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.losses import FLOOR_SIGMAS, STRENGTH_SPREAD
from oesd.engine.observed import Observed
from oesd.engine.patterns import Float32Array, single
from oesd.engine.places import Places
from oesd.engine.windows import filtered, gaussian_kernel
from oesd.model import FloatArray, MaskArray

NEAR_FWHM = 0.75  # closer to a peak than this, a line is judged there and not as absent
QUIETEST = 1e-30  # counts: a synthetic spectrum may have no noise at all, and single precision cannot divide by less
UNSEEN = 1e-30  # what takes the place of light where a peak is: nothing can be missing there


@dataclass(frozen=True, slots=True, eq=False)
class Dark:
    """What is seen in each place where no peak is; nothing can be missing in the others.

    Attributes
    ----------
    of_place : (3, places) float32
        One count, and the noise, in units of what is seen there at most, and the 2v of
        :func:`oesd.engine.losses.dark_loss`.
    """

    of_place: Float32Array


def darkness(observed: Observed, places: Places) -> Dark:
    """What one spectrum shows where no peak is."""
    middle = 0.5 * (places.edges_nm[1:] + places.edges_nm[:-1])
    upper, noise = _seen_at_most(observed, middle)
    seen = np.empty((3, len(middle)))
    per_unit, floor, variance = seen
    np.divide(1.0, upper + FLOOR_SIGMAS * noise, out=per_unit)
    np.multiply(noise, per_unit, out=floor)
    np.multiply(floor, floor, out=variance)
    variance += STRENGTH_SPREAD**2
    variance *= 2.0
    floor *= FLOOR_SIGMAS
    seen[:2] *= lonely(observed, middle)
    np.maximum(floor, UNSEEN, out=floor)
    return Dark(single(seen))


def lonely(observed: Observed, middle: FloatArray) -> MaskArray:
    """Places on the axis, by their middles in ascending order, nm, that no peak is near to."""
    near = NEAR_FWHM * observed.peak_fwhm_nm
    size = len(middle) + 1
    entered = np.bincount(middle.searchsorted(observed.center_nm - near), minlength=size)
    left = np.bincount(middle.searchsorted(observed.center_nm + near), minlength=size)
    on_axis = (middle >= observed.true_nm[0]) & (middle <= observed.true_nm[-1])
    alone: MaskArray = ((entered - left).cumsum()[:-1] == 0) & on_axis
    return alone


def _seen_at_most(observed: Observed, wl: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Highest light near each wavelength after matched smoothing, and its noise."""
    kernel = gaussian_kernel(0.7 * observed.fwhm_px)
    upper = np.maximum(filtered(observed.net, kernel), 0.0)
    variance = filtered(observed.sigma**2, kernel * kernel)
    if observed.alike != 1.0:
        variance *= observed.alike
    upper = _highest(upper, max(1, round(0.35 * observed.fwhm_px)))
    pixel = np.rint(np.interp(wl, observed.true_nm, np.arange(len(upper)))).astype(np.int64)
    return upper.take(pixel), np.maximum(np.sqrt(variance.take(pixel)), QUIETEST)


def _highest(values: FloatArray, reach: int) -> FloatArray:
    """Highest of each value and its ``reach`` neighbours on either side."""
    covered = 0
    while covered < min(reach, len(values) - 1):
        step = min(2 * covered + 1, reach - covered, len(values) - 1)
        wider = values.copy()
        np.maximum(values[:-step], values[step:], out=wider[:-step])
        np.maximum(wider[step:], values[:-step], out=wider[step:])
        values, covered = wider, covered + step
    return values
