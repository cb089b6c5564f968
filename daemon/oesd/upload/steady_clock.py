"""A UTC clock for the queue that a step of the host's clock cannot stall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta


class SteadyClock:
    """The host's UTC, except that it never goes back.

    Times of next attempts are kept as UTC in the store. When the host's clock is set back an hour, each of them would
    be an hour away: this clock goes on from where it was, at the monotonic clock's pace, until the host has caught up.

    Parameters
    ----------
    utc : callable
        Host clock.
    monotonic : callable
        Seconds that nobody sets.
    """

    def __init__(self, utc: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._utc = utc
        self._monotonic = monotonic
        self._last, self._at = utc(), monotonic()

    def now(self) -> datetime:
        """Present time."""
        at = self._monotonic()
        self._last = max(self._utc(), self._last + timedelta(seconds=at - self._at))
        self._at = at
        return self._last

    def skip_to(self, moment: datetime) -> None:
        """Go forward to a moment: one that no wait of ours can have set, left by a clock that was wrong."""
        self._last = max(self.now(), moment)
