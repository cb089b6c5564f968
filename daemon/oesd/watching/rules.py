"""Endpoint rules: what is asked of a trace, whether it can be, and how a person reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from oesd.watching.errors import WatchError
from oesd.watching.run_length import cusum_limit, level_limit

RuleKind = Literal["level", "slope", "cusum"]
Direction = Literal["falls", "rises"]


@dataclass(frozen=True, slots=True)
class Rule:
    """What is asked of a trace.

    Attributes
    ----------
    after_us, baseline_us : int
        From the beginning of the run nothing counts for so long; then so long the rule learns how things are.
    level, share : float or None
        A value, or a share of the baseline's mean, that is passed.
    per_s, share_per_s : float or None
        A slope, or one in shares of the baseline's mean.
    window_us : int
        Stretch that a slope is taken over.
    confirm : int
        Values (of a slope: windows) in a row that must say so.
    shift : float
        Change that a CUSUM finds fastest, in standard deviations.
    false_alarm_in : float
        One false alarm in so many spectra on average, while nothing changes; 0 where level or slope are given.
    own_sigma : bool
        The values' own errors are their scatter; otherwise the scatter is learned.
    """

    name: str
    trace: str
    kind: RuleKind
    direction: Direction
    after_us: int = 0
    baseline_us: int = 0
    level: float | None = None
    share: float | None = None
    per_s: float | None = None
    share_per_s: float | None = None
    window_us: int = 0
    confirm: int = 1
    shift: float = 1.0
    false_alarm_in: float = 0.0
    own_sigma: bool = False

    @property
    def limit(self) -> float | None:
        """The limit of the rule's statistic where it follows from the stated rate of false alarms, else None.

        Raises
        ------
        WatchError
            When no limit has that rate.
        """
        if not self.false_alarm_in:
            return None
        if self.kind == "cusum":
            return cusum_limit(self.false_alarm_in, 0.5 * self.shift)
        return level_limit(self.false_alarm_in, self.confirm) if self.kind == "level" else None


def learns(rule: Rule) -> bool:
    """Whether it has to learn how things are before it can tell that they changed."""
    return bool(rule.false_alarm_in or rule.share is not None or rule.share_per_s is not None)


def checked(rule: Rule) -> Rule:
    """See that a rule says all it needs, and nothing that contradicts itself.

    Raises
    ------
    WatchError
        ``key: what is wrong``.
    """
    given = {"level": (rule.level, rule.share), "slope": (rule.per_s, rule.share_per_s), "cusum": ()}[rule.kind]
    fixed = sum(value is not None for value in given)
    names = {"level": "level or share", "slope": "per_s or share_per_s"}.get(rule.kind, "")
    if rule.kind == "cusum" and not rule.false_alarm_in:
        raise WatchError("false_alarm_in: a cusum needs it: one false alarm in so many spectra, such as 100000")
    if rule.kind != "cusum" and fixed + bool(rule.false_alarm_in) != 1:
        raise WatchError(f"{names.split()[0]}: give one of {names}, or false_alarm_in instead")
    if rule.kind == "slope" and not rule.window_us:
        raise WatchError('window: a slope needs the stretch that it is taken over, such as "10 s"')
    if learns(rule) and not rule.baseline_us:
        raise WatchError('baseline: needed to learn how things are, such as "20 s"')
    _ = rule.limit
    return rule


def sentence_of(rule: Rule) -> str:
    """The rule as a person reads it."""
    what = {"level": "passes a level", "slope": "has a slope", "cusum": "has shifted"}[rule.kind]
    if rule.kind == "level" and not rule.false_alarm_in:
        what = f"is {'below' if rule.direction == 'falls' else 'above'} {_number(rule.level, rule.share)}"
    elif rule.kind == "slope" and not rule.false_alarm_in:
        what = f"{rule.direction} by more than {_number(rule.per_s, rule.share_per_s)} a second"
    else:
        what += f" ({rule.direction})"
    rate = f"; one false alarm in {rule.false_alarm_in:g} spectra" if rule.false_alarm_in else ""
    return f"{rule.trace} {what}{rate}"


def _number(value: float | None, share: float | None) -> str:
    return f"{value:g}" if value is not None else f"{100 * (share or 0.0):g} % of its baseline"
