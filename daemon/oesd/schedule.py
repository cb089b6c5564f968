"""APScheduler decides when a run starts and stops and when slow captures are due; it does nothing itself.

Everything that fires more often than each ten seconds is paced on the monotonic clock by the acquisition: APScheduler
lives on the wall clock, a step of which may silence it. Jobs live in memory only, made anew from the configuration.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import cast

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from oesd.config import Config, ConfigError
from oesd.model import Kind

log = logging.getLogger(__name__)

SLOWEST_PACED_US = 10_000_000
"""Periods of this length and more are fired by the scheduler, shorter ones are paced by the acquisition."""


class Schedule:
    """The plan of one configuration.

    Parameters
    ----------
    config : Config
        Says when runs start, how long they last and how often backgrounds are taken.
    start_runs, stop_runs : callable
        Start and stop the run of every spectrometer.
    take : callable
        Orders one background of every spectrometer.
    """

    def __init__(
        self,
        config: Config,
        *,
        start_runs: Callable[[], None],
        stop_runs: Callable[[], None],
        take: Callable[[Kind], None],
    ) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._config = config
        self._start_runs = start_runs
        self._stop_runs = stop_runs
        self._take = take
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(2)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 60},
        )
        self._scheduler.add_listener(self._heed, EVENT_JOB_ERROR | EVENT_JOB_MISSED)

    def start(self) -> None:
        """Plan runs and backgrounds; a run that is to last for ever starts at once."""
        self._plan_runs()
        for kind, section in ((Kind.DARK, self._config.dark), (Kind.REFERENCE, self._config.reference)):
            if section.every_us:
                self._scheduler.add_job(self._take, _every(section.every_us), args=(kind,), id=kind.value)
        self._scheduler.start()

    def stop(self) -> None:
        """End the scheduler; a job at work ends with its own call."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def every(self, period_us: int, call: Callable[[], None], name: str) -> None:
        """Fire a slow single capture each period."""
        self._scheduler.add_job(call, _every(period_us), id=name, replace_existing=True)

    def cancel(self, name: str) -> None:
        """Fire it no more; harmless when it is not planned."""
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    def _plan_runs(self) -> None:
        run = self._config.run
        if run.start == "always":
            self._start_runs()
        else:
            trigger = cron(run.start)
            duration = timedelta(microseconds=run.duration_us)
            began = begun(trigger, duration, datetime.now(UTC))
            if began is not None:
                self._run_until(began + duration)
            self._scheduler.add_job(self._run_for_a_while, trigger, id="run")

    def _run_for_a_while(self) -> None:
        self._run_until(datetime.now(UTC) + timedelta(microseconds=self._config.run.duration_us))

    def _run_until(self, end: datetime) -> None:
        self._start_runs()
        self._scheduler.add_job(self._stop_runs, DateTrigger(end), id="run end", replace_existing=True)

    def _heed(self, event: JobExecutionEvent) -> None:
        what = f"failed: {event.exception!r}" if event.exception else "came too late and was left out"
        log.error("scheduled job %r %s", event.job_id, what)


def cron(expression: str) -> CronTrigger:
    """Trigger of a cron expression of five fields, in UTC; ConfigError when it is none."""
    try:
        return CronTrigger.from_crontab(expression, timezone=UTC)
    except ValueError as error:
        raise ConfigError(f"run.start: {expression!r} is no cron expression: {error}") from None


def begun(trigger: CronTrigger, duration: timedelta, now: datetime) -> datetime | None:
    """The firing whose run would be under way now, None when there is none: a restart goes on with it."""
    found = None
    following = trigger.get_next_fire_time(None, now - duration)
    while following is not None and following <= now:
        found = following
        following = trigger.get_next_fire_time(found, found)
    return found


def _every(period_us: int) -> IntervalTrigger:
    # The annotation says int; the timedelta inside takes fractions.
    return IntervalTrigger(seconds=cast(int, period_us / 1e6), timezone=UTC)
