"""Frames on their way out of the worker: sent by a thread of their own, fast ones several at a time."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from types import TracebackType

from . import wire
from .spectrometer import Frame

#: Frames wait this long at most for others to go with.
_TOGETHER_NS = 20_000_000
#: Messages that wait for a parent that does not read; then the series waits for it.
_MOST_WAITING = 8


class Outlet:
    """The way out for the frames of one series; a context manager, whose end has sent them all.

    Parameters
    ----------
    channel : socket
    number : int
        Of the series, in each message.
    period_ns : int
        Of the series, 0 for the device's own speed.
    """

    def __init__(self, channel: socket.socket, number: int, period_ns: int = 0) -> None:
        self._channel, self._number, self._period_ns = channel, number, period_ns
        self._together: list[Frame] = []
        self._since_ns = 0
        self._waiting: queue.Queue[list[Frame]] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._send_all, daemon=True)

    def put(self, frame: Frame) -> None:
        """Send a frame, now or with those that follow at once."""
        now_ns = time.monotonic_ns()
        if not self._together:
            self._since_ns = now_ns
        self._together.append(frame)
        next_ns = now_ns + max(self._period_ns, frame.exposure.scans * frame.exposure.integration_us * 1000)
        alone = frame.exposure.trigger.waits or next_ns > self._since_ns + _TOGETHER_NS
        if alone or len(self._together) >= wire.MOST_FRAMES:
            self._flush()

    def __enter__(self) -> Outlet:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._waiting.put([])
        self._thread.join()

    def _flush(self) -> None:
        if self._together:
            self._waiting.put(self._together)
            self._together = []

    def _send_all(self) -> None:
        while frames := self._waiting.get():
            header, arrays = wire.pack_frames(frames)
            with contextlib.suppress(OSError):  # the parent is gone: the worker ends by itself
                wire.send(self._channel, {**header, "number": self._number}, arrays)
