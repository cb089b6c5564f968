"""Shapes that light can have on a detector, peak 1: lines, glows, and whole spectra known beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from oesd.model import FloatArray

#: Mercury in room light (air nm, relative strength as a fluorescent tube shows them).
ROOM_LIGHT_NM = ((404.66, 0.35), (435.83, 0.8), (546.07, 1.0), (576.96, 0.2), (579.07, 0.2))
LINE_FWHM_PX = (2.0, 3.2, 5.0)
GLOW_FWHM_PX = (12.0, 40.0, 130.0, 400.0)
_SIGMA_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_REACH_SIGMA = 3.0


@dataclass(frozen=True, slots=True)
class Scale:
    """A Gaussian that may stand at any pixel.

    Attributes
    ----------
    name : str
        "line" or "glow".
    fwhm_px : float
    """

    name: str
    fwhm_px: float

    def kernel(self, pixels: int) -> FloatArray:
        """The shape, odd length, at most as long as the detector."""
        sigma = self.fwhm_px * _SIGMA_PER_FWHM
        reach = min(math.ceil(_REACH_SIGMA * sigma), (pixels - 1) // 2)
        return np.asarray(np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2), dtype=np.float64)

    def places(self, pixels: int) -> float:
        """How many independent ones find room: what a chance alarm has to choose from."""
        return max(1.5 * pixels / self.fwhm_px, 1.0)


def scales(line_fwhm_px: float | None = None) -> tuple[Scale, ...]:
    """Scales to look at: lines of the given width, or of several, and glows."""
    lines = LINE_FWHM_PX if line_fwhm_px is None else (line_fwhm_px,)
    return (*(Scale("line", width) for width in lines), *(Scale("glow", width) for width in GLOW_FWHM_PX))


def room_light(wavelengths_nm: FloatArray, line_fwhm_px: float) -> FloatArray:
    """Mercury lines of a fluorescent tube on this axis, highest 1 (all 0 beyond the axis), shape (pixels,)."""
    pixels = np.arange(wavelengths_nm.size, dtype=np.float64)
    shape = np.zeros_like(pixels)
    for nm, strength in ROOM_LIGHT_NM:
        if wavelengths_nm[0] < nm < wavelengths_nm[-1]:
            centre = np.interp(nm, wavelengths_nm, pixels)
            shape += strength * np.exp(-0.5 * ((pixels - centre) / (line_fwhm_px * _SIGMA_PER_FWHM)) ** 2)
    return np.asarray(shape / max(float(shape.max()), 1e-300), dtype=np.float64)


def highest_one(spectra: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Light known beforehand, such as a sample without its dark, scaled to peak 1; what has no light is left out."""
    return {
        name: np.maximum(shape, 0.0) / float(shape.max()) for name, shape in spectra.items() if float(shape.max()) > 0
    }
