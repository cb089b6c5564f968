"""APScheduler wakes the plan when something is due; a look four times a second sees what APScheduler cannot.

APScheduler sleeps for a difference of the wall clock: set back by an hour, it is silent for an hour; set forward by
years, it goes through every firing in between. So it is given one date at a time, the next, and :meth:`Schedule.look`,
called by the supervisor, notices a step of the clock and gives it another. Slots are none of its business: each run is
paced on the monotonic clock by the unit, whatever its period. (The design had captures of 10 s and more fired from
here: a clock set back would have lost them.)
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from oesd.config import Config
from oesd.model import Kind, RunOrder
from oesd.schedule.plan import Moment, Order, Steps, Stop, items_of

if TYPE_CHECKING:
    from oesd.schedule.waking import Waking

log = logging.getLogger(__name__)


def host_moment() -> Moment:
    """The host's clocks now; the steady one counts while the host sleeps, where the system has such a clock."""
    steady = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return Moment(datetime.now(UTC), time.clock_gettime_ns(steady))


class Schedule:
    """The plan of one configuration; gives orders, from its own thread and from that which looks, one at a time.

    Parameters
    ----------
    config : Config
        Says when runs start, how long they last and when backgrounds are taken.
    start_runs : callable
        Takes an order that stands from now on. One of cause "plan" lasts ``duration_us`` from the moment of the call,
        which the unit keeps; one that comes while another stands takes its place.
    stop_runs : callable
        Called when a planned run is over: no order stands.
    take : callable
        Orders one background of every spectrometer.
    moment : callable
        The clocks.
    """

    def __init__(
        self,
        config: Config,
        *,
        start_runs: Callable[[RunOrder], None],
        stop_runs: Callable[[], None],
        take: Callable[[Kind], None],
        moment: Callable[[], Moment] = host_moment,
    ) -> None:
        self._run = config.run
        self._items = items_of(config)
        self._start_runs = start_runs
        self._stop_runs = stop_runs
        self._take = take
        self._moment = moment
        self._steps = Steps()
        self._lock = threading.Lock()
        self._waking: Waking | None = None

    def start(self) -> None:
        """Give the order that stands from the start, if any, and plan what comes.

        The order "plasma on" means: begin a run whenever the plasma comes on. With "on order" nothing is planned.
        """
        if self._run.start in ("always", "plasma on"):
            self._start_runs(RunOrder(cause=self._run.start, labels=self._run.labels))
        if self._items:
            from oesd.schedule.waking import Waking  # who plans nothing imports no APScheduler: a start so much sooner

            self._waking = Waking(self.look)
        self.look()

    def stop(self) -> None:
        """End the scheduler; an order that is being given is given to its end."""
        with self._lock:  # who looks at this moment must not ask an APScheduler that waits for it
            waking, self._waking = self._waking, None
        if waking is not None:
            waking.stop()

    def look(self) -> None:
        """Give the orders that are due, once; cheap when there are none. Call it a few times a second."""
        with self._lock:
            now = self._moment()
            step_s = self._steps.look(now)
            if step_s:
                log.warning("the host's clock stepped by %+.1f s to %s; planned anew, no run that is on ends by it",
                            step_s, now.utc)  # fmt: skip
            orders = [order for item in self._items for order in item.look(now, bool(step_s))]
            if self._waking is not None and (orders or step_s or not self._waking.is_set):
                self._waking.set(min((item.wait_s(now) for item in self._items), default=math.inf))
            for order in orders:
                self._give(order)

    def _give(self, order: Order) -> None:
        if isinstance(order, Stop):
            self._stop_runs()
        elif isinstance(order, RunOrder):
            self._start_runs(order)
        else:
            self._take(order)
