"""Which entries wait for their analysis: the newest in memory, beyond that in the store alone."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress

from oesd.store import Store, StoreError

_WAITING = 1_000
_WAKE = ""


class Backlog:
    """A bounded queue over the list in the store, where what does not fit, or was left behind, is found again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: queue.Queue[str] = queue.Queue(_WAITING)
        self._queued: set[str] = set()
        self._behind = threading.Event()
        self._behind.set()
        self._at_start = True
        self._left: set[str] = set()

    def put(self, data_id: str) -> None:
        """Queue an entry; twice is once."""
        if data_id in self._queued:
            return
        self._queued.add(data_id)
        try:
            self._waiting.put_nowait(data_id)
        except queue.Full:
            self._queued.discard(data_id)
            self._behind.set()

    def wake(self) -> None:
        """Have :meth:`take` come back at once: there is other work."""
        with suppress(queue.Full):
            self._waiting.put_nowait(_WAKE)

    def look_again(self) -> None:
        """Something was taken and not done: look for it in the store."""
        self._behind.set()

    def take(self, timeout_s: float) -> str:
        """The next entry, "" when there was none in this time or when woken.

        Raises
        ------
        StoreError
            When the store cannot be read.
        """
        if self._behind.is_set() and self._waiting.empty():
            self._fill()
        try:
            data_id = self._waiting.get(timeout=timeout_s)
        except queue.Empty:
            return _WAKE
        self._queued.discard(data_id)
        return data_id

    def was_left(self, data_id: str) -> bool:
        """Whether an earlier process left an entry that was just taken."""
        if data_id not in self._left:
            return False
        self._left.remove(data_id)
        return True

    def empty(self) -> bool:
        """Whether nothing waits, here or in the store."""
        return self._waiting.empty() and not self._store.unprocessed(1)

    def _fill(self) -> None:
        self._behind.clear()  # before looking: what is left behind from now on is looked for again
        try:
            behind = self._store.unprocessed(_WAITING // 2)
        except StoreError:
            self._behind.set()
            raise
        self._at_start = self._at_start and bool(behind)
        if behind:
            self._behind.set()
        if self._at_start:
            self._left.update(behind)
        for data_id in behind:
            self.put(data_id)
