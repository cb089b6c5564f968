"""From raw counts to net counts, in this order (the README gives the reasons).

saturation mask (raw) -> bad pixels (dark, reference, scans, list) -> dark, stored or modelled or electric -> hits, told
by the spread of the scans -> non-linearity -> saturated pixels out of the shorter exposure of a bracket -> stray light
-> spikes -> boxcar. The variance of every pixel goes along.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from oesd.engine.bracket import Bracket, bracketed
from oesd.engine.defects import Hits, hits, spikes, untrusted
from oesd.engine.linearity import linearised, steepness
from oesd.engine.noise import noise_sigma
from oesd.engine.straylight import without_stray_light
from oesd.engine.variance import NoiseLaw, dark_doubt, fixed_pattern, scan_law
from oesd.engine.windows import bridged, edges_of, grown, median, moving_mean
from oesd.model import FloatArray, MaskArray, Measurement
from oesd.model.sentences import DARK_EXPOSED

USUAL_FWHM_PX = 3.0
DEEPEST_WELL_ELECTRONS = 1e7  # of InGaAs arrays: the scans tell the photon noise, this only keeps it above zero
OTHER_EXPOSURE = 1e-3  # share by which files round an integration time
ROUNDED = 1.0 / 12.0  # counts^2, of whole counts
WHOLE = 1e-6  # how far a sum of whole counts may lie beside one after it was divided and multiplied again
DOME = 1e-3  # of the highest count: twice what a parabola has fallen by that was FLAT to the edges of the run
FLAT = 5e-5  # of the highest count: the two phases of a readout clip at counts that differ by a few


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A spectrum freed of what the instrument added; all arrays (pixels,).

    Attributes
    ----------
    scope_corrected : float64
        sample - dark, linearised, saturated pixels out of the bracket, without stray light; nothing bridged or
        smoothed: what a person sees.
    net : float64
        The same with hits taken out, bad pixels bridged and the boxcar applied: what the peak finder sees.
    variance : float64
        Of ``net``, counts^2, above 0: what is independent from pixel to pixel, that is read and photon noise and the
        dark's own doubt.
    flicker : float
        Share by which the light as a whole varied from scan to scan; 0 where that is not known.
    saturated : bool
        Pixels at the detector's limit in at least one scan, and in the shorter exposure too where there is one.
    spilled : bool
        Pixels within half a line width of a saturated one: its charge and its light lie on them.
    unsure : bool
        Hot, dead and stuck pixels and spikes: bridged in ``net``.
    boxcar_px : int
        Half width of the boxcar applied to ``net``; its noise is then alike in neighbours.
    bracket : Bracket or None
        What stands in for saturated pixels, when something does.
    """

    scope_corrected: FloatArray
    net: FloatArray
    saturated: MaskArray
    unsure: MaskArray
    warnings: tuple[str, ...]
    variance: FloatArray
    spilled: MaskArray
    bracket: Bracket | None = None
    boxcar_px: int = 0
    flicker: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Scans:
    """What the spread of the scans tells."""

    law: NoiseLaw
    hits: Hits
    spread: FloatArray
    scans: int

    def variance(self, light: FloatArray) -> FloatArray:
        """Independent variance of the mean of the scans, raw counts^2; without the scan that was hit."""
        variance = self.law.independent(light) / self.scans
        own = np.maximum(self.spread**2 - (self.law.flicker * light) ** 2, 0.0) / self.scans
        variance = np.where(self.hits.noisy, np.maximum(own, variance), variance)
        fewer = variance * self.scans / max(self.scans - 1, 1) + self.hits.excess_sigma**2
        return np.where(self.hits.hit, fewer, variance)


