"""APScheduler as an alarm clock: one date at a time, then the plan is looked at."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger

log = logging.getLogger(__name__)

_SHORTEST_S, _LONGEST_S = 0.01, 86_400.0


class Waking:
    """Calls ``look`` in a thread of its own when it is time.

    Parameters
    ----------
    look : callable
        Looks what is due, and says when it shall be called again.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._look = look
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 2, "misfire_grace_time": None},
        )
        self._scheduler.add_listener(self._heed, EVENT_JOB_ERROR)
        self._scheduler.start()

    def stop(self) -> None:
        """End the thread; a call that is under way is let come to its end."""
        self._scheduler.shutdown(wait=True)

    @property
    def is_set(self) -> bool:
        """Whether a call is to come."""
        return self._scheduler.get_job("plan") is not None

    def set(self, wait_s: float) -> None:
        """Call after this time, and not when it was said before."""
        delay = timedelta(seconds=min(max(wait_s, _SHORTEST_S), _LONGEST_S))
        self._scheduler.add_job(self._look, DateTrigger(datetime.now(UTC) + delay), id="plan", replace_existing=True)

    def _heed(self, event: JobExecutionEvent) -> None:
        log.error("a planned order failed: %r", event.exception)
