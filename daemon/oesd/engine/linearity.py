"""A detector's non-linearity, undone where what the device says of it can be believed."""

from __future__ import annotations

import numpy as np

from oesd.model import FloatArray
from oesd.model.sentences import NONLINEARITY

LINEARITY_RANGE = (0.6, 1.4)  # a real detector's polynomial stays within this; anything else is a wrong or empty EEPROM


def linearised(net: FloatArray, coefficients: tuple[float, ...]) -> tuple[FloatArray, tuple[str, ...]]:
    """Divide by the detector's polynomial in net counts, if that polynomial is believable.

    The gate: finite coefficients, and a polynomial within ``LINEARITY_RANGE`` from zero to the highest net count.
    Ocean Optics devices store up to eight coefficients (what the counts are divided by: OOINLCorrect's instructions);
    some hold zeros or garbage (python-seabreeze #40).
    """
    if not len(coefficients):
        return net, ()
    level = np.clip(net, 0.0, None)
    with np.errstate(all="ignore"):
        gain = np.polyval(coefficients[::-1], level)
        low, high = LINEARITY_RANGE
        sane = bool(np.all((gain > low) & (gain < high)))
    if not sane:
        return net, (f"{NONLINEARITY} are not believable: not applied",)
    return net / gain, ()


def steepness(net: FloatArray, coefficients: tuple[float, ...]) -> FloatArray:
    """How much a linearised count changes with a net count, (pixels,): d(x / p) / dx = (p - x p') / p^2.

    For coefficients that :func:`linearised` has applied to these counts.
    """
    level = np.clip(net, 0.0, None)
    highest_first = np.array(coefficients[::-1])
    gain = np.polyval(highest_first, level)
    slope: FloatArray = (gain - level * np.polyval(np.polyder(highest_first), level)) / (gain * gain)
    return slope