def correct(measurement: Measurement, fwhm_px: float | None = None) -> Corrected:
    """Apply every correction that the measurement allows; never fails on finite numbers.

    Parameters
    ----------
    measurement : Measurement
    fwhm_px : float, optional
        Line width, for the pixels next to saturated ones; a usual one by default.
    """
    saturated = saturation_mask(measurement)
    bad = untrusted(measurement, saturated)
    dark = dark_level(measurement)
    raw = measurement.sample - dark
    rounded2 = rounding(measurement.sample, measurement.scans)
    told = _told_by_scans(measurement, raw, saturated, rounded2)
    bad = bad if told is None else bad | told.hits.lost
    lin, warnings = linearised(raw, measurement.nonlinearity)
    usable = measurement if not warnings else replace(measurement, nonlinearity=())
    warnings = _other_exposure(measurement) + warnings
    bracket = _bracket(usable, lin, saturated, dark) if saturated.any() else None
    untold = saturated  # a spike there cannot be told from a clipped line's flank, or the noise of a short exposure
    shown, net = lin, lin if told is None else _without_hits(usable, raw, lin, told.hits)
    if bracket is not None:
        shown, net = bracket.into(shown), bracket.into(net)
        untold, saturated = saturated | bracket.replaced, saturated & ~bracket.replaced
        warnings += bracket.warnings
    shown, net, stray_warnings = _without_stray_light(measurement, shown, net, bad)
    sound = bridged(net, bad)
    uneven = noise_sigma(sound, saturated, _full_scale(measurement, sound), measurement.scans)
    uneven = np.maximum(uneven, sqrt(rounded2))
    unsure = spikes(sound, uneven, untold) | bad
    clean = bridged(net, unsure)
    width = min(measurement.boxcar_half_width_px, len(net) - 1)
    variance = np.maximum(_variance(usable, raw, sound, uneven, saturated, told, bracket), rounded2)
    variance = bridged(variance, unsure)
    if saturated.any():
        warnings += (f"{int(saturated.sum())} saturated pixels: heights there are lower limits",)
    return Corrected(
        scope_corrected=shown,
        net=moving_mean(clean, width),
        saturated=saturated,
        unsure=unsure,
        warnings=warnings + stray_warnings,
        variance=moving_mean(variance, width) / (2 * width + 1) if width else variance,
        spilled=grown(saturated, max(1, int(0.5 * (fwhm_px or USUAL_FWHM_PX) + 0.5))) & ~saturated,
        bracket=bracket,
        boxcar_px=width,
        flicker=0.0 if told is None else told.law.flicker,
    )


def _bracket(
    measurement: Measurement, net: FloatArray, saturated: MaskArray, dark: FloatArray | float
) -> Bracket | None:
    """What the shorter exposure tells, None without one."""
    if measurement.short is None:
        return None
    seen = replace(measurement, sample=measurement.short, saturated=measurement.short_saturated)
    return bracketed(measurement, net, saturated, saturation_mask(seen), dark)


def rounding(sample: FloatArray, scans: int) -> float:
    """Variance that whole counts add to a mean of scans, counts^2: the least there is; 0 of values that are none.

    A uniform distribution's, 1/12 (Bennett, Bell Syst. Tech. J. 27, 446 (1948)). Noise below a third of a count shows
    in few pixels or none, and those few would be lines. A mean that is whole itself was rounded once more, after the
    scans were added: a spectrometer's own averaging does so, and many a file.
    """
    if _whole(sample):
        return ROUNDED
    return ROUNDED / scans if scans > 1 and _whole(sample * scans) else 0.0


def _whole(values: FloatArray) -> bool:
    return bool((np.abs(values - np.rint(values)) < WHOLE).all())


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
    """Runs of at least three nearly equal pixels at the very top: a clipped line in a file that names no limit.

    A smooth continuum has such a run, too, where hardly any noise is left. It falls by nine times as much at three
    times the distance; what is clipped has its flanks there.
    """
    highest = float(sample.max())
    top = sample >= highest - FLAT * abs(highest)
    if top.all():
        return np.zeros(len(sample), dtype=np.bool_)
    inner = top[:-2] & top[1:-1] & top[2:]
    full = grown(np.concatenate([[False], inner, [False]]), 1)
    if not full.any():
        return full
    for start, end in edges_of(full).tolist():
        around = sample[max(2 * start - end, 0) : 2 * end - start]
        full[start:end] = float(around.min()) < highest - DOME * abs(highest)
    return full


def dark_level(measurement: Measurement) -> FloatArray | float:
    """Counts without light: the stored dark, else the mean of the optically black pixels, else zero."""
    if measurement.dark is not None:
        return measurement.dark
    black = [i for i in measurement.electric_dark_pixels if 0 <= i < len(measurement.sample)]
    return float(np.mean(measurement.sample[black])) if black else 0.0


