"""Changes of alarms and rules on their way to people and into the store: each is told once, and none is dropped.

A disk that refuses for a while holds them up: what was not told is told later, what was told and not stored is stored
later, in their order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from oesd.store.watch_events import WatchEvent, WatchEvents


class Announcing:
    """Tells of events, then stores them.

    Parameters
    ----------
    events : WatchEvents
    tell : callable
        Tells of an event that is no mark; may raise StoreError before anybody was told.
    """

    def __init__(self, events: WatchEvents, tell: Callable[[WatchEvent], None]) -> None:
        self._events, self._tell = events, tell
        self._untold: deque[WatchEvent] = deque()
        self._unstored: list[WatchEvent] = []

    def store(self, events: Iterable[WatchEvent]) -> None:
        """Have events stored with the next ones that tell nobody anything."""
        self._unstored += events

    def announce(self, events: Iterable[WatchEvent]) -> None:
        """Tell of events and of those that wait, and store them.

        Raises
        ------
        StoreError
            When the store refuses; what is left waits for the next call.
        """
        self._untold += events
        while self._untold:
            event = self._untold[0]
            if not self._known(event):
                if not event.is_mark:
                    self._tell(event)
                self._unstored.append(event)
            self._untold.popleft()
        if self._unstored:
            self._events.add(self._unstored).result()
            self._unstored = []

    def _known(self, event: WatchEvent) -> bool:
        """Whether a decision or a mark was made before: the values of a run are gone through again."""
        if event.kind != "endpoint":
            return False
        if any(_once(one) == _once(event) for one in self._unstored):
            return True
        return self._events.decision(*_once(event)) is not None


def _once(event: WatchEvent) -> tuple[str, str, int, str]:
    """What there is one decision of."""
    return event.name, event.device_name, event.run_no, event.definition
