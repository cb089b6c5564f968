"""When the frames of a series begin: the clocks of the host, the grid of a series, a wait that can be called off."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .spectrometer import Series

#: How long at most before somebody who wants to stop is heard.
SLICE_NS = 50_000_000
#: A sleep of the kernel ends up to this late; what is left of a wait is slept in steps too short to matter.
_COARSE_NS, _STEP_NS = 400_000, 20_000


@dataclass(frozen=True, slots=True)
class Clock:
    """The clocks of the host; a simulation at accelerated time brings its own.

    Attributes
    ----------
    monotonic_ns, unix_ns : callable
        Now, ns.
    sleep : callable
        Wait so many seconds.
    """

    monotonic_ns: Callable[[], int] = time.monotonic_ns
    unix_ns: Callable[[], int] = time.time_ns
    sleep: Callable[[float], None] = time.sleep


HOST = Clock()


@dataclass(frozen=True, slots=True)
class Grid:
    """When each frame of a series is due.

    Attributes
    ----------
    first_due_ns, period_ns : int
        Monotonic; ``period_ns`` 0 is no grid.
    """

    first_due_ns: int
    period_ns: int

    @classmethod
    def of(cls, series: Series, now_ns: int) -> Grid:
        """Grid of a series that begins now, or later."""
        return cls(series.first_due_ns or now_ns, max(0, series.period_ns))

    def due_ns(self, index: int) -> int:
        """When frame ``index`` is due."""
        return self.first_due_ns + index * self.period_ns

    def next_index(self, index: int, now_ns: int) -> int:
        """``index``, or the later frame that is the last to be due already: those before it are left out."""
        if not self.period_ns:
            return index
        return max(index, (now_ns - self.first_due_ns) // self.period_ns)


def wait_until(due_ns: int, clock: Clock, cancelled: Callable[[], bool]) -> bool:
    """Wait to within a few hundredths of a millisecond; False when it was called off, asked every 50 ms."""
    while (left_ns := due_ns - clock.monotonic_ns()) > 0:
        if left_ns <= _COARSE_NS:
            clock.sleep(_STEP_NS * 1e-9)
        elif cancelled():
            return False
        else:
            clock.sleep(min(left_ns - _COARSE_NS // 2, SLICE_NS) * 1e-9)
    return not cancelled()
