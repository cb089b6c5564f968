"""A host whose clocks go as a test says: time passes by being waited for, UTC is set at will, the host sleeps.

What one thread waits for passes at once, so that a month of measuring takes minutes. Meant for one thread at a time.
"""

from __future__ import annotations

import heapq
import itertools
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from oesd_drivers.pace import Clock as PaceClock

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 1_000_000_000


class NothingWillHappen(AssertionError):
    """Somebody waits for ever and nothing is planned: on a host, a hang."""


class StepClock:
    """Clocks of a host that a test steps; implements :class:`oesd.acquisition.clock.Clock`.

    Parameters
    ----------
    utc : datetime
        Of the start; the monotonic clock starts at 1,000 s.
    tick_ns : int
        What each look at the monotonic clock costs: work takes time, and no loop that polls runs for ever.
    """

    def __init__(self, utc: datetime = START, tick_ns: int = 1_000) -> None:
        self._monotonic_ns = 1_000 * _NS
        self._asleep_ns = 0
        self._unix_offset_ns = (utc - _EPOCH) // timedelta(microseconds=1) * 1_000 - self._monotonic_ns
        self._tick_ns = tick_ns
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    # -- what is read ------------------------------------------------------------------------------------------------

    def monotonic_ns(self) -> int:
        self._monotonic_ns += self._tick_ns
        return self._monotonic_ns

    def boottime_ns(self) -> int:
        """The clock that counts while the host sleeps."""
        return self._monotonic_ns + self._asleep_ns

    def unix_ns(self) -> int:
        return self._monotonic_ns + self._unix_offset_ns

    def utc(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.unix_ns() // 1_000)

    def seconds(self) -> float:
        """For virtual devices and scenes."""
        return self.monotonic_ns() / 1e9

    def of_driver(self) -> PaceClock:
        """The same clocks as the driver takes them."""
        return PaceClock(self.monotonic_ns, self.unix_ns, self.sleep)

    # -- how time passes ---------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Let time pass, and what is planned within it happen."""
        end_ns = self._monotonic_ns + max(0, round(seconds * 1e9))
        while self._planned and self._planned[0][0] <= end_ns:
            self._happen()
        self._monotonic_ns = max(self._monotonic_ns, end_ns)

    def wait(self, changed: threading.Condition, timeout_s: float | None) -> None:
        """Wait on a condition that is held: until the next planned thing, or for the whole time; None is for ever."""
        changed.wait(0)  # another thread may come in, as it may while one really waits
        if self._planned and (timeout_s is None or self._planned[0][0] <= self._monotonic_ns + timeout_s * 1e9):
            self._happen()
        elif timeout_s is None or math.isinf(timeout_s):
            raise NothingWillHappen
        else:
            self._monotonic_ns += max(0, round(timeout_s * 1e9))

    def at(self, monotonic_ns: int, call: Callable[[], None]) -> None:
        """Have something happen when so much time has passed, in the thread that lets it pass."""
        heapq.heappush(self._planned, (monotonic_ns, next(self._order), call))

    def _happen(self) -> None:
        due_ns, _, call = heapq.heappop(self._planned)
        self._monotonic_ns = max(self._monotonic_ns, due_ns)
        call()

    # -- what befalls a host -----------------------------------------------------------------------------------------

    def step(self, seconds: float) -> None:
        """Set the date forward or back."""
        self._unix_offset_ns += round(seconds * 1e9)

    def suspend(self, seconds: float) -> None:
        """Sleep: the date goes on, the monotonic clock stands still."""
        self._asleep_ns += round(seconds * 1e9)
        self._unix_offset_ns += round(seconds * 1e9)

    def stall(self, seconds: float) -> None:
        """Stop the process: time passes, nothing that is planned happens before it is over."""
        self._monotonic_ns += round(seconds * 1e9)
