"""Firings of a cron expression, in UTC: daylight saving moves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from oesd.config import Config, ConfigError

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

_SOON = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)


def cron(expression: str, key: str = "run.start") -> CronTrigger:
    """Trigger of a cron expression of five fields, in UTC.

    Raises
    ------
    ConfigError
        When it is none, or one that never fires, such as 31 February; ``key`` names it.
    """
    from apscheduler.triggers.cron import CronTrigger

    try:
        trigger = CronTrigger.from_crontab(expression, timezone=UTC)
    except ValueError as error:
        raise ConfigError(f"{key}: {expression!r} is no cron expression: {error}") from None
    if trigger.get_next_fire_time(None, datetime(2000, 1, 1, tzinfo=UTC)) is None:
        raise ConfigError(f"{key}: {expression!r} never fires: there is no such day")
    return trigger


def check_plan(config: Config) -> None:
    """Check every cron expression of a configuration; ConfigError names the first bad one."""
    if config.run.planned:
        cron(config.run.start)
    for key, section in (("dark", config.dark), ("reference", config.reference)):
        if section.window:
            cron(section.window, f"{key}.window")


def next_firing(trigger: CronTrigger, after: datetime) -> datetime | None:
    """The first firing after a moment; None when there is none before the calendar ends."""
    found: datetime | None = trigger.get_next_fire_time(None, after + _TICK)
    return found


def last_firing(trigger: CronTrigger, now: datetime, within: timedelta) -> datetime | None:
    """The last firing at or before a moment and less than ``within`` ago; None when there is none.

    Looked for in stretches that double, so that a plan of every minute and a window of a month cost little.
    """
    stretch = min(_SOON, within)
    while (found := next_firing(trigger, now - stretch)) is None or found > now:
        if stretch >= within:
            return None
        stretch = min(2 * stretch, within)
    while (following := next_firing(trigger, found)) is not None and following <= now:
        found = following
    return found
