"""The threads that make entries of what arrived at a hub: the newest ids in memory, beyond that in the store alone."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from oesd.store import StoreError
from oesd.store.ingest import Ingest

log = logging.getLogger(__name__)

_WAITING = 1000
_TURN_S = 1.0
_TIDY_S = 3600.0
_BEAT_S = 300.0  # an archive of many files keeps a thread for as long as its workers take


class Intake:
    """Takes finished uploads in, one thread for each that may be under way at once.

    Parameters
    ----------
    ingest : Ingest
        Where those are listed that an earlier process left.
    take : callable
        Makes entries of an upload, by its data id; StoreError or OSError when it cannot be stored now.
    hands : int
        Number of threads.
    beat : callable
        Called with a name and the seconds within which it will be called again.
    tidy : callable
        Called about once an hour.
    """

    def __init__(
        self,
        ingest: Ingest,
        take: Callable[[str], None],
        hands: int,
        beat: Callable[[str, float], None],
        tidy: Callable[[], None] = lambda: None,
    ) -> None:
        self._ingest = ingest
        self._take = take
        self._beat = beat
        self._tidy = tidy
        self._tidy_at_s = time.monotonic() + _TIDY_S
        self._change = threading.Condition()
        self._queue: deque[str] = deque()
        self._at_hand: set[str] = set()
        self._given_up: set[str] = set()  # until the next start
        self._behind = True  # the store may hold more than the queue
        self._stop = False
        self._threads = [
            threading.Thread(target=self._main, args=(f"hub intake {n}",), name=f"intake-{n}", daemon=True)
            for n in range(hands)
        ]

    def start(self) -> None:
        """Start the threads; what an earlier process left comes first."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what is at hand; what waits is found again at the next start."""
        with self._change:
            self._stop = True
            self._change.notify_all()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def put(self, data_id: str) -> None:
        """An upload has arrived; never blocks."""
        with self._change:
            if len(self._queue) < _WAITING and not self._behind:
                self._queue.append(data_id)
            else:
                self._behind = True
            self._change.notify()

    @property
    def waiting(self) -> int:
        """How many are at hand or wait in memory; more may wait in the store."""
        with self._change:
            return len(self._queue) + len(self._at_hand)

    @property
    def alive(self) -> bool:
        """Whether every thread runs."""
        return all(thread.is_alive() for thread in self._threads)

    def _main(self, name: str) -> None:
        while True:
            self._beat(name, _BEAT_S)
            data_id = self._next()
            if self._stop:
                return
            if data_id:
                self._take_one(data_id)
            elif self._is_tidying_time():
                self._tidy_up()

    def _is_tidying_time(self) -> bool:
        with self._change:
            due = time.monotonic() >= self._tidy_at_s
            if due:
                self._tidy_at_s = time.monotonic() + _TIDY_S
            return due

    def _tidy_up(self) -> None:
        try:
            self._tidy()
        except (StoreError, OSError) as error:
            log.error("the hub cannot tidy up: %s", error)

    def _take_one(self, data_id: str) -> None:
        try:
            self._take(data_id)
        except (StoreError, OSError) as error:
            log.error("upload %s waits: %s", data_id, error)
            self._look_again()
        except Exception as error:  # the top of a thread: one odd file must not hold up the others
            log.error("upload %s waits for the next start", data_id, exc_info=error)
            self._given_up.add(data_id)
        finally:
            with self._change:
                self._at_hand.discard(data_id)

    def _look_again(self) -> None:
        with self._change:
            self._change.wait_for(lambda: self._stop, _TURN_S)  # a full disk, most likely
            self._behind = True

    def _next(self) -> str:
        """The next upload, "" when there is none for a while."""
        with self._change:
            if not self._queue and self._behind:
                self._refill()
            if not self._queue:
                self._change.wait(_TURN_S)
            while self._queue:
                data_id = self._queue.popleft()
                if data_id not in self._at_hand:
                    self._at_hand.add(data_id)
                    return data_id
        return ""

    def _refill(self) -> None:
        try:
            listed = self._ingest.untaken(_WAITING + len(self._given_up))
        except StoreError as error:
            log.error("the hub cannot read what waits: %s", error)
            return
        self._behind = len(listed) >= _WAITING + len(self._given_up)
        passed_over = self._at_hand | self._given_up
        self._queue.extend(data_id for data_id in listed if data_id not in passed_over)
