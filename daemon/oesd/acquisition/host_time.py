"""Notices that the host slept, or that the daemon did not run: slots of that time are nobody's fault but the host's.

Linux counts no sleep of the host in ``CLOCK_MONOTONIC``, which paces the slots; ``CLOCK_BOOTTIME`` counts it. What one
gains on the other was slept. A daemon that was stopped (SIGSTOP, a frozen virtual machine) wakes from a wait far too
late.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LEAST_SLEEP_NS = 100_000_000
_LEAST_STOP_S = 1.0


def boottime_ns() -> int:
    """Time since the start of the host with its sleep, ns; the monotonic clock where the system has no such clock."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Gap:
    """Time in which nothing could be measured.

    Attributes
    ----------
    reason, detail : str
        For the ledger: ``"host asleep"`` or ``"daemon stopped"``, and a sentence.
    slept_ns : int
        What the monotonic clock did not count: a grid on it has to be moved back by so much for the slots that were
        slept through to come due. 0 when it counted all.
    """

    reason: str
    detail: str
    slept_ns: int


class HostWatch:
    """Watches the clocks of the host from one thread.

    Parameters
    ----------
    monotonic_ns, boottime_ns : callable
        The clocks; the host's own by default.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, boottime_ns: Callable[[], int] = boottime_ns
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._boottime_ns = boottime_ns
        self._last_ns, self._ahead_ns = self._read()

    def look(self, allowed_s: float = math.inf) -> Gap | None:
        """What happened since the last look, which should not have taken longer than this; None for nothing.

        Both at once is told as sleep: a host that wakes runs everything late.
        """
        now_ns, ahead_ns = self._read()
        passed_s, self._last_ns = (now_ns - self._last_ns) / 1e9, now_ns
        slept_ns = ahead_ns - self._ahead_ns
        if slept_ns >= _LEAST_SLEEP_NS:
            self._ahead_ns += slept_ns
            return Gap("host asleep", f"the host slept for {slept_ns / 1e9:.1f} s", slept_ns)
        if passed_s > allowed_s + _LEAST_STOP_S:
            stopped_s = passed_s - allowed_s
            return Gap("daemon stopped", f"the daemon was stopped, or not run by the host, for {stopped_s:.1f} s", 0)
        return None

    def slept(self) -> bool:
        """Whether the host slept since the last look."""
        return self._read()[1] - self._ahead_ns >= _LEAST_SLEEP_NS

    def _read(self) -> tuple[int, int]:
        """The monotonic clock, and how far the other one is ahead of it; read again when the two were torn apart."""
        while True:
            now_ns = self._monotonic_ns()
            ahead_ns = self._boottime_ns() - now_ns
            if self._monotonic_ns() - now_ns < _LEAST_SLEEP_NS:
                return now_ns, ahead_ns
