"""Arrays that stay the same from spectrum to spectrum, as keys of what is worked out of them once.

The dark and the wavelength axis of a spectrometer come anew with every spectrum and are the same for hours; to compare
them takes far less time than what is made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from oesd.engine.windows import median, on_axis
from oesd.model import FloatArray

KEPT = 8  # arrays of which something is kept: those of a few devices
HASHED = 16  # values that tell one array from another, nearly always
PLACES = (1.0 / 6.0, 0.5, 5.0 / 6.0)  # of the axis, at which a line's width is told
ENOUGH_STEPS = 500  # along the axis, to read off its median dispersion


class Kept:
    """A copy of an array, equal to that of another whose values are the same."""

    __slots__ = ("_hash", "values")

    def __init__(self, values: FloatArray) -> None:
        self.values = values.copy()  # nobody else can change it
        self._hash = hash((len(values), values[:: len(values) // HASHED + 1].tobytes()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Kept) and np.array_equal(self.values, other.values)


@dataclass(frozen=True, slots=True, eq=False)
class Dispersion:
    """What a wavelength axis tells by itself: nm and nm per pixel at ``PLACES``, (3,), and its median nm per pixel."""

    nm: FloatArray
    nm_per_px: FloatArray
    median_nm_per_px: float


def dispersion_of(device_nm: FloatArray) -> Dispersion:
    """Dispersion along an axis, (pixels,)."""
    return _dispersion(Kept(device_nm))


@lru_cache(maxsize=KEPT)
def _dispersion(axis: Kept) -> Dispersion:
    nm = axis.values
    step = max(len(nm) // ENOUGH_STEPS, 1)
    coarse = nm[::step]
    at = on_axis(np.array(PLACES) * (len(nm) - 1), nm)
    return Dispersion(*at, float(median(coarse[1:] - coarse[:-1])) / step)
