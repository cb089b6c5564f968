"""Who computes when: captures are taken by threads of the same interpreter.

One at a time makes documents from stored spectra. A thread that computes gives way to captures within a turn of the
interpreter; of several that do, each is as likely to get the next turn as the one that has a spectrum to take.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from starlette.concurrency import run_in_threadpool

T = TypeVar("T")
_SLOW_S = 0.02
_AVOIDED_S = 10.0

making = threading.Lock()
"""Held while a document is made, never while anything is waited for."""


class AtHand:
    """Short reads are done on the event loop: handing one to another thread takes a tenth of what it costs.

    Not while another document is made, nor for a while after one that took long: then the disk is slow, and the other
    connections would wait for it, too.

    Parameters
    ----------
    local : bool
        Whether what is read is on this computer; what is not always goes to another thread.
    clock_s : callable
        Monotonic time.
    """

    def __init__(self, local: bool, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._local = local
        self._clock_s = clock_s
        self._slow_until_s = clock_s()

    async def do(self, work: Callable[[], T]) -> T:
        """Its answer, from here or from a thread of the pool."""
        began_s = self._clock_s()
        if not self._local or began_s < self._slow_until_s or making.locked():
            return await run_in_threadpool(work)
        try:
            return work()
        finally:
            over_s = self._clock_s()
            if over_s - began_s > _SLOW_S:
                self._slow_until_s = over_s + _AVOIDED_S
