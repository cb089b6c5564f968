"""What a unit was told to do and has not done yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from oesd.acquisition.sampling import Sampling
from oesd.acquisition.settings import Settings
from oesd.model import Kind

_PATIENT_PERIODS = 4


@dataclass(frozen=True, slots=True)
class _Order:
    call: Callable[[], None]
    since_ns: int
    needs_device: bool


class Orders:
    """Orders in a row: one that needs the device waits for a gap between slots, and is passed over meanwhile.

    Without a run any moment is a gap: the backgrounds before the beginning of a run are taken before it.

    Not thread safe: the lock of the unit guards it.

    Parameters
    ----------
    settings : Settings
    work : Sampling
        Tells of slots and of trouble.
    """

    def __init__(self, settings: Settings, work: Sampling) -> None:
        self._settings = settings
        self._work = work
        self._waiting: deque[_Order] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def any_needs_device(self) -> bool:
        """Whether a background or a sample by hand is among them."""
        return any(order.needs_device for order in self._waiting)

    def add(self, call: Callable[[], None], now_ns: int, *, needs_device: bool) -> None:
        """Add the last one."""
        self._waiting.append(_Order(call, now_ns, needs_device))

    def next(self, now_ns: int) -> Callable[[], None] | None:
        """Take out the one to be carried out now; None when there is none, or it has to wait."""
        open_now = not self._work.trouble.reopen
        for order in self._waiting:
            if not order.needs_device or (open_now and self._fits(order, now_ns)):
                self._waiting.remove(order)
                return order.call
        return None

    def _fits(self, order: _Order, now_ns: int) -> bool:
        """Whether a background can be taken before the coming slot would be over, or has waited for long enough.

        Where a sample takes more than half of its period no background ever fits; slots are then lost to it by name. A
        trigger may come at any moment: while one is waited for, no moment is better than another.
        """
        run, due_ns, exposing = self._work.book.run, self._work.due_ns(), self._work.exposing
        if run is None or due_ns is None or exposing.of(Kind.SAMPLE).trigger.waits:
            return True
        if now_ns - order.since_ns > _PATIENT_PERIODS * run.grid.period_ns:
            return True
        scans = max(exposing.scans(Kind.DARK), exposing.scans(Kind.REFERENCE)) + 2
        cost_us = 2 * self._settings.light.settle_us + scans * exposing.integration_us
        return now_ns < due_ns and 1_000 * cost_us <= due_ns + run.grid.period_ns // 2 - now_ns
