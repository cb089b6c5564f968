"""When a new dark or reference is due."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.backgrounds.dark_model import DarkModel
from oesd.backgrounds.library import Background, duration, milliseconds
from oesd.model import Conditions, Kind


@dataclass(frozen=True, slots=True)
class Policy:
    """When to take one again; None switches a cause off.

    Attributes
    ----------
    kind : Kind
        DARK or REFERENCE.
    age_s : float or None
    temperature_k : float or None
        Change of the detector's temperature since the last one.
    exposure : bool
        Take one for each integration time used.
    """

    kind: Kind = Kind.DARK
    age_s: float | None = 3600.0
    temperature_k: float | None = 1.0
    exposure: bool = True


def due(policy: Policy, last: Background | None, now: Conditions, model: DarkModel | None = None) -> str | None:
    """Say why a background is due, or None.

    Parameters
    ----------
    policy : Policy
    last : Background or None
        The one that serves now, with its age at this moment: the youngest of this exposure, else the youngest at all.
    now : Conditions
        How samples are taken now.
    model : DarkModel, optional
        Lets a change of temperature pass that moves a dark by less than half the read noise.
    """
    if last is None:
        return f"no {policy.kind} yet"
    if last.conditions.pixels != now.pixels:
        return f"the last {policy.kind} has {last.conditions.pixels} pixels, the spectrometer {now.pixels}"
    return _exposure(policy, last, now) or _age(policy, last) or _temperature(policy, last, now, model)


def _exposure(policy: Policy, last: Background, now: Conditions) -> str | None:
    then_us = last.conditions.integration_us
    if not policy.exposure or then_us == now.integration_us:
        return None
    return f"integration time changed from {milliseconds(then_us)} to {milliseconds(now.integration_us)}"


def _age(policy: Policy, last: Background) -> str | None:
    if policy.age_s is None or abs(last.age_s) <= policy.age_s:
        return None
    return f"the last {policy.kind} is {duration(last.age_s)} old, {duration(policy.age_s)} are allowed"


def _temperature(policy: Policy, last: Background, now: Conditions, model: DarkModel | None) -> str | None:
    then_c, now_c = last.conditions.detector_temperature_c, now.detector_temperature_c
    if policy.temperature_k is None or then_c is None or now_c is None:
        return None
    change = now_c - then_c
    if abs(change) <= policy.temperature_k:
        return None
    if policy.kind is Kind.DARK and model is not None:
        moved = model.change_counts(now.integration_us, now_c, then_c)
        if moved < 0.5 * model.noise.read_counts:
            return None
    way = "warmer" if change > 0 else "colder"
    return f"the detector is {abs(change):.1f} C {way} than at the last {policy.kind}"
