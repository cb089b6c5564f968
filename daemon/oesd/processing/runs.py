"""Runs on their way to the ledger: what earlier daemons left open, beginnings, ends."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from functools import partial

from oesd.model import RunRecord
from oesd.processing.trouble import Trouble
from oesd.store import HostTime, Store, StoreDamaged, StoreError

log = logging.getLogger(__name__)


class Runs:
    """Keeps what the store cannot take (disk full) until it can.

    A beginning goes to the store at once, and again with each capture and loss of the run until it is known to be
    written: no slot is ever stored of a run that the store does not know.
    """

    def __init__(self, store: Store, trouble: Trouble) -> None:
        self._store = store
        self._trouble = trouble
        self._unwritten: dict[tuple[str, str], RunRecord] = {}
        self._ended: list[RunRecord] = []
        self._started: HostTime | None = None
        self._lock = threading.Lock()

    def settle(self, started: HostTime) -> None:
        """Have the slots accounted for that earlier daemons left open; tried again by :meth:`flush` when it fails."""
        self._started = started
        self.flush()

    def begin(self, run: RunRecord) -> None:
        """Queue the beginning of a run for the store; never waits."""
        with self._lock:
            self._unwritten[run.device_name, run.run_id] = run
        self._store.begin_run(run).add_done_callback(partial(self._written, run))

    def unwritten(self, device_name: str, run_id: str) -> RunRecord | None:
        """The beginning of a run that may not be in the store yet."""
        return self._unwritten.get((device_name, run_id))

    def _written(self, run: RunRecord, future: Future[None]) -> None:
        if future.exception() is None:
            self.known(run.device_name, run.run_id)

    def known(self, device_name: str, run_id: str) -> None:
        """Something of the run was stored, its beginning with it."""
        with self._lock:
            self._unwritten.pop((device_name, run_id), None)

    def end(self, run: RunRecord) -> None:
        """Keep the end of a run until it is written, after what was lost in it."""
        with self._lock:
            self._ended.append(run)

    def flush(self) -> None:
        """Write what is pending; what cannot be written stays."""
        try:
            self._settle()
            self._write_ends()
        except StoreError as error:
            self._trouble.is_now(str(error))

    def _settle(self) -> None:
        if self._started is None:
            return
        try:
            slots = self._store.settle_runs(self._started).result()
        except StoreDamaged as error:
            log.error("the slots that earlier runs left open cannot be counted: %s", error)
            slots = 0
        self._started = None
        if slots:
            log.warning("%d slots of earlier runs ended without a spectrum while no daemon ran: see the ledger", slots)

    def _write_ends(self) -> None:
        while self._ended:
            run = self._ended[0]
            self._store.end_run(run).result()
            with self._lock:
                self._ended.pop(0)
            self.known(run.device_name, run.run_id)
