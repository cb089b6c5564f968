"""Deadlines for blocking calls: one thread watches all that run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_JOIN_S = 1.0


class Watch:
    """Calls back, once, for each call that outlasts its deadline. Thread-safe; its thread starts with the first."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._running: dict[object, tuple[float, Callable[[], None]]] = {}
        self._next_look = float("inf")
        self._closed = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, seconds: float, cut: Callable[[], None]) -> Iterator[None]:
        """Call ``cut`` when the body of the ``with`` takes longer, and never after its end."""
        token, due = object(), time.monotonic() + seconds
        with self._change:
            self._running[token] = (due, cut)
            self._start()
            if due < self._next_look:
                self._change.notify()
        try:
            yield
        finally:
            with self._change:
                self._running.pop(token, None)
                if self._closed:
                    self._change.notify()

    def close(self) -> None:
        """End the thread once nothing runs any more."""
        with self._change:
            self._closed = True
            self._change.notify()
            thread, idle = self._thread, not self._running
        if thread is not None and idle:
            thread.join(_JOIN_S)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._look, name="upload-watch", daemon=True)
            self._thread.start()

    def _look(self) -> None:
        with self._change:
            while self._running or not self._closed:
                now = time.monotonic()
                for token, (due, cut) in list(self._running.items()):
                    if due <= now:
                        del self._running[token]
                        cut()
                self._next_look = min((due for due, _ in self._running.values()), default=float("inf"))
                # Not woken for calls that end: most do, long before the next look.
                self._change.wait(min(self._next_look - now, threading.TIMEOUT_MAX))
