"""The clocks of the host, and the one way to wait on them: tests put others in their place."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from oesd.acquisition.host_time import boottime_ns


class Clock(Protocol):
    """Monotonic time for pace, UTC for people; nothing is ever decided by UTC."""

    def monotonic_ns(self) -> int:
        """Time that never steps, ns."""
        ...

    def boottime_ns(self) -> int:
        """Monotonic time that counts the sleep of the host too, ns."""
        ...

    def utc(self) -> datetime:
        """The host's idea of the date; it may step by years."""
        ...

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        """Wait on a condition that is held, until it is notified or the time is over."""
        ...


class HostClock:
    """The clocks of this machine."""

    def monotonic_ns(self) -> int:
        """CLOCK_MONOTONIC, the same in every process of the host."""
        return time.monotonic_ns()

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME."""
        return boottime_ns()

    def utc(self) -> datetime:
        """The date as the host has it."""
        return datetime.now(UTC)

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        """Wait on the condition."""
        changed.wait(timeout_s)
