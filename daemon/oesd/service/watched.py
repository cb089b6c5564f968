"""What the configuration asks to be watched, read and checked: formulas, alarms, endpoint rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from oesd.config import AlarmSection, Config, EndpointSection, Mistake, at_line, read
from oesd.model import LineSpread
from oesd.processing.readings import catalogue
from oesd.watching.alarms import Holds
from oesd.watching.errors import WatchError
from oesd.watching.grammar import BUILT_IN, BuiltIn, Formula, parse, text_of
from oesd.watching.plan import Instrument, check, plan
from oesd.watching.rules import Rule, checked
from oesd.watching.signals import Alarm, checked_alarm


@dataclass(frozen=True, slots=True)
class Watched:
    """All that is watched.

    Attributes
    ----------
    traces : dict of str to Formula
        By name; those that are built in come first, and what alarms and rules measure without a name comes last.
    alarms : tuple of Alarm
    rules : tuple of Rule
    devices : dict of str to str
        Spectrometer of an endpoint rule by its name; "" for each.
    actions : dict of str to tuple of str
        Whom the decision of a rule tells.
    """

    traces: dict[str, Formula]
    alarms: tuple[Alarm, ...] = ()
    rules: tuple[Rule, ...] = ()
    devices: dict[str, str] | None = None
    actions: dict[str, tuple[str, ...]] | None = None


def watched(config: Config, where: str = "") -> Watched:
    """Read what is to be watched.

    Parameters
    ----------
    where : str
        The file that the configuration was read from, for the line in errors.

    Raises
    ------
    ConfigError
        One line: file, line, what is wrong, and the nearest that would be right.
    """
    traces: dict[str, Formula] = {name: BuiltIn(name) for name in BUILT_IN}
    for number, section in enumerate(config.trace):
        with _Place(where, ("trace", "value"), number):
            traces[section.name] = _read(section.value, traces, config)
    alarms, rules = [], []
    for number, alarm in enumerate(config.alarm):
        with _Place(where, ("alarm",), number):
            alarms.append(_alarm(alarm, traces, config))
    for number, endpoint in enumerate(config.endpoint):
        with _Place(where, ("endpoint",), number):
            rules.append(rule_of(endpoint, traces, config))
    if config.golden.by:
        with _Place(where, ("golden", "by"), 0):
            _traced(config.golden.by, traces, config)
    return Watched(
        traces,
        tuple(alarms),
        tuple(rules),
        {one.name: one.device for one in config.endpoint},
        {one.name: one.actions for one in config.endpoint},
    )


class _Place:
    """Turns a refusal into an error of the configuration, with its line."""

    def __init__(self, where: str, keys: Sequence[str], ordinal: int) -> None:
        self._where, self._keys, self._ordinal = where, keys, ordinal

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, WatchError):
            key, colon, rest = str(error).partition(": ")
            named = colon and key.isidentifier() and key.islower() and " " not in key
            keys = (*self._keys, key) if named else self._keys
            raise at_line(rest if named else str(error), self._where, keys, self._ordinal) from None


def _read(text: str, traces: dict[str, Formula], config: Config) -> Formula:
    """Formula of a text that stands on what exists, and that the stated line width can resolve."""
    formula = parse(text)
    check(formula, catalogue())
    fwhm_nm = config.identify.fwhm_nm
    if fwhm_nm:
        everywhere = Instrument(np.linspace(1.0, 9999.0, 2), LineSpread((500.0,), (fwhm_nm,), (0.0,)))
        if refused := plan(formula, catalogue(), everywhere).refused:
            raise WatchError(refused)
    return formula


def _traced(text: str, traces: dict[str, Formula], config: Config) -> str:
    """Name of a trace that is there, or of the formula, which becomes a trace under its own text."""
    if text in traces:
        return text
    try:
        formula = _read(text, traces, config)
    except WatchError as refusal:
        names = ", ".join(name for name in traces if name not in BUILT_IN)
        raise WatchError(f"trace: {refusal}" + (f"; named traces are {names}" if names else "")) from None
    name = text_of(formula)
    traces.setdefault(name, formula)
    return name


def _alarm(section: AlarmSection, traces: dict[str, Formula], config: Config) -> Alarm:
    if section.kind == "missing" and 2 * section.longer_us < 3 * _slowest_us(config):
        raise WatchError("longer: must be 1.5 times [capture] every or more, or it is always raised")
    golden = section.reference == "golden"
    longer = section.longer_us / 1e6 if section.longer_us else None
    return checked_alarm(
        Alarm(
            name=section.name,
            kind=section.kind,
            trace=_traced(section.trace, traces, config) if section.trace else "",
            device=section.device,
            above=longer if longer is not None else section.above,
            below=float(section.less_bytes) if section.less_bytes else section.below,
            clear=section.clear,
            relative=section.relative,
            reference=None if golden or section.reference is None else float(section.reference),
            golden=golden,
            over_us=section.over_us,
            holds=Holds(section.hold_us, section.clear_hold_us),
            severity=section.severity,
            actions=section.actions,
            advice=section.advice,
        )
    )


def _slowest_us(config: Config) -> int:
    return max([config.capture.every_us, *(one.every_us or 0 for one in config.spectrometer)])


def rule_of(section: EndpointSection, traces: dict[str, Formula], config: Config) -> Rule:
    """Rule of a section; what it measures joins the traces.

    Raises
    ------
    WatchError
        One line.
    """
    return checked(
        Rule(
            name=section.name,
            trace=_traced(section.trace, traces, config),
            kind=section.rule,
            direction=section.direction,
            after_us=section.after_us,
            baseline_us=section.baseline_us,
            level=section.level,
            share=section.share,
            per_s=section.per_s,
            share_per_s=section.share_per_s,
            window_us=section.window_us,
            confirm=section.confirm,
            shift=section.shift,
            false_alarm_in=section.false_alarm_in,
            own_sigma=section.sigma == "own",
        )
    )


def asked_rule(
    rule: str | Mapping[str, Any], known: Mapping[str, Rule], watched_now: Watched, config: Config
) -> tuple[Rule, Formula]:
    """An endpoint rule of the configuration by its name, or one that a person writes; and what it goes by.

    Raises
    ------
    WatchError
        When it cannot be told.
    """
    if isinstance(rule, str):
        if rule not in known:
            raise WatchError(f"there is no endpoint {rule!r:.80}; there are {', '.join(known) or 'none'}")
        return known[rule], watched_now.traces[known[rule].trace]
    try:
        section = read(EndpointSection, {"name": "tried", "actions": [], **rule})
    except Mistake as mistake:
        raise WatchError(f"rule: {mistake}") from None
    traces = dict(watched_now.traces)
    made = rule_of(section, traces, config)
    return made, traces[made.trace]


def formula_of(text: str, known: Watched) -> Formula:
    """Formula of a named trace, or of a text."""
    if text in known.traces:
        return known.traces[text]
    formula = parse(text)
    check(formula, catalogue())
    return formula
