"""Endpoint rules at work, each in the runs that are on or still have spectra to come.

A daemon that starts again analyses what it found waiting while a new run goes on: values of two runs come in turns.
Each run therefore keeps its own state, and one that is not held any more is made again from what is stored of it. What
is decided in a run depends on the order of its own values alone, as in a back-test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oesd.store import StoreError
from oesd.store.named_reading import NamedReading
from oesd.store.named_traces import NamedRow, NamedSeries
from oesd.store.watch_events import LEFT, WATCHED, WatchEvent
from oesd.watching.deciding import Watch
from oesd.watching.reading import Reading, State
from oesd.watching.rules import Rule

log = logging.getLogger(__name__)

Past = Callable[[int, str, int], Iterable[NamedSeries]]
"""What is stored of a trace in a run, piece by piece: number of the trace, spectrometer, number of the run."""

_HELD_RUNS = 4
"""Of each rule and spectrometer: the run that is on, and those that a backlog is of; more are made again when asked."""


@dataclass(slots=True)
class AtWork:
    """A rule in a run of a spectrometer."""

    watch: Watch
    run_no: int
    order_no: int = 0
    decided_us: int | None = None


def nothing_stored(_trace_no: int, _device: str, _run_no: int) -> Iterable[NamedSeries]:
    """The past of rules that have none."""
    return ()


def looking_back(named: NamedReading) -> Past:
    """The past as a store has it; a damaged block must not end the watching of the rest."""

    def past(trace_no: int, device: str, run_no: int) -> Iterator[NamedSeries]:
        try:
            yield from named.pieces_of_run(trace_no, device, run_no)
        except StoreError as error:
            log.warning("rules cannot look back at all of run %d of %s: %s", run_no, device, error)

    return past


class RulesAtWork:
    """The state of every endpoint rule, by spectrometer and run.

    Parameters
    ----------
    rules : mapping of str to Rule
    numbers : mapping of str to int
        Trace to its number in the store.
    devices : mapping of str to str
        Spectrometer of a rule by its name; "" for each.
    past : callable
        What is stored of a run.
    """

    def __init__(
        self, rules: Mapping[str, Rule], numbers: Mapping[str, int], devices: Mapping[str, str], past: Past
    ) -> None:
        self._rules, self._numbers, self._devices, self._past = rules, numbers, devices, past
        self._held: dict[tuple[str, str], dict[int, AtWork]] = {}

    def at(self, name: str, device: str, run_no: int | None = None) -> AtWork | None:
        """A rule on a spectrometer in a run, the newest one unless it is named; None where it has seen none."""
        held = self._held.get((name, device), {})
        return held.get(max(held, default=0) if run_no is None else run_no)

    def watches(self, name: str, device: str, definition: str) -> bool:
        """Whether a rule of this definition is on, on a spectrometer."""
        rule = self._rules.get(name)
        return rule is not None and self._on(name, device) and definition_of(rule) == definition

    def feed(self, row: NamedRow) -> Iterable[WatchEvent]:
        """Take the next row; what was decided, and the note of a rule that it is on in a run."""
        for name, rule in self._rules.items():
            if row.run_no and self._on(name, row.device_name):
                at_work = self.at(name, row.device_name, row.run_no)
                if at_work is None:
                    at_work = self._begin(name, row)
                    yield mark_event(rule, row)
                    for earlier in self._earlier(rule, row):
                        yield from self._step(rule, at_work, earlier)
                yield from self._step(rule, at_work, row)

    def _on(self, name: str, device: str) -> bool:
        return self._devices.get(name, "") in ("", device)

    def _begin(self, name: str, row: NamedRow) -> AtWork:
        held = self._held.setdefault((name, row.device_name), {})
        if len(held) >= _HELD_RUNS:
            newest = max(held)
            del held[min((run for run in held if run != newest), key=lambda run: held[run].order_no)]
        return held.setdefault(row.run_no, AtWork(Watch(self._rules[name]), row.run_no))

    def _earlier(self, rule: Rule, row: NamedRow) -> Iterator[NamedRow]:
        trace_no = self._numbers.get(rule.trace, -1)
        for piece in self._past(trace_no, row.device_name, row.run_no):
            count = int(np.searchsorted(piece.order_no, row.order_no))
            yield from _rows(piece, trace_no, row.device_name, count)
            if count < len(piece):
                return

    def _step(self, rule: Rule, at_work: AtWork, row: NamedRow) -> Iterable[WatchEvent]:
        reading = reading_of(row, self._numbers.get(rule.trace, -1))
        if reading is None or row.order_no <= at_work.order_no:
            return
        at_work.order_no = row.order_no
        if at_work.watch.step(row.run_us, reading):
            at_work.decided_us = row.taken_at_us
            yield decision_event(rule, at_work.watch, row)


def reading_of(row: NamedRow, trace_no: int) -> Reading | None:
    """What a row has of a trace; None when it was not measured."""
    told = row.readings.get(trace_no)
    return None if told is None else Reading(told[0], told[1], State(told[2]))


def _rows(series: NamedSeries, trace_no: int, device: str, count: int) -> Iterator[NamedRow]:
    """The first rows of a series."""
    columns: Sequence[Any] = (series.order_no, series.taken_at_us, series.run_no, series.run_us)
    told = zip(*(one[:count].tolist() for one in (series.value, series.sigma, series.state)), strict=True)
    places = zip(*(one[:count].tolist() for one in columns), strict=True)
    for (order_no, taken_at_us, run_no, run_us), reading in zip(places, told, strict=True):
        yield NamedRow(order_no, 0, 1, device, taken_at_us, run_no, run_us, {trace_no: reading})


def decision_event(rule: Rule, watch: Watch, row: NamedRow) -> WatchEvent:
    """The decision of a rule as it is stored."""
    document: dict[str, Any] = {
        "why": watch.why,
        "run_us": row.run_us,
        "statistic": watch.statistic,
        "limit": watch.limit,
        "points": watch.points,
    }
    return WatchEvent(
        row.taken_at_us, "endpoint", rule.name, row.device_name, row.run_no, row.order_no, definition_of(rule), document
    )


def mark_event(rule: Rule, row: NamedRow) -> WatchEvent:
    """The note that a rule is on in a run: one that decides nothing there was silent, not absent."""
    definition = WATCHED + definition_of(rule)
    return WatchEvent(row.taken_at_us, "endpoint", rule.name, row.device_name, row.run_no, 0, definition, {})


def left_marks(at_work: RulesAtWork, marks: Iterable[WatchEvent], at_us: int, newest: int) -> list[WatchEvent]:
    """Marks of rules that were on in one of the last runs and are on no more: later rows are not theirs."""
    return [
        replace(mark, at_us=at_us, definition=LEFT + definition, document={"after_order": newest})
        for mark in marks
        for definition in [mark.definition.removeprefix(WATCHED)]
        if not at_work.watches(mark.name, mark.device_name, definition)
    ]


def definition_of(rule: Rule) -> str:
    """The rule as one text: another rule under the same name decides anew."""
    return repr(replace(rule, name=""))
