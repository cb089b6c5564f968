"""How far the host's clock is off, by the API's clock: told beside the host's time, never applied to it.

The same rule as NTP's clock filter (RFC 5905, section 10): of the last exchanges the one with the least delay is the
best, as what delays a packet makes its offset wrong by at most half of that.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

from oesd.upload.answers import GatewayTime

KEPT = 8
FIRST = 4  # exchanges close to each other, to begin with
FIRST_EVERY = timedelta(seconds=2)
EVERY = timedelta(minutes=5)
_JUMP_MS = 1000.0
_DAY_MS = 86_400_000.0


class ClockOffset:
    """Offset of the API's clock from the host's, from the last exchanges."""

    def __init__(self) -> None:
        self._window: deque[GatewayTime] = deque(maxlen=KEPT)
        self._asked = 0
        self._due: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether it is time for an exchange."""
        return self._due is None or now >= self._due

    def asked(self, now: datetime, measured: GatewayTime | None) -> None:
        """Note an exchange; None when there was no answer to use."""
        self._asked += 1
        self._due = now + (FIRST_EVERY if self._asked < FIRST else EVERY)
        if measured is None:
            return
        best = self.best
        # The host's clock was set: what was measured before says nothing any more.
        if best is not None and abs(measured.offset_ms - best.offset_ms) > _JUMP_MS + 2 * measured.bound_ms:
            self._window.clear()
        self._window.append(measured)

    @property
    def best(self) -> GatewayTime | None:
        """Offset (API's clock minus the host's, ms) with its bound; None when it was never measured."""
        return min(self._window, key=lambda one: one.bound_ms, default=None)

    def state(self) -> dict[str, float | str | None]:
        """State for people."""
        best = self.best
        if best is None:
            return {"offset_ms": None, "bound_ms": None, "note": ""}
        far = abs(best.offset_ms) > _DAY_MS
        note = "the API's clock and the host's are more than a day apart" if far else ""
        return {"offset_ms": round(best.offset_ms, 1), "bound_ms": round(best.bound_ms, 1), "note": note}
