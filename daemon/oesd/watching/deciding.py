"""A rule at work: in a run, when has a trace changed? Level, slope and CUSUM, fed with one value after the other.

A rule knows nothing but the values of its run and their times within it. The same values in the same order give the
same decision, bit for bit: live and back-test are one code.

::

    run begins --after--> learning --baseline--> watching --> reached (once in a run)
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from oesd.watching.deviations import Deviations
from oesd.watching.reading import Reading
from oesd.watching.rules import Rule, learns
from oesd.watching.run_length import level_limit

CORRELATED = 0.2
_LEAST_SLOPE_POINTS = 5
_MOST_POINTS = 20_000


@dataclass(slots=True)
class Watch:
    """A rule at work in one run.

    Attributes
    ----------
    state : str
        ``waiting``, ``learning``, ``watching`` or ``reached``.
    why : str
        The sentence of the decision.
    statistic, limit : float
        What is compared with what; NaN before anything is.
    points, skipped : int
        Values that counted, and those that could not (saturated, undefined).
    """

    rule: Rule
    state: str = "waiting"
    why: str = ""
    statistic: float = math.nan
    limit: float = math.nan
    points: int = 0
    skipped: int = 0
    _deviations: Deviations = field(default_factory=Deviations)
    _sum: float = 0.0
    _in_a_row: int = 0
    _held: list[tuple[float, float]] = field(default_factory=list)
    _window: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_MOST_POINTS))

    def __post_init__(self) -> None:
        self._deviations.own = self.rule.own_sigma

    @property
    def correlation(self) -> float:
        """Correlation of neighbouring deviations."""
        return self._deviations.correlation

    def step(self, run_us: int, reading: Reading) -> bool:
        """Take the next value; True when it decides.

        Parameters
        ----------
        run_us : int
            Time since the run began.
        """
        rule = self.rule
        if self.state == "reached" or run_us < rule.after_us:
            return False
        if not reading.usable:
            self.skipped += 1
            return False
        value, sigma = reading.value, reading.sigma
        self.points += 1
        if run_us < rule.after_us + rule.baseline_us or (learns(rule) and not self._deviations.ready):
            self.state = "learning"
            self._deviations.learn(value, sigma)
            return False
        self.state = "watching"
        if _STEPS[rule.kind](self, run_us, value, sigma):
            self.state = "reached"
            return True
        return False

    def level(self, _: int, value: float, sigma: float) -> bool:
        """Values in a row beyond a level."""
        rule = self.rule
        if rule.false_alarm_in:
            self.statistic, self.limit = self._deviation(value, sigma), rule.limit or math.nan
            beyond = self.statistic > self.limit
            self._learn_later(value, sigma, beyond)
        else:
            self.limit = rule.level if rule.level is not None else self._share_of_mean(rule.share)
            self.statistic = value
            beyond = value < self.limit if rule.direction == "falls" else value > self.limit
        self._in_a_row = self._in_a_row + 1 if beyond else 0
        if self._in_a_row < rule.confirm:
            return False
        self.why = f"{_times(rule.confirm)} {_compared(self.statistic, self.limit, rule)}"
        return True

    def _learn_later(self, value: float, sigma: float, beyond: bool) -> None:
        """Values of a row are learned when it breaks: the first must not hide those after it."""
        self._held.append((value, sigma))
        if not beyond:
            for one in self._held:
                self._deviations.learn(*one)
            self._held.clear()

    def cusum(self, _: int, value: float, sigma: float) -> bool:
        """Sum of deviations beyond half of the shift that is looked for."""
        rule = self.rule
        self.limit = rule.limit or math.nan
        self._sum = max(0.0, self._sum + self._deviation(value, sigma) - 0.5 * rule.shift)
        self.statistic = self._sum
        if self._sum <= self.limit:
            self._deviations.learn(value, sigma)
            return False
        self.why = f"the sum of deviations is {self._sum:.2f}, above {self.limit:.2f}"
        return True

    def slope(self, run_us: int, value: float, sigma: float) -> bool:
        """Straight line through a window: a moving one against a given slope, one after the other against chance."""
        rule = self.rule
        told = self._deviation(value, sigma) if rule.false_alarm_in else value
        if rule.false_alarm_in:
            self._deviations.learn(value, sigma)
        self._window.append((run_us / 1e6, told))
        span_s = self._window[-1][0] - self._window[0][0]
        whole = span_s >= 0.999e-6 * rule.window_us and len(self._window) >= _LEAST_SLOPE_POINTS
        if not whole and len(self._window) < _MOST_POINTS:
            return False
        return self._slope_of_chance() if rule.false_alarm_in else self._slope_given()

    def _slope_given(self) -> bool:
        rule = self.rule
        per_s, error = slope_of(list(self._window))
        while self._window and self._window[-1][0] - self._window[0][0] >= 1e-6 * rule.window_us:
            self._window.popleft()
        limit = rule.per_s if rule.per_s is not None else abs(self._share_of_mean(rule.share_per_s))
        signed = -per_s if rule.direction == "falls" else per_s
        self.statistic, self.limit = signed, limit
        self._in_a_row = self._in_a_row + 1 if signed > limit and signed > 3.0 * error else 0
        if not math.isnan(limit):
            self.why = f"it {rule.direction} by {signed:.4g} a second, more than {limit:.4g}"
        return self._in_a_row >= rule.confirm

    def _slope_of_chance(self) -> bool:
        """Slope of a window of deviations in its own standard deviations; windows do not overlap."""
        rule, points = self.rule, list(self._window)
        self._window.clear()
        middle = math.fsum(t for t, _ in points) / len(points)
        norm = math.sqrt(math.fsum((t - middle) ** 2 for t, _ in points))
        self.statistic = math.fsum((t - middle) * u for t, u in points) / norm
        self.limit = level_limit(max(rule.false_alarm_in / len(points), 3.0), rule.confirm)
        self._in_a_row = self._in_a_row + 1 if self.statistic > self.limit else 0
        self.why = f"the slope of {len(points)} values is {self.statistic:.2f} sigma, above {self.limit:.2f}"
        return self._in_a_row >= rule.confirm

    def _share_of_mean(self, share: float | None) -> float:
        """A share of the baseline; NaN, which nothing passes, of one that is not seen: a share of noise is noise."""
        if self._deviations.seen:
            return (share or 0.0) * self._deviations.mean
        self.why = f"its baseline, {self._deviations.mean:.4g}, is not told from zero: no share of it can be passed"
        return math.nan

    def _deviation(self, value: float, sigma: float) -> float:
        """Deviation in the direction that is looked for."""
        u = self._deviations.of(value, sigma)
        return -u if self.rule.direction == "falls" else u


_STEPS: dict[str, Callable[[Watch, int, float, float], bool]] = {
    "level": Watch.level,
    "slope": Watch.slope,
    "cusum": Watch.cusum,
}


def slope_of(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Slope of a straight line through points (x, y) and its standard deviation, by the points' own scatter.

    Sums are exact (``math.fsum``), so that their order does not matter.
    """
    count = len(points)
    mean_x = math.fsum(x for x, _ in points) / count
    mean_y = math.fsum(y for _, y in points) / count
    spread = math.fsum((x - mean_x) ** 2 for x, _ in points)
    if count < 3 or spread <= 0.0:
        return 0.0, math.inf
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    left = math.fsum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    return slope, math.sqrt(left / (count - 2) / spread)


def _times(confirm: int) -> str:
    return "it" if confirm == 1 else f"{confirm} values in a row:"


def _compared(value: float, limit: float, rule: Rule) -> str:
    below = rule.direction == "falls" and not rule.false_alarm_in
    return f"is {value:.4g}, {'below' if below else 'above'} {limit:.4g}"
