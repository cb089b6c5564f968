"""Molecular bands told by their shape, where the instrument shows it: a head, and a side along which the light fades.

Wherever a bright peak lies near a known head, the spectrum around it is fitted with the band's rotational envelope on a
straight line, at several temperatures and shifts, and with one line of the instrument's width in its place. The band is
there when it explains nearly all of the window, and far more than the line. Instruments that smear the envelope into a
line cannot show this; there the pattern of several heads counts (:mod:`oesd.engine.assignment`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from oesd.engine.bands import LISTED, SYSTEMS, band_light, light_of
from oesd.engine.lines import IntArray
from oesd.engine.peaks import PeakList
from oesd.engine.windows import FWHM_PER_SIGMA, binned
from oesd.model import FloatArray

WIDEST_NM = 0.5  # broader lines hide the envelope
SHADED_NM, OPEN_NM = 3.5, 1.2  # the window around a head: on the side along which the light fades, and on the other
HEAD_NM = 0.3
LEAST_HEAD = 0.25  # of the system's brightest; of the synthesised systems, whose single lines are not right, ...
LEAST_ROUGH_HEAD = 0.6  # ... the brightest alone
FARTHEST_NM = 0.6  # of a head from the peak that may be it
LEAST_SNR = 20.0
LEAST_PIXELS = 24
EXPLAINED, AGAINST_LINE = 0.9, 0.4  # share of the window's light explained, and of the line's misfit left
HOPEFUL = 0.5  # of the window explained at the first try, or no other is made
STEPS = np.arange(-2, 3)
FAR_NM = 12.0
UNKNOWN = 0.05  # of the head: what a band's other heads and single rotational lines may add, this far around it
HIDDEN = 1.5  # a peak this much above the band's light is more than the band


@dataclass(frozen=True, slots=True, eq=False)
class SeenBand:
    """A band in the spectrum: which, how far the axis is off there, the share explained, the peaks it makes, counts."""

    system: str
    head_nm: float
    shift_nm: float
    explained: float
    peaks: IntArray
    brightness: float


def seen_bands(device_nm: FloatArray, net: FloatArray, peaks: PeakList, fwhm_nm: float) -> list[SeenBand]:
    """Bands whose shape is in the spectrum, the brightest first; ``net`` with its continuum, in counts, (pixels,)."""
    if fwhm_nm > WIDEST_NM or not len(peaks):
        return []
    center, heads = np.interp(peaks.center_px, np.arange(len(device_nm)), device_nm), _heads()
    near = np.abs(center - np.array([head.nm for head in heads])[:, None]) < FARTHEST_NM
    height = np.where(near & (peaks.snr > LEAST_SNR), peaks.height, 0.0)
    found = []
    for number in np.flatnonzero(height.max(axis=1)).tolist():
        band = _fitted(device_nm, net, center, peaks.height, int(height[number].argmax()), heads[number], fwhm_nm)
        found += [band] if band is not None else []
    return sorted(found, key=lambda band: -band.brightness)


@dataclass(frozen=True, slots=True)
class _Head:
    """A bright head: number of its system, air wavelength, and whether the light fades towards longer wavelengths."""

    system: int
    nm: float
    to_the_red: bool


@cache
def _heads() -> tuple[_Head, ...]:
    """Every bright head, read off the band light at its second temperature."""
    wl, system, light = band_light()
    heads = []
    for number, name in enumerate(SYSTEMS):
        mine = system == number
        least = LEAST_HEAD if name in LISTED else LEAST_ROUGH_HEAD
        place = np.floor(wl[mine] / HEAD_NM).astype(np.int64)
        first = place.min() - 1
        total = binned(place - first, light[1][mine], int(place.max() - first) + 2)
        top = (total[1:-1] >= total[:-2]) & (total[1:-1] > total[2:]) & (total[1:-1] > least * total.max())
        for at in np.flatnonzero(top) + 1 + first:
            here = mine & (np.floor(wl / HEAD_NM) == at)
            nm = float(np.average(wl[here], weights=light[1][here]))
            below, above = (light[1][mine & (np.abs(wl - nm - side) < 1.0)].sum() for side in (-1.2, 1.2))
            heads.append(_Head(number, nm, bool(above > below)))
    return tuple(heads)


def _fitted(
    device_nm: FloatArray,
    net: FloatArray,
    center: FloatArray,
    height: FloatArray,
    top: int,
    head: _Head,
    fwhm_nm: float,
) -> SeenBand | None:
    number, shift = head.system, center[top] - head.nm
    below, above = (OPEN_NM, SHADED_NM) if head.to_the_red else (SHADED_NM, OPEN_NM)
    window = slice(*np.searchsorted(device_nm, [center[top] - below, center[top] + above]))
    nm, seen = device_nm[window], net[window]
    if len(nm) < LEAST_PIXELS or center[top] + 2.0 * fwhm_nm > device_nm[-1]:
        return None
    light = _Window(nm, seen)
    if light.fits(_shapes(nm - shift, number, fwhm_nm)[1:2])[0][0] > (1.0 - HOPEFUL) * light.flat:
        return None
    line = np.exp(-0.5 * ((nm - center[top]) * FWHM_PER_SIGMA / fwhm_nm) ** 2)
    alone = float(light.fits(line[None])[0][0])
    best = (np.inf, 0.0, 0.0, 0)
    for off in shift + STEPS * 0.5 * fwhm_nm:
        misfits, amounts = light.fits(_shapes(nm - off, number, fwhm_nm))
        at = int(np.argmin(np.where(amounts > 0.0, misfits, np.inf)))
        if amounts[at] > 0.0 and misfits[at] < best[0]:
            best = (float(misfits[at]), float(off), float(amounts[at]), at)
    misfit, off, amount, row = best
    if misfit > (1.0 - EXPLAINED) * light.flat or misfit > AGAINST_LINE * alone:
        return None
    inside = np.flatnonzero(np.abs(center - head.nm - off) < FAR_NM)
    brightest = float(_shapes(nm - off, number, fwhm_nm)[row].max())
    its_light = amount * (_shapes(center[inside] - off, number, fwhm_nm)[row] + UNKNOWN * brightest)
    mine = inside[(height[inside] < HIDDEN * its_light) | (inside == top)]
    return SeenBand(SYSTEMS[number], head.nm, off, 1.0 - misfit / light.flat, mine, amount * brightest)


def _shapes(true_nm: FloatArray, number: int, fwhm_nm: float) -> FloatArray:
    """The band system at all temperatures as the instrument shows it, (rows, pixels); one bin of 1 would be 1 high."""
    wl, light = light_of(number)
    near = slice(*np.searchsorted(wl, [true_nm.min() - 2.0 * fwhm_nm, true_nm.max() + 2.0 * fwhm_nm]))
    z = (wl[near, None] - true_nm) * (FWHM_PER_SIGMA / fwhm_nm)
    shapes: FloatArray = light[:, near].astype(np.float64) @ np.exp(-0.5 * z * z)
    return shapes


class _Window:
    """The light around a head, to be fitted with shapes on a straight line."""

    def __init__(self, nm: FloatArray, seen: FloatArray) -> None:
        self._slope = (nm - nm.mean()) / np.sqrt(((nm - nm.mean()) ** 2).sum())
        self._seen = self._without_line(seen)
        self.flat = float(self._seen @ self._seen)

    def _without_line(self, values: FloatArray) -> FloatArray:
        level = values - values.mean(axis=-1, keepdims=True)
        left: FloatArray = level - (level @ self._slope)[..., None] * self._slope
        return left

    def fits(self, shapes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sum of squares that amount * shape leaves on the best line, and the amount, of each of (shapes, pixels)."""
        bare = self._without_line(shapes)
        square = (bare * bare).sum(axis=1) + 1e-9
        amount: FloatArray = bare @ self._seen / square
        return np.maximum(self.flat - amount * amount * square, 0.0), amount
