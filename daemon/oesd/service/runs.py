"""Which run is on, for each spectrometer: the standing order of the configuration, and orders from outside before it.

An order from outside ends the run that is on and begins one with its own labels. It is over when it is stopped, when
its time is, or when its burst is taken; then the standing order takes over again. A spectrometer that appears later
joins what is on. Orders outlive a restart of the daemon; bursts and pauses do not.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from oesd.acquisition import UnitState
from oesd.acquisition.clock import Clock
from oesd.config import RunSection, checked_labels
from oesd.model import RunOrder, RunRecord
from oesd.service.orders import OrderBook, Ordered
from oesd.service.wishes import check_pace, order_document, with_changes

log = logging.getLogger(__name__)


class Crew(Protocol):
    """What is asked of a unit; :class:`~oesd.acquisition.Unit` is one."""

    def start_run(self, order: RunOrder) -> None:
        """End the run that is on, begin another."""
        ...

    def watch_plasma(self, order: RunOrder) -> None:
        """Begin and end runs with the plasma."""
        ...

    def stop_run(self) -> None:
        """End the run that is on, begin none."""
        ...

    def pause(self, paused: bool) -> None:
        """Let the slots of runs pass as "paused", or serve them again."""
        ...

    def label(self, run_id: str, labels: Mapping[str, str]) -> None:
        """Have the spectra to come of a run carry these labels."""
        ...

    def state(self) -> UnitState:
        """What it is doing."""
        ...


class Runs:
    """Says to each unit which run to be in.

    Parameters
    ----------
    section : RunSection
        The standing order's labels.
    file : Path
        Where orders from outside are kept.
    units : callable
        The units at work.
    clock : Clock
        Tells when an order is over.
    keep_labels : callable
        Keeps the labels of a run durably, before any spectrum carries them.
    """

    def __init__(
        self,
        section: RunSection,
        file: Path,
        units: Callable[[], Sequence[Crew]],
        clock: Clock,
        keep_labels: Callable[[RunRecord], None] = lambda _run: None,
    ) -> None:
        self._keep_labels = keep_labels
        self._labelling = threading.Lock()
        self._section = section
        self._units = units
        self._clock = clock
        self._lock = threading.Lock()
        self._book = OrderBook(file, clock)
        self._standing: Ordered | None = None
        self._told: dict[str, Crew] = {}
        self._on: dict[str, RunRecord] = {}
        # As in the book: what stands under "" counts for all that have no word of their own.
        self._paused: dict[str, bool] = {}

    def use(self, section: RunSection) -> None:
        """Take another configuration; its schedule begins the standing order anew."""
        with self._lock:
            self._section = section
            self._standing = None

    # -- the standing order, from the schedule -----------------------------------------------------------------------

    def begin_standing(self, order: RunOrder) -> None:
        """Have every spectrometer without an order of its own follow this one."""
        with self._lock:
            order = replace(order, labels={**self._section.labels, **order.labels})
            self._standing = Ordered.now(order, self._clock.monotonic_ns())
            self._follow_all()

    def end_standing(self) -> None:
        """The standing order is over; a run that knows its own length serves its last slots and ends by itself."""
        with self._lock:
            standing, self._standing = self._standing, None
            if standing is None or standing.until_ns is None:
                self._follow_all()

    def end_unplanned(self) -> None:
        """Another plan counts: runs that stood by the one before end, unless it has begun its own."""
        with self._lock:
            if self._standing is None:
                self._follow_all()

    # -- units that come, runs that begin and end --------------------------------------------------------------------

    def join(self, unit: Crew) -> None:
        """Have a unit that is new on the bench do what is on; nothing happens when it was told already."""
        name = unit.state().name
        with self._lock:
            if self._told.get(name) is unit:
                return
            self._follow(name, unit)

    def begins(self, run: RunRecord) -> None:
        """A run of a unit has begun."""
        with self._lock:
            self._on[run.device_name] = run
            if self._is_paused(run.device_name):
                for _, unit in self._chosen(run.device_name):
                    unit.pause(True)

    def ends(self, run: RunRecord) -> None:
        """A run of a unit has ended; when it was all that was ordered, the standing order takes over again."""
        with self._lock:
            if self._on.get(run.device_name, run).run_id == run.run_id:
                self._on.pop(run.device_name, None)
            if run.cause != "order" or not self._book.fulfilled(run):
                return
            self._book.drop([run.device_name], everybody=False)
            for name, unit in self._chosen(run.device_name):
                self._follow(name, unit)

    # -- orders from outside -----------------------------------------------------------------------------------------

    def start(self, device: str, order: RunOrder) -> dict[str, str]:
        """Begin a run on one spectrometer, on all for ""; returns what happens by name, nothing for an unknown one.

        A pause is over with it.

        Raises
        ------
        ValueError
            Its labels and those of the configuration are too many together, or its slots too close.
        """
        with self._lock:
            order = replace(order, labels=checked_labels({**self._section.labels, **order.labels}))
            chosen = self._chosen(device)
            for _, unit in chosen:
                check_pace(order, unit.state())
            if chosen or not device:
                self._book.give([name for name, _ in chosen], order, everybody=not device)
            self._note_pause(device, chosen, False)
            for name, unit in chosen:
                self._tell(name, unit, order)
            begins = "the run that is on ends, another begins", "a run begins"
            return {name: begins[name not in self._on] for name, _ in chosen}

    def stop(self, device: str) -> dict[str, str]:
        """End what was ordered from outside; returns what happens by name."""
        with self._lock:
            chosen = self._chosen(device)
            ordered = {name for name, _ in chosen if self._book.order_of(name) is not None}
            if chosen or not device:
                self._book.drop([name for name, _ in chosen], everybody=not device)
            said = {}
            for name, unit in chosen:
                if name in ordered:
                    self._follow(name, unit)
                    said[name] = f"the ordered run ends; {self._afterwards()}"
                else:
                    said[name] = f"no ordered run is on; {self._afterwards()}"
            return said

    def pause(self, device: str, on: bool) -> dict[str, str]:
        """Pause, or go on; returns what happens by name."""
        with self._lock:
            chosen = self._chosen(device)
            before = {name for name, _ in chosen if self._is_paused(name)}
            self._note_pause(device, chosen, on)
            for _, unit in chosen:
                unit.pause(on)
            if on:
                return {name: 'paused: its slots are lost as "paused" until it is resumed' for name, _ in chosen}
            return {name: "goes on" if name in before else "was not paused" for name, _ in chosen}

    # -- labels of a run that is on ----------------------------------------------------------------------------------

    def label(self, run_id: str, device: str, changes: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
        """Change labels of a run that is on, None takes one away; returns all it has by name, nothing when it is not.

        The spectra to come carry them; those that were taken keep theirs.

        Raises
        ------
        ValueError
            They cannot be; nothing has changed.
        StoreError
            They cannot be kept.
        """
        with self._labelling:  # and not the other lock: the disk may take its time, runs begin and end meanwhile
            with self._lock:
                names = {name for name, _ in self._chosen(device)}
                on = [run for run in self._on.values() if run.run_id == run_id and run.device_name in names]
            changed = [replace(run, labels=with_changes(run.labels, changes)) for run in on]
            for run in changed:
                self._keep_labels(run)
            with self._lock:
                return {run.device_name: self._labelled(run) for run in changed}

    def _labelled(self, run: RunRecord) -> dict[str, str]:
        """Have a run's unit know its labels, and its order, which may outlive the daemon."""
        name, labels = run.device_name, dict(run.labels)
        if self._on.get(name, run).run_id == run.run_id:
            self._on[name] = run
            if run.cause == "order":
                self._book.label(name, labels)
        for _, unit in self._chosen(name):
            unit.label(run.run_id, labels)
        return labels

    def _note_pause(self, device: str, chosen: list[tuple[str, Crew]], on: bool) -> None:
        self._paused = self._paused | dict.fromkeys((name for name, _ in chosen), on) if device else {"": on}

    def _is_paused(self, name: str) -> bool:
        return self._paused.get(name, self._paused.get("", False))

    def _afterwards(self) -> str:
        standing = self._rest_of_standing()
        if standing is None:
            on_order = self._section.start == "on order"
            return "idle until its next order" if on_order else f"idle until the plan begins ({self._section.start!r})"
        if standing.cause == "plasma on":
            return "it waits for the plasma"
        return f"the run of the configuration goes on ({self._section.start!r}); oesd run pause halts it"

    # -- what units are told -----------------------------------------------------------------------------------------

    def _chosen(self, device: str) -> list[tuple[str, Crew]]:
        states = [(unit.state(), unit) for unit in self._units()]
        return [(state.name, unit) for state, unit in states if device in ("", state.name, state.serial)]

    def _follow_all(self) -> None:
        for name, unit in self._chosen(""):
            if self._book.order_of(name) is None:
                self._follow(name, unit)

    def _follow(self, name: str, unit: Crew) -> None:
        """Tell a unit what counts for it now."""
        order = self._book.order_of(name) or self._rest_of_standing()
        if order is not None:
            self._tell(name, unit, order)
        elif self._told.pop(name, None) is unit:
            unit.stop_run()

    def _tell(self, name: str, unit: Crew, order: RunOrder) -> None:
        self._told[name] = unit
        if order.cause == "plasma on":
            unit.watch_plasma(order)
        else:
            unit.start_run(order)

    def _rest_of_standing(self) -> RunOrder | None:
        return self._standing.rest(self._clock.monotonic_ns()) if self._standing else None

    # -- what others are told ----------------------------------------------------------------------------------------

    def of(self, name: str) -> tuple[RunRecord | None, bool]:
        """The run that is on for a spectrometer, and whether it is paused, now and in runs to come."""
        with self._lock:
            return self._on.get(name), self._is_paused(name)

    def now(self) -> dict[str, Any]:
        """What counts now, JSON-ready: the standing order, and the ordered ones by spectrometer."""
        with self._lock:
            standing = self._rest_of_standing()
            orders = {name: self._book.order_of(name) for name, _ in self._chosen("")}
            return {
                "standing": {
                    "start": self._section.start,
                    "labels": dict(self._section.labels),
                    "on": standing is not None,
                },
                "ordered": {name: order_document(order) for name, order in orders.items() if order is not None},
            }
