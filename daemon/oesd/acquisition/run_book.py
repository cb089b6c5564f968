"""The run that is on: which slot comes next, which have passed, and the account of each to the ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from oesd.acquisition.clock import Clock
from oesd.acquisition.pacing import Grid
from oesd.acquisition.values import Place, Sinks
from oesd.model import Kind, Loss, RunOrder, RunRecord, new_id

log = logging.getLogger(__name__)

_NS_PER_US = 1_000
_PAUSED = ("paused", "paused by order")


@dataclass(slots=True)
class Run:
    """Slots of one spectrometer between a start and a stop; on a grid, or in a burst one after the other."""

    order: RunOrder
    record: RunRecord
    grid: Grid
    next_slot: int = 0
    sequence: int = 0
    paused: bool = False

    @property
    def paced(self) -> bool:
        """Whether the slots lie on a grid."""
        return self.record.paced

    @property
    def slots(self) -> int | None:
        """Slots that the run shall have in all; None without an end."""
        if self.order.burst:
            return self.order.burst
        duration_us = self.order.duration_us
        return max(1, duration_us // self.record.period_us) if duration_us else None

    @property
    def over(self) -> bool:
        """Whether every slot that it shall have is accounted for."""
        return self.slots is not None and self.next_slot >= self.slots

    def due_ns(self) -> int | None:
        """When the next slot is due; 0 for at once, None for never."""
        if self.over or self.paused:
            return None
        return self.grid.due_ns(self.next_slot) if self.paced else 0

    def passed(self, now_ns: int) -> int:
        """How many slots from the next one on can no longer be served."""
        if not self.paced:
            return 0
        missed = self.grid.missed(self.next_slot, now_ns)
        return missed if self.slots is None else max(0, min(missed, self.slots - self.next_slot))

    def ahead(self, span_ns: int, slot: int) -> int:
        """How many slots from this one on begin within a span, one at least; none after the last one."""
        most = max(1, span_ns // self.grid.period_ns)
        return most if self.slots is None else max(0, min(most, self.slots - slot))


class RunBook:
    """Begins and ends the runs of one spectrometer and tells the sinks what became of each slot.

    Parameters
    ----------
    name : str
        Of the spectrometer.
    sinks : Sinks
    clock : Clock
    boot_id : str
        The host's boot, which monotonic times belong to.
    serial : str
        Of the spectrometer, for the log.
    """

    def __init__(self, name: str, sinks: Sinks, clock: Clock, boot_id: str, serial: str = "") -> None:
        self._name = name
        self._serial = serial
        self._sinks = sinks
        self._clock = clock
        self._boot_id = boot_id
        self._aside_id, self._aside_sequence = new_id(), 0
        self.run: Run | None = None

    def begin(self, order: RunOrder, every_us: int, frame_us: int) -> None:
        """Begin a run now; ``every_us`` is the distance of its slots, ``frame_us`` that in a burst at least."""
        period_us = max(1, frame_us) if order.burst else order.every_us or every_us
        now_ns = self._clock.monotonic_ns()
        record = RunRecord(
            new_id(), self._name, period_us, not order.burst, self._clock.utc(), now_ns, self._boot_id,
            cause=order.cause, labels=dict(order.labels),
        )  # fmt: skip
        self._sinks.run_begins(record)
        self.run = Run(order, record, Grid(now_ns, period_us * _NS_PER_US))
        cause = order.cause or "ordered"
        log.info("%s: run %s begins (%s)", self._name, record.run_id, cause, extra=self._fields("run begins", record))

    def end(self) -> None:
        """End the run that is on, if any; the slots that are over are accounted for before."""
        run, self.run = self.run, None
        if run is None:
            return
        fields, run_id = self._fields("run ends", run.record), run.record.run_id
        log.info("%s: run %s ends after %d slots", self._name, run_id, run.next_slot, extra=fields)
        self._sinks.run_ends(replace(run.record, ended_at_utc=self._clock.utc(), slots=run.next_slot))

    def _fields(self, event: str, run: RunRecord) -> dict[str, str]:
        return {"oesd_serial": self._serial, "oesd_run": run.run_id, "oesd_event": event}

    def label(self, run_id: str, labels: Mapping[str, str]) -> None:
        """Have the spectra to come of a run carry these labels; nothing happens when it is on no more."""
        if self.run is not None and self.run.record.run_id == run_id:
            self.run.record = replace(self.run.record, labels=dict(labels))

    def lose_passed(self, reason: str, detail: str) -> None:
        """Account for the slots whose time is over."""
        run = self.run
        passed = run.passed(self._clock.monotonic_ns()) if run else 0
        if run and passed:
            self.lose(passed, *(_PAUSED if run.paused else (reason, detail)))

    def bridge(self, slept_ns: int, reason: str, detail: str) -> None:
        """Account for the slots of a gap; the grid moves back by what the monotonic clock did not count of it."""
        if self.run is not None:
            self.run.grid = replace(self.run.grid, t0_ns=self.run.grid.t0_ns - slept_ns)
            self.lose_passed(reason, detail)

    def lose_before(self, slot: int, reason: str, detail: str) -> None:
        """Account for the slots that a later one has left behind."""
        if self.run and slot > self.run.next_slot:
            self.lose(slot - self.run.next_slot, reason, detail)

    def lose(self, slots: int, reason: str, detail: str) -> None:
        """Account for the next slots as lost."""
        if self.run is None:
            return
        self._lose(Kind.SAMPLE, self.run.next_slot, slots, reason, detail)
        self.run.next_slot += slots

    def lose_aside(self, kind: Kind, reason: str, detail: str) -> None:
        """Account for a capture outside the slots that could not be taken or kept."""
        self._lose(kind, -1, 1, reason, detail)

    def place(self, slot: int) -> Place:
        """Where the next capture stands; slot -1 for one outside the slots."""
        run = self.run
        run_id, sequence = (self._aside_id, self._aside_sequence) if run is None else (run.record.run_id, run.sequence)
        return Place(run_id, sequence, slot, self._boot_id, {} if run is None else run.record.labels)

    def kept(self, place: Place) -> None:
        """A capture was taken over."""
        run = self.run
        if run is None:
            self._aside_sequence += 1
            return
        run.sequence += 1
        if place.slot >= 0:
            run.next_slot = place.slot + 1

    def _lose(self, kind: Kind, first_slot: int, slots: int, reason: str, detail: str) -> None:
        run_id = self.run.record.run_id if self.run else self._aside_id
        self._sinks.loss(Loss(self._name, run_id, kind, first_slot, slots, reason, detail, self._clock.utc()))
