"""Whether a dark or a reference may serve: the judgement of one capture with all that is known of its spectrometer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from oesd.backgrounds.cells import ROUNDING, Cell, Dark, DarkStatistics
from oesd.backgrounds.contamination import FIRST, STRICT, Strictness, Verdict, judge, scans_to_prove
from oesd.backgrounds.dark_model import DarkModel
from oesd.backgrounds.expectation import (
    ITSELF,
    Expectation,
    from_darks,
    from_itself,
    from_model,
    tells_offset,
)
from oesd.backgrounds.fitting import Noise
from oesd.backgrounds.photon_transfer import Undetermined, photon_transfer
from oesd.backgrounds.scatter import alternating_sigma, robust_sigma
from oesd.backgrounds.shapes import LINE_FWHM_PX
from oesd.model import FloatArray, MaskArray, SpreadArray

MOST_SCANS = 100
_SPARE = 1.2
_FULL_SHARE = 0.02  # of the pixels: more than hot pixels can be
_SAME_TIME = 1e-6
_FAR_SHORTER = 4.0
_NEAR_K = 4.0  # between a dark and the earlier ones it is held against
_DARKER_READ_NOISES = 0.5
_MOVED_READ_NOISES = 2.0  # of the offset: more is no drift that a mean over old and new darks may hold
_CLEAR = 20.0  # signal to noise of a light worth looking for
_LAMP_NOISES = 5.0
_STRETCH_PX = 16


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a background.

    Attributes
    ----------
    proven : bool
        Light that matters would have been seen.
    reason : str
        A sentence for a person.
    darker : bool
        It lies below what it was held against, as the earlier darks may have seen light, or its offset is another one:
        darks before it do not hold any more.
    numbers : mapping of str to float, int or str
        For the record.
    """

    accepted: bool
    proven: bool
    reason: str
    darker: bool = False
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of a spectrometer when a dark of it is judged.

    Attributes
    ----------
    wavelengths_nm : (pixels,) float64
    black : tuple of int
        Optically black pixels.
    statistics : DarkStatistics
        Of the accepted darks.
    model : DarkModel or None
    known_light : mapping of str to (pixels,) float64
        Light that may have come in.
    """

    wavelengths_nm: FloatArray
    statistics: DarkStatistics
    black: tuple[int, ...] = ()
    model: DarkModel | None = None
    known_light: Mapping[str, FloatArray] = field(default_factory=dict)


def judge_dark(dark: Dark, known: Known) -> Judgement:
    """Judge a dark against the model, else against earlier darks of its exposure, else against itself.

    One that is not proven dark is accepted as perhaps dark, for nothing else may be there to serve or to learn from.
    But once the model knows better than such a dark can show, and some more scans would do, it is refused.
    """
    expected = expectation(dark, known)
    full = _full(dark, expected)
    if full:
        return Judgement(False, False, f"not dark: {full} of {dark.counts.size} pixels are saturated")
    if _knows_better(known.model, dark):
        verdict = _verdict(dark, known, expected, STRICT)
        if verdict.accepted or verdict.light or verdict.scans_needed <= MOST_SCANS:
            return _judgement(verdict, dark, expected, known.black)
    return _judgement(_verdict(dark, known, expected, FIRST), dark, expected, known.black)


def _verdict(dark: Dark, known: Known, expected: Expectation, strictness: Strictness) -> Verdict:
    return judge(
        dark.counts,
        expected,
        scans=dark.scans,
        wavelengths_nm=known.wavelengths_nm,
        black=known.black,
        known_light=known.known_light,
        strictness=strictness,
    )


def _knows_better(model: DarkModel | None, dark: Dark) -> bool:
    """Whether the noise of the dark is what light could hide in, not the doubts of the model."""
    if model is None:
        return False
    error, _ = model.outlook(dark.integration_us, dark.temperature_c)
    return error < 0.5 * model.noise_counts(dark.integration_us, dark.temperature_c, dark.scans)


def _judgement(verdict: Verdict, dark: Dark, expected: Expectation, black: tuple[int, ...]) -> Judgement:
    above = float(np.median(dark.counts - expected.counts))
    darker = verdict.darker_counts > 0 or (not verdict.accepted and above < -_DARKER_READ_NOISES * expected.read_counts)
    moved = expected.source != ITSELF and tells_offset(black) and abs(above) > _MOVED_READ_NOISES * expected.read_counts
    numbers: dict[str, float | int | str] = {
        "against": expected.source,
        "light": verdict.light,
        "contamination_counts": round(verdict.contamination_counts, 3),
        "significance": round(verdict.significance, 3),
        "limit_counts": round(verdict.limit_counts, 3),
        "scans_needed": verdict.scans_needed,
        "darker_counts": round(verdict.darker_counts, 3),
        "level_counts": round(above, 3),
        "read_noise_counts": round(expected.read_counts, 4),
    }
    proven = verdict.accepted and verdict.scans_needed <= dark.scans and expected.source != ITSELF
    return Judgement(verdict.accepted, proven, verdict.reason, darker or (verdict.accepted and moved), numbers)


def proving_scans(model: DarkModel | None, integration_us: int, temperature_c: float | None, pixels: int) -> int:
    """Scans with which a dark of this exposure can prove itself; as many as read noise alone asks for without a model.

    Where dark current is strong more would be needed than is reasonable: never more than ``MOST_SCANS``.
    """
    if model is None:
        return scans_to_prove(1.0, 1.0, LINE_FWHM_PX[0], pixels)
    noise = model.noise_counts(integration_us, temperature_c)
    ideal = scans_to_prove(noise, model.noise.read_counts, LINE_FWHM_PX[0], pixels)
    doubt, _ = model.outlook(integration_us, temperature_c)
    left = 1.0 / ideal - (doubt / noise) ** 2
    return min(math.ceil(_SPARE / left), MOST_SCANS) if left > 0.0 else MOST_SCANS


def expectation(dark: Dark, known: Known) -> Expectation:
    """What the dark ought to show, from the best that there is."""
    if known.model is not None:
        return from_model(known.model, dark, known.black)
    cells = [cell for cell in known.statistics.cells if _alike(cell, dark)]
    earlier = [_mean(cell) for cell in cells]
    if not earlier:
        return from_itself(dark, dark.scan_noise or alternating_sigma(dark.counts) * math.sqrt(dark.scans))
    noise = _noise(known.statistics, earlier, dark)
    expected = from_darks(earlier, dark, noise, _offset(known.statistics, dark), known.black)
    captures = sum(cell.captures for cell in cells)
    return expected if captures == 1 else replace(expected, source=f"{captures} earlier darks")


def _offset(statistics: DarkStatistics, dark: Dark) -> float | None:
    """Level of a far shorter exposure: next to nothing of it is dark current."""
    shorter = [cell for cell in statistics.cells if cell.time_s * _FAR_SHORTER <= dark.integration_us / 1e6]
    return min((float(np.median(cell.mean)) for cell in shorter), default=None)


def _alike(cell: Cell, dark: Dark) -> bool:
    """Whether a cell holds darks of this very exposure, and not of another temperature altogether."""
    seconds = dark.integration_us / 1e6
    return (
        math.isclose(cell.time_s, seconds, rel_tol=_SAME_TIME)
        and abs(cell.temperature_c - dark.celsius) <= _NEAR_K
        and not cell.left_out.all()
    )


def _mean(cell: Cell) -> Dark:
    return Dark(cell.mean, round(cell.time_s * 1e6), cell.scans, cell.temperature_c, cell.left_out)


def _noise(statistics: DarkStatistics, earlier: Sequence[Dark], dark: Dark) -> Noise:
    """Noise of one scan: by repeated darks or scans told apart, else by what this dark differs in from earlier ones."""
    try:
        return photon_transfer(statistics.cells)
    except Undetermined:
        scans = sum(one.scans for one in earlier)
        mean = np.sum([one.scans * one.counts for one in earlier], axis=0) / scans
        sigma = alternating_sigma(dark.counts - mean)
        return Noise(math.sqrt(max(sigma**2 / (1.0 / scans + 1.0 / dark.scans), ROUNDING)), 0.0)


def _full(dark: Dark, expected: Expectation) -> int:
    """Saturated pixels that no dark current explains, 0 when they may be hot ones."""
    if dark.saturated is None:
        return 0
    full = int(np.count_nonzero(dark.saturated & np.isfinite(expected.own)))
    return full if full > _FULL_SHARE * dark.counts.size else 0


def visible_light(light: FloatArray) -> FloatArray | None:
    """A sample without its dark, (pixels,), as a light to look for; None when it shows too little to be known by."""
    noise = max(alternating_sigma(light), math.sqrt(ROUNDING))
    smooth = np.convolve(light, np.full(3, 1.0 / 3.0), mode="same")
    return light if float(np.max(smooth)) > _CLEAR * noise else None


def judge_reference(
    counts: FloatArray, saturated: MaskArray, dark: FloatArray | None, full_when_dark: MaskArray | None = None
) -> Judgement:
    """Judge a reference: light everywhere it matters below saturation, and some light at all.

    Parameters
    ----------
    counts : (pixels,) float64
    saturated : (pixels,) bool
    dark : (pixels,) float64 or None
        Of the same exposure; without it the lowest hundredth of the pixels stands for it.
    full_when_dark : (pixels,) bool, optional
        Pixels that are saturated without light too.
    """
    full = saturated if full_when_dark is None else saturated & ~full_when_dark
    if full.any():
        reason = f"saturated at {np.count_nonzero(full)} of {full.size} pixels: a shorter integration time is needed"
        return Judgement(False, False, reason)
    light = counts - (np.quantile(counts, 0.01) if dark is None else dark)
    noise = max(alternating_sigma(light), math.sqrt(ROUNDING))
    whole = light[: light.size - light.size % _STRETCH_PX] if light.size >= _STRETCH_PX else light
    height = float(np.max(np.median(whole.reshape(-1, min(_STRETCH_PX, whole.size)), axis=1)))  # hot pixels stand alone
    numbers = {"light_counts": round(height, 3), "noise_counts": round(noise, 4)}
    if height < _LAMP_NOISES * noise:
        than = "its dark" if dark is not None else "its own floor"
        reason = f"no light: nowhere more than {max(height, 0.0):.1f} counts brighter than {than}"
        return Judgement(False, False, reason, numbers=numbers)
    return Judgement(True, True, f"light of up to {height:.0f} counts, nothing saturated", numbers=numbers)


def unchecked(kind: str) -> Judgement:
    """Accept a background without a look at it, as the configuration wants it."""
    return Judgement(True, True, f"not checked: check is off for each {kind}")


def begins_anew(judgement: Judgement, dark: Dark, known: Known) -> Judgement:
    """Judge a dark as the first of a new library: the earlier ones have seen light, for light only adds.

    Or the offset has moved for good, as black pixels tell: a mean of old and new darks would be that of neither.
    """
    alone = replace(known, statistics=DarkStatistics(dark.counts.size), model=None)
    first = judge_dark(dark, alone)
    if not first.accepted:
        return judgement
    why = "of another offset" if judgement.accepted else "darker"
    return replace(first, reason=f"{first.reason}; {why} than all earlier darks, which are set aside")


def scan_noise(counts: FloatArray, spread: FloatArray | SpreadArray) -> float | None:
    """Standard deviation of one scan of a typical pixel, from those of all pixels; None when they tell none.

    Parameters
    ----------
    counts, spread : (pixels,) float64
        Mean counts and standard deviation of the scans; hot pixels, which are noisier, are left out.
    """
    typical = np.abs(counts - np.median(counts)) <= 3.0 * max(robust_sigma(counts), math.sqrt(ROUNDING))
    told = spread[typical & np.isfinite(spread)]
    noise = math.sqrt(float(np.mean(told.astype(np.float64) ** 2))) if told.size else 0.0
    return noise or None
