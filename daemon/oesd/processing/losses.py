"""Losses on their way to the ledger."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

from oesd.model import Capture, Kind, Loss
from oesd.processing.runs import Runs
from oesd.processing.trouble import Trouble
from oesd.store import Store, StoreBusy, StoreError, StoreFull

_REMEMBERED = 32
"""Losses that a new one may continue: more than there are spectrometers, so that months of a full disk stay small."""


class Losses:
    """Losses on their way to the ledger; kept here, merged, while the store cannot take them (disk full)."""

    def __init__(self, store: Store, trouble: Trouble, runs: Runs) -> None:
        self._store = store
        self._trouble = trouble
        self._runs = runs
        self._pending: list[Loss] = []
        self._lock = threading.Lock()
        self._retry = threading.Event()

    def add(self, loss: Loss) -> None:
        """Keep a loss until it is written."""
        with self._lock:
            recent = range(len(self._pending) - 1, max(-1, len(self._pending) - 1 - _REMEMBERED), -1)
            index = next((i for i in recent if _continues(self._pending[i], loss)), None)
            if index is None:
                self._pending.append(loss)
            else:
                last = self._pending[index]
                self._pending[index] = replace(last, slots=last.slots + loss.slots, at_utc=loss.at_utc)
        self._retry.set()

    def pending(self) -> dict[str, int]:
        """Sample slots by reason that are not written yet."""
        slots: dict[str, int] = {}
        with self._lock:
            for loss in self._pending:
                if loss.kind is Kind.SAMPLE:
                    slots[loss.reason] = slots.get(loss.reason, 0) + loss.slots
        return slots

    def flush_soon(self) -> None:
        """Try again at the next opportunity what could not be written."""
        if self._pending:
            self._retry.set()

    def flush(self) -> None:
        """Write what is pending; what cannot be written stays."""
        if not self._retry.is_set():
            return
        self._retry.clear()
        with self._lock:
            losses, self._pending = self._pending, []
        for index, loss in enumerate(losses):
            try:
                run = self._runs.unwritten(loss.device_name, loss.run_id)
                self._store.record_loss(loss, run=run).result()
            except StoreError as error:
                self._trouble.is_now(str(error))
                with self._lock:
                    self._pending = losses[index:] + self._pending
                return


def _continues(last: Loss, loss: Loss) -> bool:
    same = (last.device_name, last.run_id, last.kind, last.reason) == (
        loss.device_name,
        loss.run_id,
        loss.kind,
        loss.reason,
    )
    return same and last.first_slot >= 0 and last.first_slot + last.slots == loss.first_slot


def reason_of(error: BaseException) -> str:
    """The short fixed name that stands in the ledger for a store's error."""
    names = {StoreFull: "disk full", StoreBusy: "store too slow"}
    return next((name for kind, name in names.items() if isinstance(error, kind)), "not stored")


def loss_of(capture: Capture, error: BaseException) -> Loss:
    """Make the loss of a capture that could not be stored."""
    return Loss(
        device_name=capture.device.name,
        run_id=capture.run_id,
        kind=capture.kind,
        first_slot=capture.slot,
        slots=1,
        reason=reason_of(error),
        detail=str(error),
        at_utc=datetime.now(UTC),
    )
