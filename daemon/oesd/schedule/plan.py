"""What is due by the plan, as a matter of two clocks: UTC says when, the steady clock says how long.

Nothing here waits, and nothing reads a clock. The host's UTC may step by years between two looks:

- A run that is on goes on to its end on the steady clock, whatever UTC does.
- A step into a window starts the rest of it, when the run that is on is over.
- A window that was started is not started again when the clock is set back a little. Set back by half the distance to
  the following window or more, it is: better a run too many than one that nobody can measure again.
- Windows that follow each other without a gap are meant to have none: what a step makes is filled with a run.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from oesd.config import BackgroundSection, Config, RunSection
from oesd.model import Kind, RunOrder
from oesd.schedule.cron import cron, last_firing, next_firing

log = logging.getLogger(__name__)

STEP_S = 2.0
"""A difference of the clocks that jumps by this much is a step; the slow corrections of NTP are none."""
_GRACE = timedelta(minutes=1)
_SHORTEST = timedelta(seconds=0.1)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """The host's date, and a clock that never steps, ns."""

    utc: datetime
    steady_ns: int


class Stop:
    """The order that a planned run is over."""


Order = RunOrder | Kind | Stop


class Item(Protocol):
    """One thing that comes due again and again."""

    def look(self, now: Moment, stepped: bool) -> list[Order]:
        """What is due now; asked again it is not due any more."""
        ...

    def wait_s(self, now: Moment) -> float:
        """Seconds until the next thing is due; infinity when nothing will be."""
        ...


class Steps:
    """Notices that the host's clock was set."""

    def __init__(self) -> None:
        self._last: Moment | None = None

    def look(self, now: Moment) -> float:
        """Seconds by which the clock was set since the last look, 0 for not at all."""
        last, self._last = self._last, now
        if last is None:
            return 0.0
        passed_s = (now.steady_ns - last.steady_ns) / 1e9
        step_s = (now.utc - last.utc).total_seconds() - passed_s
        return step_s if abs(step_s) >= STEP_S else 0.0


class PlannedRuns:
    """Runs that begin with each firing of a cron expression and last for a while."""

    def __init__(self, section: RunSection) -> None:
        self._trigger = cron(section.start)
        self._duration = section.duration_us * _US
        self._order = RunOrder(cause="plan", labels=section.labels)
        self._begun: dict[datetime, Moment] = {}
        self._coming: datetime | None = None
        self._window: datetime | None = None
        self._until_ns: int | None = None
        self._looked = False

    def look(self, now: Moment, stepped: bool) -> list[Order]:
        """Start the window that is on, once; say when its run is over."""
        fired = self._follow(now, stepped or not self._looked)
        self._looked = True
        over = self._until_ns is not None and now.steady_ns >= self._until_ns
        if over:
            self._until_ns = None
        if self._window and self._wanted(self._window, fired, now):
            return [self._start(self._window, now)]
        return [Stop()] if over else []

    def wait_s(self, now: Moment) -> float:
        """Until the next firing or the end of the run."""
        firing_s = math.inf if self._coming is None else (self._coming - now.utc).total_seconds()
        end_s = math.inf if self._until_ns is None else (self._until_ns - now.steady_ns) / 1e9
        return min(firing_s, end_s)

    def _follow(self, now: Moment, lost: bool) -> bool:
        """Keep the window that UTC stands in; True when one has just begun in the regular course of time."""
        reached = self._coming is not None and now.utc >= self._coming
        if lost or reached:
            self._window = last_firing(self._trigger, now.utc, self._duration)
            self._coming = next_firing(self._trigger, now.utc)
        elif self._window and now.utc >= self._window + self._duration:
            self._window = None
        return reached and not lost and self._window is not None

    def _wanted(self, window: datetime, fired: bool, now: Moment) -> bool:
        if fired:
            return not self._had(window, now)
        if self._until_ns is not None or window + self._duration - now.utc < _SHORTEST:
            return False  # the two clocks never end a window in the same microsecond
        return self._distance(window) <= self._duration or not self._had(window, now)

    def _start(self, window: datetime, now: Moment) -> RunOrder:
        left_us = (window + self._duration - now.utc) // _US
        self._until_ns = now.steady_ns + left_us * 1000
        self._forget(now)
        self._begun[window] = now
        return replace(self._order, duration_us=left_us)

    def _had(self, window: datetime, now: Moment) -> bool:
        """Whether the window was started before, and the clock has not been set back for long since."""
        begun = self._begun.get(window)
        if begun is None:
            return False
        set_back = (now.steady_ns - begun.steady_ns) // 1000 * _US - (now.utc - begun.utc)
        return set_back < self._distance(window) / 2

    def _distance(self, window: datetime) -> timedelta:
        following = next_firing(self._trigger, window)
        return timedelta.max if following is None else following - window

    def _forget(self, now: Moment) -> None:
        """Drop the windows that no step can make count any more."""
        for window, begun in list(self._begun.items()):
            passed = (now.steady_ns - begun.steady_ns) // 1000 * _US
            if passed - self._duration >= self._distance(window) / 2:
                del self._begun[window]


class Rounds:
    """A background each so many seconds of the steady clock; what a sleep of the host took is made up for once."""

    def __init__(self, kind: Kind, every_us: int) -> None:
        self._kind = kind
        self._every_ns = every_us * 1000
        self._next_ns: int | None = None

    def look(self, now: Moment, stepped: bool) -> list[Order]:
        """The background, when its time is over."""
        if self._next_ns is None:
            self._next_ns = now.steady_ns + self._every_ns
        if now.steady_ns < self._next_ns:
            return []
        self._next_ns += self._every_ns * (1 + (now.steady_ns - self._next_ns) // self._every_ns)
        return [self._kind]

    def wait_s(self, now: Moment) -> float:
        """Until the next one."""
        return math.inf if self._next_ns is None else (self._next_ns - now.steady_ns) / 1e9


class Firings:
    """A background at each firing of a cron expression; a minute late it is left out: the light may have changed."""

    def __init__(self, kind: Kind, expression: str) -> None:
        self._kind = kind
        self._trigger = cron(expression, f"{kind}.window")
        self._coming: datetime | None = None
        self._looked = False

    def look(self, now: Moment, stepped: bool) -> list[Order]:
        """The background, when its moment has come."""
        reached = self._coming is not None and now.utc >= self._coming
        in_time = reached and last_firing(self._trigger, now.utc, _GRACE) is not None
        if reached and not in_time:
            log.warning("%s planned for %s left out: its moment was stepped or slept over", self._kind, self._coming)
        if reached or stepped or not self._looked:
            self._coming = next_firing(self._trigger, now.utc)
        self._looked = True
        return [self._kind] if in_time else []

    def wait_s(self, now: Moment) -> float:
        """Until the next firing."""
        return math.inf if self._coming is None else (self._coming - now.utc).total_seconds()


def items_of(config: Config) -> list[Item]:
    """What comes due by a configuration."""
    items: list[Item] = [PlannedRuns(config.run)] if config.run.planned else []
    for kind, section in ((Kind.DARK, config.dark), (Kind.REFERENCE, config.reference)):
        items += _of_background(kind, section)
    return items


def _of_background(kind: Kind, section: BackgroundSection) -> list[Item]:
    if section.how == "switch" and section.every_us:
        return [Rounds(kind, section.every_us)]
    return [Firings(kind, section.window)] if section.how == "window" else []
