"""Which dark or reference fits a sample best, and whether a new one is due.

The same integration time comes first: only a background of the sample's own exposure is chosen. Among those within the
limits the one with the least expected error wins; where a dark model exists that is an error in counts (noise of its
scans, and what temperature changes by the model), else the deviations are weighed by their limits. When none fits, the
model's dark is better than none or an old one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from oesd.backgrounds.dark_model import DarkModel
from oesd.model import Conditions, Kind
from oesd.model.sentences import BEYOND_LIMITS

_NOTABLE_K = 0.2
_DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Background:
    """A stored dark or reference.

    Attributes
    ----------
    record_id : str
    kind : Kind
    conditions : Conditions
    age_s : float
        Seconds between it and the sample; negative when it is the younger one.
    taken_at_utc : datetime
        For people; nothing is decided by it.
    """

    record_id: str
    kind: Kind
    conditions: Conditions
    age_s: float
    taken_at_utc: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a background may differ from its sample.

    Attributes
    ----------
    temperature_k, age_s : float
    beyond : bool
        Whether one beyond the limits is better than none; it is marked as such.
    """

    temperature_k: float
    age_s: float
    beyond: bool = True


DARK_LIMITS = Limits(temperature_k=2.0, age_s=24 * 3600.0)
REFERENCE_LIMITS = Limits(temperature_k=5.0, age_s=7 * 24 * 3600.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """The background of a sample.

    Attributes
    ----------
    record_id : str or None
        None when there is none, or when the dark model takes its place.
    reason : str
        For a person, stored with the entry.
    error_counts : float or None
        Expected error of the background in counts of one scan; None where no model tells.
    modelled : bool
        The dark is to be predicted by the model.
    within_limits : bool
    """

    record_id: str | None
    reason: str
    error_counts: float | None = None
    modelled: bool = False
    within_limits: bool = True


def choose_dark(
    sample: Conditions, darks: Iterable[Background], limits: Limits = DARK_LIMITS, model: DarkModel | None = None
) -> Choice:
    """Choose the dark of a sample.

    Parameters
    ----------
    sample : Conditions
    darks : iterable of Background
        Candidates of any device and exposure; other kinds are passed over.
    limits : Limits
    model : DarkModel, optional
        Of this device; weighs the candidates and stands in when none fits.
    """
    fitting = _fitting(sample, darks, Kind.DARK)
    within = [dark for dark in fitting if _within(sample, dark, limits)]
    if within:
        return _best(sample, within, limits, model)
    if model is not None:
        return _modelled(sample, fitting, limits, model)
    return _beyond(sample, fitting, limits, Kind.DARK)


def choose_reference(sample: Conditions, references: Iterable[Background], limits: Limits = REFERENCE_LIMITS) -> Choice:
    """Choose the reference of a sample; as for darks, but nothing stands in for one."""
    fitting = _fitting(sample, references, Kind.REFERENCE)
    within = [reference for reference in fitting if _within(sample, reference, limits)]
    if within:
        return _best(sample, within, limits, None)
    return _beyond(sample, fitting, limits, Kind.REFERENCE)


def expected_error(sample: Conditions, dark: Background, model: DarkModel) -> float:
    """Error in counts of one scan that this dark brings into the sample: its noise, and the change of temperature."""
    here_c, there_c = sample.detector_temperature_c, dark.conditions.detector_temperature_c
    noise = model.noise_counts(dark.conditions.integration_us, there_c, dark.conditions.scans)
    if here_c is None or there_c is None:
        return noise
    return math.hypot(noise, model.change_counts(sample.integration_us, here_c, there_c))


def milliseconds(integration_us: int) -> str:
    """An exposure as people write it."""
    return f"{integration_us / 1e6:g} s" if integration_us >= 1_000_000 else f"{integration_us / 1e3:g} ms"


def duration(seconds: float) -> str:
    """A time span as people say it."""
    size = abs(seconds)
    for unit, name in ((_DAY_S, "d"), (3600.0, "h"), (60.0, "min")):
        if size >= 2 * unit:
            return f"{size / unit:.0f} {name}"
    return f"{size:.0f} s"


def _fitting(sample: Conditions, candidates: Iterable[Background], kind: Kind) -> list[Background]:
    return [
        one
        for one in candidates
        if one.kind is kind
        and one.conditions.device == sample.device
        and one.conditions.pixels == sample.pixels
        and one.conditions.integration_us == sample.integration_us
    ]


def _warmer_k(sample: Conditions, one: Background) -> float | None:
    """How much warmer the background was; None when one of the two is not known."""
    mine, theirs = sample.detector_temperature_c, one.conditions.detector_temperature_c
    return None if mine is None or theirs is None else theirs - mine


def _within(sample: Conditions, one: Background, limits: Limits) -> bool:
    return abs(one.age_s) <= limits.age_s and abs(_warmer_k(sample, one) or 0.0) <= limits.temperature_k


def _deviation(sample: Conditions, one: Background, limits: Limits) -> float:
    """Weighed by the limits; a dark of one scan costs as much as one at the limit of temperature."""
    warmer = (_warmer_k(sample, one) or 0.0) / limits.temperature_k
    return math.hypot(warmer, one.age_s / limits.age_s, 1.0 / math.sqrt(one.conditions.scans))


def _best(sample: Conditions, within: list[Background], limits: Limits, model: DarkModel | None) -> Choice:
    """Least expected error, age counting as read noise; the same boxcar, then youth, decide between equals."""

    def cost(one: Background) -> tuple[float, bool, float, str]:
        if model is None:
            error = _deviation(sample, one, limits)
        else:
            ageing = 0.5 * model.noise.read_counts * one.age_s / limits.age_s
            error = math.hypot(expected_error(sample, one, model), ageing)
        other_boxcar = one.conditions.boxcar_half_width_px != sample.boxcar_half_width_px
        return round(error, 6), other_boxcar, abs(one.age_s), one.record_id

    chosen = min(within, key=cost)
    error = None if model is None else expected_error(sample, chosen, model)
    return Choice(chosen.record_id, _described(sample, chosen), error)


def _described(sample: Conditions, one: Background) -> str:
    theirs = one.conditions
    parts = [f"{one.kind} of {_clock(one)}, same {milliseconds(theirs.integration_us)}"]
    warmer = _warmer_k(sample, one)
    if warmer is None:
        parts.append("temperature not known")
    elif abs(warmer) >= _NOTABLE_K:
        parts.append(f"{abs(warmer):.1f} C {'warmer' if warmer > 0 else 'colder'}")
    if theirs.scans != sample.scans:
        parts.append(f"{theirs.scans} scan{'s' if theirs.scans != 1 else ''} to the sample's {sample.scans}")
    if theirs.boxcar_half_width_px != sample.boxcar_half_width_px:
        parts.append(f"boxcar {theirs.boxcar_half_width_px} to {sample.boxcar_half_width_px}")
    parts.append(f"{duration(one.age_s)} {'old' if one.age_s >= 0 else 'after the sample'}")
    return ", ".join(parts)


def _clock(one: Background) -> str:
    shown = "%H:%M UTC" if abs(one.age_s) < _DAY_S / 2 else "%d %b %H:%M UTC"
    return one.taken_at_utc.strftime(shown)


def _modelled(sample: Conditions, fitting: list[Background], limits: Limits, model: DarkModel) -> Choice:
    error, beyond = model.outlook(sample.integration_us, sample.detector_temperature_c)
    missing = _missing(sample, fitting, limits, Kind.DARK)
    reason = f"dark by the model learned from {model.captures} darks, good to {error:.1f} counts, {beyond}; {missing}"
    return Choice(None, reason, error, modelled=True)


def _missing(sample: Conditions, fitting: list[Background], limits: Limits, kind: Kind) -> str:
    if not fitting:
        return f"no {kind} at {milliseconds(sample.integration_us)}"
    nearest = min(fitting, key=lambda one: (_deviation(sample, one, limits), one.record_id))
    return f"the nearest stored one is the {_described(sample, nearest)}"


def _beyond(sample: Conditions, fitting: list[Background], limits: Limits, kind: Kind) -> Choice:
    """None fits: the nearest one beyond the limits, said so, or none."""
    if not fitting or not limits.beyond:
        return Choice(None, _missing(sample, fitting, limits, kind), within_limits=False)
    nearest = min(fitting, key=lambda one: (_deviation(sample, one, limits), one.record_id))
    allowed = f"{BEYOND_LIMITS} of {duration(limits.age_s)} and {limits.temperature_k:g} C"
    return Choice(nearest.record_id, f"{_described(sample, nearest)}: {allowed}, none better", within_limits=False)
