"""The trigger input of a spectrometer, and the requests that wait for it."""

from __future__ import annotations

from collections import deque

from .model import Wire

_NEVER = 0xFF


class TriggerInput:
    """What the trigger modes of a model do with requests.

    ========  ===================================================================================
    edge      an edge begins the exposure of one request that waits
    level     frames follow each other while the input is high
    clock     an edge ends one exposure and begins the next: two of them make the first frame
    disabled  (mode 255) nothing ever begins
    ========  ===================================================================================

    Parameters
    ----------
    wire : Wire
        Its trigger modes.

    Attributes
    ----------
    mode : int
        As the protocol sets it.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.mode = 0
        self._high = False
        self._asked_s: deque[float] = deque()
        self._last_edge_s: float | None = None

    def power_on(self) -> None:
        """Free-running, nothing waits; the level outside stays as it is."""
        self.set_mode(0)
        self.forget()

    def set_mode(self, mode: int) -> None:
        """Choose a mode; requests that wait go on waiting, as in the devices."""
        self.mode, self._last_edge_s = mode, None

    def forget(self) -> None:
        """Drop what waits."""
        self._asked_s.clear()

    def holds(self, now_s: float) -> bool:
        """Whether a request made now has to wait; it is remembered then."""
        free = self.mode not in self._wire.waiting_triggers or (self._level_mode and self._high)
        if not free:
            self._asked_s.append(now_s)
        return not free

    def edge(self, now_s: float) -> tuple[float, float | None] | None:
        """An edge: when the request it serves was made, and when its exposure began that ends now (None: it begins).

        None when it serves no request.
        """
        began_s, self._last_edge_s = self._last_edge_s, now_s
        if not self._asked_s or self.mode == _NEVER or (self._clock_mode and began_s is None):
            return None
        return self._asked_s.popleft(), began_s if self._clock_mode else None

    def set_level(self, high: bool) -> int:
        """Set the level; returns how many edges it is worth: one for a rising level, more when many wait for it."""
        rising, self._high = high and not self._high, high
        return max(1, len(self._asked_s) if self._level_mode else 1) if rising else 0

    @property
    def _level_mode(self) -> bool:
        return self.mode in self._wire.level_triggers

    @property
    def _clock_mode(self) -> bool:
        return self.mode in self._wire.clock_triggers
