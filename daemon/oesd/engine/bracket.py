"""The shorter exposure of a bracket in place of saturated pixels.

::

    raw              sample ---- saturated ---- sample
    raw, t_short            short, not saturated
    net        (sample - dark) / poly    (short - dark_short) / poly * t / t_short

The shorter exposure is linearised before it is scaled, because a detector's non-linearity goes with its counts and not
with the light. Its noise is scaled with it, the read noise by all of t / t_short: replaced pixels have a noise law of
their own (:mod:`oesd.engine.analyze`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.linearity import linearised
from oesd.engine.windows import grown, median, quantile
from oesd.model import FloatArray, MaskArray, Measurement

GROWN_PX = 1  # a full pixel spills into its neighbours, and the peak finder does not trust them either
DIM_SHARE = 0.3  # the dimmest pixels, in which the offsets of two exposures can be compared
BRIGHT_SHARE, LEAST_BRIGHT = 0.1, 5  # of the highest net count, and pixels: where the light of two can be compared
LIGHT_CHANGED = 0.05  # a share that is told


@dataclass(frozen=True, slots=True, eq=False)
class Bracket:
    """What the shorter exposure tells, in net counts of the sample's integration time.

    Attributes
    ----------
    net : (pixels,) float64
        Dark subtracted, linearised, scaled; to be used where ``replaced``.
    replaced, clear : (pixels,) bool
        Pixels to be replaced, and pixels that neither exposure has saturated.
    ratio : float
        The sample's integration time by the shorter one.
    """

    net: FloatArray
    replaced: MaskArray
    clear: MaskArray
    ratio: float
    warnings: tuple[str, ...]

    def into(self, net: FloatArray) -> FloatArray:
        """Return the sample's net counts with the replaced pixels in place, shape (pixels,)."""
        return np.where(self.replaced, self.net, net)


def replaceable(saturated: MaskArray, short_saturated: MaskArray) -> MaskArray:
    """Pixels that the shorter exposure stands in for: saturated ones and their neighbours, if it is not full there."""
    return grown(saturated, GROWN_PX) & ~short_saturated


def bracketed(
    measurement: Measurement,
    net: FloatArray,
    saturated: MaskArray,
    short_saturated: MaskArray,
    dark: FloatArray | float,
) -> Bracket | None:
    """What the shorter exposure tells of the saturated pixels; None when it can tell nothing.

    Parameters
    ----------
    measurement : Measurement
        With a shorter exposure, and without a non-linearity that is not to be believed.
    net : (pixels,) float64
        The sample's net counts, linearised.
    saturated, short_saturated : (pixels,) bool
        Where the sample, and where the shorter exposure, is full.
    dark : (pixels,) float64 or float
        What was subtracted from the sample.
    """
    short, longer_us, shorter_us = measurement.short, measurement.integration_us, measurement.short_integration_us
    replaced = replaceable(saturated, short_saturated)
    if short is None or longer_us is None or shorter_us is None or not 0 < shorter_us < longer_us:
        return None
    if not (saturated & replaced).any():
        return None
    ratio = longer_us / shorter_us
    clear = ~grown(saturated, GROWN_PX) & ~short_saturated
    short_dark, told = _short_dark(measurement, short, dark, clear, ratio)
    scaled = linearised(short - short_dark, measurement.nonlinearity)[0] * ratio
    warnings = (_told(int((saturated & replaced).sum()), shorter_us), *told, *_light_changed(net, scaled, clear))
    return Bracket(scaled, replaced, clear, ratio, warnings)


def _short_dark(
    measurement: Measurement, short: FloatArray, dark: FloatArray | float, clear: MaskArray, ratio: float
) -> tuple[FloatArray | float, tuple[str, ...]]:
    """The shorter exposure's dark, else the sample's moved to its level, and what is to be said of it."""
    if measurement.short_dark is not None:
        return measurement.short_dark, ()
    moved = dark + _shift(measurement.sample - dark, short - dark, clear, ratio)
    return moved, ("the shorter exposure has no dark of its own: its level is that of the dimmest pixels",)


def _told(pixels: int, shorter_us: int) -> str:
    return f"{pixels} saturated pixels are taken from the exposure of {shorter_us / 1000.0:g} ms"


def _shift(longer: FloatArray, shorter: FloatArray, clear: MaskArray, ratio: float) -> float:
    """How much lower the shorter exposure's dark lies, from dim pixels, where the light hardly matters; 0 without any.

    Dark current goes with the integration time and the offset does not; both exposures show the same light per time.
    """
    if not clear.any():
        return 0.0
    dim = longer[clear] <= quantile(longer[clear], DIM_SHARE)
    return float(median((shorter - longer / ratio)[clear][dim]))


def _light_changed(net: FloatArray, scaled: FloatArray, clear: MaskArray) -> tuple[str, ...]:
    """Say so when bright pixels that both exposures show do not agree: the light was another one in between."""
    bright = clear & (net > BRIGHT_SHARE * float(np.abs(net).max()))
    if bright.sum() < LEAST_BRIGHT:
        return ()
    change = float(np.sum(scaled[bright] * net[bright]) / np.sum(net[bright] ** 2)) - 1.0
    if abs(change) < LIGHT_CHANGED:
        return ()
    return (f"the light changed by {100.0 * change:+.0f} % between the exposures: so much are replaced pixels off",)