def _other_exposure(measurement: Measurement) -> tuple[str, ...]:
    """Warn of a dark of another integration time: only a model can scale one, for its offset does not grow."""
    light_us, dark_us = measurement.integration_us, measurement.dark_integration_us
    if measurement.dark is None or not light_us or not dark_us or abs(dark_us - light_us) <= OTHER_EXPOSURE * light_us:
        return ()
    told = f"{DARK_EXPOSED} {dark_us / 1000.0:g} ms, the sample for {light_us / 1000.0:g} ms"
    return (f"{told}: it is subtracted as it is; take one of the same integration time",)


def _told_by_scans(measurement: Measurement, raw: FloatArray, saturated: MaskArray, rounded2: float) -> _Scans | None:
    """Noise law and hits, where the sample's scans left their spread."""
    spread, scans = measurement.spread, measurement.scans
    if spread is None or scans < 2 or not spread.any():
        return None
    law = scan_law(raw, spread, scans, saturated, _full_scale(measurement, raw) / DEEPEST_WELL_ELECTRONS)
    law = replace(law, read2=max(law.read2, ROUNDED if rounded2 else 0.0))  # of one scan, however the mean was rounded
    return _Scans(law, hits(raw, spread, scans, law, saturated), spread, scans)


def _without_hits(measurement: Measurement, raw: FloatArray, lin: FloatArray, found: Hits) -> FloatArray:
    """The linearised counts, where one scan was hit without what that adds to the mean."""
    if not found.hit.any():
        return lin
    without = linearised(raw - found.excess, measurement.nonlinearity)[0]
    return np.where(found.hit, without, lin)


def _without_stray_light(
    measurement: Measurement, shown: FloatArray, net: FloatArray, bad: MaskArray
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Both without the stray light, which is that of what is light: a hot or stuck pixel's counts stray nowhere."""
    if not measurement.stray_light:
        return shown, net, ()
    nm_per_px = float(median(np.diff(measurement.wavelengths_nm)))
    light = bridged(net, bad)
    cleared, warnings = without_stray_light(light, measurement.stray_light, nm_per_px)
    stray = light - cleared
    return shown - stray, net - stray, warnings


def _full_scale(measurement: Measurement, net: FloatArray) -> float:
    return measurement.saturation_counts or float(np.abs(net).max())


def _variance(
    measurement: Measurement,
    raw: FloatArray,
    sound: FloatArray,
    uneven: FloatArray,
    saturated: MaskArray,
    told: _Scans | None,
    bracket: Bracket | None,
) -> FloatArray:
    """Independent variance of the net counts, before the boxcar.

    From the unevenness of the spectrum itself (the sigma of :func:`noise_sigma`), in which the dark's noise shows
    already: a pixel's own doubt counts where it is larger. Lines that stand close look like noise there; where the
    scans tell less, they are right, and what they cannot tell comes on top: that pixels differ in response, and the
    dark's doubt.
    """
    seen = uneven * uneven
    if told is None:
        doubt = _doubt(measurement, seen)
        variance = seen if isinstance(doubt, float) else np.maximum(seen, doubt)
    else:
        steep = steepness(raw, measurement.nonlinearity) ** 2 if measurement.nonlinearity else 1.0
        of_scans = told.variance(raw) * steep
        of_scans = np.where(told.hits.noisy | told.hits.hit, of_scans, np.minimum(of_scans, seen))
        of_scans = of_scans + _doubt(measurement, np.maximum(seen - of_scans, 0.0)) * steep
        variance = of_scans + fixed_pattern(sound, of_scans, saturated)
    if bracket is not None:
        full_scale = bracket.ratio * _full_scale(measurement, raw)
        short = noise_sigma(bracket.net, ~bracket.clear, full_scale, measurement.scans) ** 2
        variance = np.where(bracket.replaced, np.maximum(short, variance), variance)
    return variance


def _doubt(measurement: Measurement, seen: FloatArray) -> FloatArray | float:
    if measurement.dark is None or measurement.dark_variance is None:
        return 0.0
    return dark_doubt(np.maximum(measurement.dark_variance, 0.0), measurement.dark_scans, seen)
