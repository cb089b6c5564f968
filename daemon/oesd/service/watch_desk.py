"""What the API asks of everything that is watched: traces, alarms, back-tests, run against run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from oesd.processing.readings import catalogue
from oesd.service.backtesting import BackTest
from oesd.service.comparing import compare
from oesd.service.formula_history import FormulaHistory
from oesd.service.run_spectra import find_run, runs_meant
from oesd.service.watch_documents import (
    alarm_document,
    alarms_summary,
    endpoint_document,
    event_document,
    number,
    reading_document,
)
from oesd.service.watched import asked_rule, formula_of
from oesd.service.watching import Watching
from oesd.store import Store
from oesd.store.moments import to_us_or_none
from oesd.store.named_traces import NamedSeries
from oesd.watching.alarms import AlarmState
from oesd.watching.errors import WatchError
from oesd.watching.grammar import Formula, Line, parse, text_of
from oesd.watching.plan import check, kind_of, unit_of
from oesd.watching.reading import Reading, State
from oesd.watching.signals import Alarm
from oesd.web.turns import making

_NEAR_NM, _EVENTS = 0.3, 500


class WatchDesk:
    """Answers for the API, JSON-ready.

    Parameters
    ----------
    store : Store
    watching : Watching
    golden : callable
        The golden run by spectrometer, as people chose it: goes before [golden] runs.
    """

    def __init__(self, store: Store, watching: Watching, golden: Callable[[], Mapping[str, str]] = dict) -> None:
        self._store, self._watching, self._golden_ids = store, watching, golden
        self._history = FormulaHistory(store, making)

    def listen(self, told: Callable[[Mapping[str, Any]], None]) -> None:
        """Have each change of an alarm or an endpoint told, as its document."""
        self._watching.publish_to(told)

    # -- traces ------------------------------------------------------------------------------------------------------

    def traces(self) -> list[dict[str, Any]]:
        """Every named trace on every spectrometer that has measured it."""
        watching = self._watching
        return [
            self._listed(name, formula, device)
            for device in watching.named.devices()
            for name, formula in watching.watched.traces.items()
        ]

    def _listed(self, name: str, formula: Formula, device: str) -> dict[str, Any]:
        plan = self._watching.readings.plans(device).get(name)
        last = self._watching.last(name, device)
        return {
            "name": name,
            "device": device,
            "kind": kind_of(formula),
            "unit": unit_of(formula),
            "definition": text_of(formula),
            "refused": plan.refused if plan else "",
            "notes": list(plan.notes) if plan else [],
            "last": reading_document(*last) if last else None,
        }

    def series(
        self, name: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, list[Any]]] | None:
        """A trace by its name, or any line by its key: what it is, and its columns; None when nobody knows it.

        Raises
        ------
        WatchError
            When the line, or the spectrometer that is meant, cannot be told.
        """
        watching, device = self._watching, self._device(device)
        formula = watching.watched.traces.get(name)
        trace = watching.named.find(name, text_of(formula) if formula is not None else None)
        if trace is not None:
            plan = watching.readings.plans(device).get(name)
            about = {"unit": trace.unit, "definition": trace.definition, "refused": plan.refused if plan else ""}
            columns = self._columns(watching.named.series(trace.trace_no, device, since, until))
        elif name[:1].isupper():
            about, columns = self._any_line(name, device, since, until)
        else:
            return None
        events = self._events_of(name, device, since, until)
        return {"name": name, "device": device, **about, **columns.pop("about"), "events": events}, columns

    def _columns(self, series: NamedSeries) -> dict[str, Any]:
        ids = self._watching.named.run_ids(series.run_no.tolist())
        place = {number: position for position, number in enumerate(ids)}
        readings = [
            Reading(v, s, State(k))
            for v, s, k in zip(series.value.tolist(), series.sigma.tolist(), series.state.tolist(), strict=True)
        ]
        return {
            "about": {"runs": list(ids.values())},
            "taken_at_us": series.taken_at_us.tolist(),
            "value": [number(one.value) for one in readings],
            "sigma": [number(one.sigma) for one in readings],
            "upper": [number(one.upper) for one in readings],
            "state": [one.state.word for one in readings],
            "run": [place.get(run) for run in series.run_no.tolist()],
        }

    def _any_line(
        self, name: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A line that is no named trace, from the peaks that were found."""
        formula = parse(name)
        check(formula, catalogue())
        if not isinstance(formula, Line):
            raise WatchError(f"{name!r:.80} is no named trace: add it to [[trace]], or ask for a line such as Ar_750.4")
        nm = catalogue().line(formula.symbol, formula.nm)
        return self._found(nm, device, since, until)

    def peaks(
        self, nm: float, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """The peak nearest to a wavelength over time, from the peaks that were found."""
        device = self._device(device)
        about, columns = self._found(nm, device, since, until)
        return {"name": f"{nm:g} nm", "device": device, **about, **columns.pop("about"), "events": []}, columns

    def _found(
        self, nm: float, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        found = self._store.trace(device, nm, _NEAR_NM, since=since, until=until)
        seen = np.isfinite(found.intensity)
        about = {"unit": "counts", "definition": f"the peak found within {_NEAR_NM:g} nm of {nm:.2f} nm", "refused": ""}
        nothing = [None] * len(seen)
        columns = {
            "about": {"runs": []},
            "taken_at_us": found.taken_at_us.tolist(),
            "value": [number(value) for value in found.intensity.tolist()],
            "sigma": nothing,
            "upper": nothing,
            "state": ["measured" if one else "no peak" for one in seen.tolist()],
            "run": nothing,
        }
        return about, columns

    def formula(
        self, text: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """Any formula, in stored spectra; WatchError when it is none, or cannot be measured on this spectrometer."""
        watching, device = self._watching, self._device(device)
        formula = formula_of(text, watching.watched)
        about, columns = self._history.series(formula, watching.readings, device, since, until)
        return {"name": text, "device": device, **about, "events": []}, columns

    def _device(self, device: str) -> str:
        known = self._watching.named.devices()
        if device or len(known) == 1:
            return device or known[0]
        names = ", ".join(known) or "none has measured yet"
        raise WatchError(f"name the spectrometer: {names}")

    def _events_of(
        self, name: str, device: str, since: datetime | None, until: datetime | None
    ) -> list[dict[str, Any]]:
        """Changes of the alarms and rules that go by a trace."""
        book = self._watching.book
        mine = {one.name for one in book.alarms.values() if one.trace == name}
        mine |= {one.name for one in book.rules.values() if one.trace == name}
        events = self._watching.events.latest(_EVENTS, to_us_or_none(since), to_us_or_none(until)) if mine else []
        mine_here = [one for one in events if one.name in mine and one.device_name == device and not one.is_damaged]
        return [event_document(one, "") for one in mine_here]

    # -- alarms ------------------------------------------------------------------------------------------------------

    def alarms(self) -> dict[str, Any]:
        """Alarms and endpoint rules with what is seen of them, and what became of the actions."""
        return {"alarms": self._alarms(), "endpoints": self._endpoints(), "actions": self._watching.tellers.states()}

    def _alarms(self) -> list[dict[str, Any]]:
        book = self._watching.book
        return [
            alarm_document(
                alarm,
                device,
                book.states.get((alarm.name, device), AlarmState()),
                book.sights.get((alarm.name, device)),
                self._watching.units,
                self._refused(alarm, device),
            )
            for alarm in book.alarms.values()
            for device in self._devices_of(alarm.device, alarm.kind in ("disk", "queue"))
        ]

    def _refused(self, alarm: Alarm, device: str) -> str:
        plan = self._watching.readings.plans(device).get(alarm.trace)
        if plan is not None and plan.refused:
            return plan.refused
        if alarm.golden and (alarm.trace, device) not in self._watching.references:
            return f"no golden run has values of {alarm.trace}: choose one on the page, or set [golden] runs"
        return ""

    def _endpoints(self) -> list[dict[str, Any]]:
        watching = self._watching
        found = []
        for rule in watching.book.rules.values():
            for device in self._devices_of((watching.watched.devices or {}).get(rule.name, ""), False):
                at_work = watching.book.at_work.at(rule.name, device)
                run_no = at_work.run_no if at_work else 0
                run_id = watching.named.run_ids([run_no]).get(run_no, "")
                plan = watching.readings.plans(device).get(rule.trace)
                found.append(endpoint_document(rule, device, at_work, run_id, plan.refused if plan else ""))
        return found

    def _devices_of(self, device: str, whole: bool) -> Sequence[str]:
        return ("",) if whole else (device,) if device else self._watching.named.devices()

    def events(self, since: datetime | None, until: datetime | None, limit: int) -> list[dict[str, Any]]:
        """What became of alarms and rules, the newest first."""
        events = self._watching.events.latest(limit, to_us_or_none(since), to_us_or_none(until))
        ids = self._watching.named.run_ids([event.run_no for event in events])
        return [event_document(event, ids.get(event.run_no, "")) for event in events]

    def acknowledge(self, name: str, device: str, by: str) -> list[str] | None:
        """Note that a person has seen an alarm; of which spectrometers, None for an alarm that is not there."""
        return self._watching.acknowledge(name, device, by)

    def summary(self) -> dict[str, Any]:
        """How alarms stand, for the state at the top of the page, ``oesd status`` and ``oesd top``."""
        return alarms_summary(self._alarms(), self._watching.tellers.states(), datetime.now(UTC))

    # -- stored runs -------------------------------------------------------------------------------------------------

    def back_test(self, rule: str | Mapping[str, Any], device: str, runs: Sequence[str], last: int) -> dict[str, Any]:
        """Play a rule, one of the configuration or another, on runs, the last ones unless they are named.

        Raises
        ------
        WatchError
            When the rule or a run cannot be told.
        """
        watching = self._watching
        chosen, formula = asked_rule(rule, watching.book.rules, watching.watched, watching.config)
        records = runs_meant(self._store, runs, device, last)
        return BackTest(self._store, self._watching.readings, making).document(chosen, formula, records)

    def compare(self, run: str, golden: str, device: str, by: str = "") -> dict[str, Any]:
        """Compare a run with a golden run: the spectrometer's own, or that of the configuration, when none is named.

        Parameters
        ----------
        by : str
            Trace or formula by which they are laid over each other; [golden] by, else all light, when "".

        Raises
        ------
        WatchError
            When one of them is not there, or there is none to compare with.
        """
        config = self._watching.config
        mine = find_run(self._store, run, device)
        chosen = self._golden_ids().get(mine.device_name)
        names = [golden] if golden else [*filter(None, [chosen]), *config.golden.runs]
        if not names:
            raise WatchError("name a golden run, choose one on the page, or set [golden] runs")
        theirs = self._golden(names, mine.device_name)
        wanted = by or config.golden.by
        formula = formula_of(wanted, self._watching.watched) if wanted else None
        return compare(self._store, mine, theirs, formula, turn=making)

    def _golden(self, names: Sequence[str], device: str) -> Any:
        refusal = WatchError(f"no golden run is one of {device}")
        for name in names:
            try:
                return find_run(self._store, name, device)
            except WatchError as error:
                refusal = error
        raise refusal
