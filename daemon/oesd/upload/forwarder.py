"""The thread that drains the outbox: decides who goes when; the going is in :mod:`oesd.upload.journey`.

One thread runs :meth:`Forwarder.run`. A round takes the records that are due, lets a few worker threads carry them as
far as they go, waits for all, then does the chores (:mod:`oesd.upload.chores`). Nothing that counts is kept in memory
between rounds but the gate: all waits are times in the store's table, so a restart goes on where a kill stopped.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from oesd.store import Store, StoreDamaged, StoreError, UnknownEntry
from oesd.store.outbox import OutboxItem, OutboxState
from oesd.upload.answers import GatewayTime
from oesd.upload.chores import Chores
from oesd.upload.client import OesApi
from oesd.upload.delay import LONGEST_RETRY_AFTER_S, LONGEST_S, next_delay
from oesd.upload.errors import RecordRefused, UploadError
from oesd.upload.gate import Gate
from oesd.upload.journey import Journey
from oesd.upload.means import Means, Pace, RenderedFile
from oesd.upload.samples import Filing
from oesd.upload.steady_clock import SteadyClock

_STAGE = {
    OutboxState.STORED: 0,
    OutboxState.PRESIGNED: 1,
    OutboxState.UPLOADED: 2,
    OutboxState.UNCERTAIN: 3,
    OutboxState.COMPLETED: 3,
    OutboxState.CONFIRMED: 4,
    OutboxState.PROCESSED: 5,
    OutboxState.QUARANTINED: 5,
}
_RECORDS_A_WORKER = 8
_LONGEST_SLEEP_S = 30.0
_SHORTEST_SLEEP_S = 0.05
_FAR_END_TURN = 3  # with the newest first, the batch of a round that comes from the other end
_STOP_CHECK_S = 0.5
_OFFERED_AT_ONCE = 1000
_LONGEST_WAIT = timedelta(seconds=2 * (LONGEST_S + LONGEST_RETRY_AFTER_S))
_log = logging.getLogger(__name__)


class Forwarder:
    """Drains the outbox of a store into an OES API.

    Parameters
    ----------
    store : Store
        Its ``outbox`` holds every record's state.
    api : OesApi
        Made after any fork; closed by whoever made it.
    render : callable
        ``render(data_id)`` gives the file of an entry. ``ValueError``, ``LookupError`` and ``StoreDamaged`` from it put
        the record in quarantine.
    clock, monotonic, rng : optional
        UTC, seconds and jitter, for tests.
    pace : Pace, optional
        Workers, waits and bounds.
    filing : Filing, optional
        Where labels file a record; without it nowhere.
    alive : callable, optional
        Called at every step and every pause: who listens knows that forwarding goes on.
    """

    def __init__(
        self,
        store: Store,
        api: OesApi,
        render: Callable[[str], RenderedFile],
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        rng: Random | None = None,
        pace: Pace | None = None,
        filing: Filing | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        rng = rng or Random()  # noqa: S311 (jitter)
        self._pace = pace or Pace()
        self._outbox = store.outbox
        self._means = Means(api, store, render, filing or Filing(api, "", ""), self._pace, rng, clock(), alive)
        self._monotonic = monotonic
        self._clock = SteadyClock(clock, monotonic)
        self._gate = Gate(rng, self._pace.probe_s)
        self._chores = Chores(self._means, self._gate)
        self._gathered_at: datetime | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Drain until ``stop`` is set: body of the forwarder's thread. Set ``stop``, then :meth:`wake` it."""
        self._stop = stop
        broken = offered = False
        while not stop.is_set():
            self._wake.clear()
            self._means.alive()
            try:
                if not offered:
                    self._offer_again()
                    offered = True
                moved = self.step(self._clock.now())
                broken = False
            except Exception as failure:  # the top of a thread: forwarding must not end because one round went wrong
                moved = 0
                if not broken:
                    # A store that cannot be written is the user's world; of a defect the place counts.
                    place = None if isinstance(failure, StoreError) else failure
                    _log.error("forwarding waits, trying every %.0f s: %s", _LONGEST_SLEEP_S, failure, exc_info=place)
                broken = True
            if not moved:
                self._sleep(_LONGEST_SLEEP_S if broken else max(self._idle_s(), _SHORTEST_SLEEP_S))

    def _offer_again(self) -> None:
        """Offer what was set aside once more: since the last start oesd, the API or the configuration may be others."""
        while not self._stop.is_set() and self._outbox.counts().get(OutboxState.QUARANTINED):
            self._means.alive()
            self._outbox.offer_again(_OFFERED_AT_ONCE).result()

    def step(self, now: datetime) -> int:
        """One round: carry what is due and send overrides; the number of records and overrides tried."""
        width = self._gate.width(now, self._pace.workers)
        if not width:
            return 0
        limit = self._pace.workers * _RECORDS_A_WORKER
        batches = self._pace.batch > 1
        if batches:
            self._gather(now)
        due = self._outbox.due(now, limit, newest_first=self._pace.newest_first, fresh=not batches)
        if self._gate.careful and due:
            due = [min(due, key=lambda item: item.attempts)]  # a fresh record tells most
        self._carry(deque(due), width, now)
        return len(due) + self._chores.turn(now, self._stop.is_set)

    def _gather(self, now: datetime) -> None:
        """Make batches of what waits: at once when one is full, else every few seconds; first from the live end."""
        most = self._means.fill.most(self._pace.batch)
        waiting = self._outbox.fresh_waiting(most * self._pace.workers)
        waited = self._gathered_at is None or now - self._gathered_at >= timedelta(seconds=self._pace.batch_wait_s)
        # No more than are begun at once: a batch of live records must not queue behind those of a backlog.
        room = self._pace.workers - self._outbox.batches_waiting()
        if not waiting or room <= 0 or (waiting < most and not waited):
            return
        self._gathered_at = now
        for turn in range(min(room, 1 + waiting // most)):
            newest = turn != _FAR_END_TURN if self._pace.newest_first else turn == 0
            if not self._outbox.gather(most, newest_first=newest).result():
                return

    def wake(self) -> None:
        """Look at the outbox now: something was stored, or it is time to stop."""
        self._wake.set()

    def state(self) -> dict[str, Any]:
        """State for ``/status``: what :meth:`oesd.upload.gate.Gate.state` tells, and ``counts`` by outbox state."""
        return {**self._gate.state(), "counts": self._outbox.counts(), **self._chores.state()}

    @property
    def clock_offset(self) -> GatewayTime | None:
        """Offset of the API's clock from the host's with its bound; None until it was measured."""
        return self._chores.clock.best

    def _carry(self, queue: deque[OutboxItem], width: int, now: datetime) -> None:
        broken: list[StoreError] = []
        crew = [
            # Daemon threads: a call that hangs to its deadline does not hold up the end of the process.
            threading.Thread(target=self._work, args=(queue, now, broken), name=f"forward-{n}", daemon=True)
            for n in range(min(width, len(queue)) - 1)
        ]
        for worker in crew:
            worker.start()
        self._work(queue, now, broken)
        for worker in crew:
            worker.join()
        if broken:
            raise broken[0]

    def _work(self, queue: deque[OutboxItem], now: datetime, broken: list[StoreError]) -> None:
        enough = self._monotonic() + self._pace.round_s
        while not broken and not self._stop.is_set() and self._gate.width(now, 1) and self._monotonic() < enough:
            try:
                item = queue.popleft()
            except IndexError:
                return
            try:
                self._carry_one(item, now)
            except UnknownEntry:
                _log.warning("record %s is no longer stored, others go on", item.record_id)  # by on_full, most likely
            except StoreDamaged as damage:
                _log.error("record %s cannot be carried, others go on: %s", item.record_id, damage)
                self._put_off(item, damage, now)
            except StoreError as failure:
                broken.append(failure)
            except Exception as failure:  # the top of a thread: one odd record must not hold up the others
                _log.error("record %s cannot be carried, others go on", item.record_id, exc_info=failure)
                self._put_off(item, failure, now)

    def _put_off(self, item: OutboxItem, failure: Exception, now: datetime) -> None:
        attempts = item.attempts + 1
        wait = timedelta(seconds=next_delay(attempts, None, self._means.rng))
        reason = f"unforeseen {type(failure).__name__}"
        with suppress(StoreError):
            self._outbox.update(
                replace(item, attempts=attempts, next_attempt_at_utc=now + wait, last_error=reason)
            ).result()

    def _carry_one(self, item: OutboxItem, now: datetime) -> None:
        journey = Journey(self._means, item, now, self._stop.is_set)
        start = _STAGE[item.state]
        try:
            journey.go()
        except RecordRefused as refusal:
            _log.warning("record %s refused, others go on: %s", item.record_id, refusal)
            if refusal.status:
                self._gate.passed(start, start, now)
        except UploadError as failure:
            self._gate.failed(failure, _STAGE[journey.item.state], item.data_id, now)
        else:
            self._gate.passed(start, _STAGE[journey.item.state], now)

    def _idle_s(self) -> float:
        """Seconds until something may be due."""
        now = self._clock.now()
        due = self._outbox.next_due()
        if due is not None and due - now > _LONGEST_WAIT:
            self._clock.skip_to(due)  # no wait is that long: it was written while the host's clock was wrong
            return 0.0
        opens = self._gate.opens_at
        waits = [_LONGEST_SLEEP_S]
        if due is not None:
            waits.append((max(due, opens or due) - now).total_seconds())
        return max(min(waits), 0.0)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            self._means.alive()
            if self._wake.wait(min(left, _STOP_CHECK_S)):
                return
