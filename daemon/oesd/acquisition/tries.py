"""When to try again what failed: the opening of a device that is plugged in."""

from __future__ import annotations

import time

_SOONEST_S, _LATEST_S = 1.0, 10.0


class Tries:
    """When to try again to open a device that is plugged in but cannot be used: soon, then less and less often."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._delay_s = _SOONEST_S

    def due(self) -> bool:
        """Whether to try now; the next time is later."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._delay_s
        self._delay_s = min(_LATEST_S, 1.5 * self._delay_s)
        return True
