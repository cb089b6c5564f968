"""From raw counts to net counts, in this order (the README gives the reasons).

saturation mask (raw) -> hot pixels (dark) -> dark, stored or electric -> non-linearity -> saturated pixels out of the
shorter exposure of a bracket -> spikes -> boxcar.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oesd.engine.bracket import Bracket, bracketed
from oesd.engine.linearity import linearised
from oesd.engine.windows import bridged, grown, median, median_of_seven, moving_mean, robust_sigma
from oesd.model import FloatArray, MaskArray, Measurement

SPIKE_SHARE = 0.25  # a line at least 1.8 px wide leaves 0.42 of its height in the higher neighbour pixel


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A spectrum freed of what the instrument added; all arrays (pixels,).

    Attributes
    ----------
    scope_corrected : float64
        sample - dark, linearised, saturated pixels out of the bracket; nothing bridged or smoothed: what a person sees.
    net : float64
        The same with bad pixels bridged and the boxcar applied: what the peak finder sees.
    saturated : bool
        Pixels at the detector's limit in at least one scan, and in the shorter exposure too where there is one.
    unsure : bool
        Hot pixels and spikes: bridged in ``net``.
    bracket : Bracket or None
        What stands in for saturated pixels, when something does.
    """

    scope_corrected: FloatArray
    net: FloatArray
    saturated: MaskArray
    unsure: MaskArray
    warnings: tuple[str, ...]
    bracket: Bracket | None = None


def correct(measurement: Measurement) -> Corrected:
    """Apply every correction that the measurement allows; never fails on finite numbers."""
    saturated = saturation_mask(measurement)
    hot = hot_pixels(measurement.dark, len(measurement.sample))
    dark = dark_level(measurement)
    net, warnings = linearised(measurement.sample - dark, measurement.nonlinearity)
    bracket = _bracket(measurement, net, saturated, dark, believable=not warnings) if saturated.any() else None
    untold = (
        saturated  # a spike there cannot be told from the flank of a clipped line, or the noise of a short exposure
    )
    if bracket is not None:
        net, untold, saturated = bracket.into(net), saturated | bracket.replaced, saturated & ~bracket.replaced
        warnings += bracket.warnings
    unsure = spikes(bridged(net, hot), untold) | hot
    bridged_net = bridged(net, unsure)
    smooth = moving_mean(bridged_net, min(measurement.boxcar_half_width_px, len(net) - 1))
    if saturated.any():
        warnings += (f"{int(saturated.sum())} saturated pixels: heights there are lower limits",)
    return Corrected(net, smooth, saturated, unsure, warnings, bracket)


def _bracket(
    measurement: Measurement, net: FloatArray, saturated: MaskArray, dark: FloatArray | float, *, believable: bool
) -> Bracket | None:
    """What the shorter exposure tells, None without one."""
    if measurement.short is None:
        return None
    seen = replace(measurement, sample=measurement.short, saturated=measurement.short_saturated)
    usable = measurement if believable else replace(measurement, nonlinearity=())
    return bracketed(usable, net, saturated, saturation_mask(seen), dark)


def saturation_mask(measurement: Measurement) -> MaskArray:
    """Pixels saturated in a raw scan: as the capture said, else by count, else by flat tops of the highest value."""
    sample = measurement.sample
    if measurement.saturated is not None:
        return measurement.saturated
    if measurement.saturation_counts is not None:
        share = 1.0 if measurement.scans == 1 else 0.985  # an average hides a scan that was clipped
        return sample >= share * measurement.saturation_counts
    return flat_tops(sample)


def flat_tops(sample: FloatArray) -> MaskArray:
    """Runs of at least three equal pixels at the very maximum: a clipped line in a file that names no limit."""
    top = sample >= sample.max()
    if top.all():
        return np.zeros(len(sample), dtype=np.bool_)
    inner = top[:-2] & top[1:-1] & top[2:]
    return grown(np.concatenate([[False], inner, [False]]), 1)


def dark_level(measurement: Measurement) -> FloatArray | float:
    """Counts without light: the stored dark, else the mean of the optically black pixels, else zero."""
    if measurement.dark is not None:
        return measurement.dark
    black = [i for i in measurement.electric_dark_pixels if 0 <= i < len(measurement.sample)]
    return float(np.mean(measurement.sample[black])) if black else 0.0


def hot_pixels(dark: FloatArray | None, pixels: int) -> MaskArray:
    """Pixels whose dark stands out: beyond 8 robust sigma above or below the median of its seven neighbours.

    A stored dark takes a hot pixel's mean away but leaves its larger shot noise and its drift with temperature, so
    such a pixel cannot carry a line alone.
    """
    if dark is None or pixels < 7:
        return np.zeros(pixels, dtype=np.bool_)
    excess = dark - median_of_seven(dark)
    hot: MaskArray = np.abs(excess) > 8.0 * robust_sigma(excess) + 1e-12 * np.abs(dark).max()
    return hot


def spikes(net: FloatArray, saturated: MaskArray) -> MaskArray:
    """Single pixels too narrow for any line spread: a cosmic hit or a hot pixel that the dark does not show.

    A pixel is one when it exceeds both neighbours by far more than the noise and neither neighbour keeps
    ``SPIKE_SHARE`` of its height above the local floor.
    """
    found = np.zeros(len(net), dtype=np.bool_)
    if len(net) < 7:
        return found
    noise = 1.4826 * float(median(np.abs(2.0 * net[1:-1] - net[:-2] - net[2:]))) / np.sqrt(6.0)
    floor = median_of_seven(net)
    above = net - floor
    higher_neighbour = np.maximum(above[:-2], above[2:])
    height = above[1:-1]
    found[1:-1] = (height > 6.0 * noise) & (higher_neighbour < SPIKE_SHARE * height - 2.0 * noise)
    return found & ~grown(saturated, 1)
