"""A detector's non-linearity, undone where what the device says of it can be believed."""

from __future__ import annotations

import numpy as np

from oesd.model import FloatArray

LINEARITY_RANGE = (0.6, 1.4)  # a real detector's polynomial stays within this; anything else is a wrong or empty EEPROM


def linearised(net: FloatArray, coefficients: tuple[float, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Divide by the detector's polynomial in net counts, if that polynomial is believable.

    The gate: finite coefficients, and a polynomial within ``LINEARITY_RANGE`` from zero to the highest net count.
    Ocean Optics devices store up to eight coefficients; some hold zeros or garbage (python-seabreeze #40).
    """
    if not len(coefficients):
        return net, ()
    level = np.clip(net, 0.0, None)
    with np.errstate(all="ignore"):
        gain = np.polyval(coefficients[::-1], level)
        low, high = LINEARITY_RANGE
        sane = bool(np.all((gain > low) & (gain < high)))
    if not sane:
        return net, ("non-linearity coefficients are not believable: not applied",)
    return net / gain, ()
