"""Endpoint rules tried on stored runs, and compared with what was decided live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from oesd.config import Config
from oesd.model import FloatArray, RunRecord, utc_text
from oesd.processing.readings import Readings
from oesd.service.rules_at_work import definition_of
from oesd.service.run_spectra import NO_TURN, Turn, runs_meant, spectra_of
from oesd.service.watch_documents import at_text, number
from oesd.service.watched import watched
from oesd.store.named_reading import NamedReading
from oesd.store.named_traces import NamedSeries
from oesd.store.reading import Reading as StoreReader
from oesd.store.watch_events import LEFT, WATCHED, WatchEvent, WatchReading
from oesd.watching.backtest import Played, played
from oesd.watching.deciding import CORRELATED
from oesd.watching.errors import WatchError
from oesd.watching.grammar import Formula, text_of
from oesd.watching.rules import Rule, sentence_of

MOST_MADE = 2000
"""Spectra of a run that are measured again where the trace was not there when they were taken."""
_SHOWN = 4000
_TELLING = 30
"""Values above which a correlation tells something: its own error is 1 / sqrt(n) (Bartlett 1946), 0.18 here."""


class BackTest:
    """Plays rules on the runs of a store.

    Parameters
    ----------
    reader : Store or Onlooker
    readings : Readings
        Measures again what was not measured then.
    turn : context manager
        Held while a spectrum is measured, or a run played.
    """

    def __init__(self, reader: StoreReader, readings: Readings, turn: Turn = NO_TURN) -> None:
        self._reader = reader
        self._turn = turn
        self._named = NamedReading(reader)
        self._events = WatchReading(reader)
        self._readings = readings

    def document(self, rule: Rule, formula: Formula, runs: Sequence[RunRecord]) -> dict[str, Any]:
        """Play a rule on runs; JSON-ready, with the course of its statistic when there is one run."""
        shown, correlations = [], []
        for run in runs:  # the values of one at a time are held: each may have lasted for weeks
            series, result, made = self._played(rule, formula, run)
            shown.append(self._shown(rule, run, series, result, made, len(runs) == 1))
            correlations += [result.correlation] if result.points > _TELLING else []
        return {
            "rule": {**asdict(rule), "definition": sentence_of(rule), "formula": text_of(formula)},
            "runs": shown,
            "limit": number(rule.limit),
            "false_alarm_in": rule.false_alarm_in or None,
            "sentence": _sentence(rule, shown, correlations),
        }

    def _played(self, rule: Rule, formula: Formula, run: RunRecord) -> tuple[NamedSeries, Played, bool]:
        series = self._stored(rule, formula, run)
        made = series is None
        if series is None:
            series = self._made(formula, run)
        with self._turn:
            return series, played(rule, series.run_us, series.value, series.sigma, series.state), made

    def _stored(self, rule: Rule, formula: Formula, run: RunRecord) -> NamedSeries | None:
        """The trace as it was stored in the run; None when it was not measured then."""
        run_no = self._named.run_number(run.run_id, run.device_name)
        alike = [one for one in self._named.traces() if run_no and one.definition == text_of(formula)]
        alike.sort(key=lambda one: one.name != rule.trace)  # under its own name first: that is what was decided by
        stored = (self._named.of_run(one.trace_no, run.device_name, run_no) for one in alike)
        return next((series for series in stored if len(series)), None)

    def _made(self, formula: Formula, run: RunRecord) -> NamedSeries:
        rows = []
        for spectrum in spectra_of(self._reader, run, MOST_MADE, self._turn):
            with self._turn:
                one = self._readings.reading(formula, spectrum.measurement, spectrum.result.analysis)
            rows.append((spectrum.taken_at_us, round(1e6 * spectrum.run_s), one.value, one.sigma, int(one.state)))
        columns = np.array(rows, dtype=np.float64).reshape(-1, 5).T
        whole = columns[:2].astype(np.int64)
        nothing = np.zeros(len(rows), np.int64)
        return NamedSeries(nothing, whole[0], nothing, whole[1], columns[2], columns[3], columns[4].astype(np.uint8))

    def _shown(
        self, rule: Rule, run: RunRecord, series: NamedSeries, result: Played, made: bool, whole: bool
    ) -> dict[str, Any]:
        live = self._live(rule, run)
        fired = result.fired
        document = {
            "run_id": run.run_id,
            "device": run.device_name,
            "began_utc": utc_text(run.began_at_utc),
            "labels": dict(run.labels),
            "values": len(series),
            "points": result.points,
            "skipped": result.skipped,
            "state": result.state,
            "measured": "again" if made else "live",
            "correlation": round(result.correlation, 3),
            "fired": None
            if fired is None
            else {
                "at_utc": at_text(int(series.taken_at_us[fired])),
                "run_s": int(series.run_us[fired]) / 1e6,
                "why": result.why,
            },
            "live": None if live is None else {"at_utc": None if live.is_damaged else at_text(live.at_us)},
            "same_as_live": None
            if made
            else self._same(rule, run, live, None if fired is None else int(series.order_no[fired])),
        }
        return {**document, "trace": _course(series, result)} if whole else document

    def _live(self, rule: Rule, run: RunRecord, what: str = "") -> WatchEvent | None:
        """What a rule decided live in a run, or the mark of it there."""
        run_no = self._named.run_number(run.run_id, run.device_name)
        definition = what + definition_of(rule)
        return self._events.decision(rule.name, run.device_name, run_no, definition) if run_no else None

    def _same(self, rule: Rule, run: RunRecord, live: WatchEvent | None, order_no: int | None) -> bool | None:
        """Whether live decided by the same value, or was silent as well; None where the rule was not on then."""
        if live is not None:
            return None if live.is_damaged else order_no == live.order_no
        if self._live(rule, run, WATCHED) is None:
            return None
        left = self._live(rule, run, LEFT)
        if left is not None and order_no is not None and (left.is_damaged or order_no > left.document["after_order"]):
            return None
        return order_no is None


def tried(
    reader: StoreReader, config: Config, rule: str, runs: Sequence[str], device: str, last: int, *, where: str
) -> dict[str, Any]:
    """Play a rule of a configuration that no daemon need know on stored runs, the last ones unless they are named.

    Raises
    ------
    WatchError, ConfigError
        When the rule or a run cannot be told.
    """
    asked = watched(config, where)
    chosen = next((one for one in asked.rules if one.name == rule), None)
    if chosen is None:
        raise WatchError(f"there is no endpoint {rule!r:.80} in {where}")
    records = runs_meant(reader, runs, device, last)
    return BackTest(reader, Readings(())).document(chosen, asked.traces[chosen.trace], records)


def _course(series: NamedSeries, result: Played) -> dict[str, Any]:
    step = max(1, -(-len(series) // _SHOWN))
    shown = slice(0, len(series), step)
    statistic, limit = (np.full(len(series), np.nan) for _ in range(2))
    statistic[: len(result.statistic)], limit[: len(result.limit)] = result.statistic, result.limit
    columns = {"value": series.value, "sigma": series.sigma, "statistic": statistic, "limit": limit}
    return {
        "run_s": (series.run_us[shown] / 1e6).tolist(),
        "taken_at_utc": [at_text(int(at_us)) for at_us in series.taken_at_us[shown]],
        **{name: _numbers(values[shown]) for name, values in columns.items()},
    }


def _numbers(values: FloatArray) -> list[float | None]:
    return [number(value) for value in values.tolist()]


def _sentence(rule: Rule, runs: Sequence[dict[str, Any]], correlations: Sequence[float]) -> str:
    times = [run["fired"]["run_s"] for run in runs if run["fired"]]
    if not runs:
        return "no runs to try it on"
    told = f"{rule.name} decides in {len(times)} of {len(runs)} runs"
    if len(runs) == 1:
        told = f"{rule.name} decides at {times[0]:.1f} s" if times else f"{rule.name} does not decide in this run"
    elif times:
        told += f", {min(times):.1f} to {max(times):.1f} s after their beginnings"
    different = sum(run["same_as_live"] is False for run in runs)
    told += f"; {different} otherwise than live" if different else ""
    empty = sum(run["values"] == 0 for run in runs)
    told += f"; {empty} have no values of it" if empty else ""
    chosen = sum(run["measured"] == "again" and run["values"] >= MOST_MADE for run in runs)
    thin = f"; in {chosen} only {MOST_MADE} spectra, evenly chosen, were measured: live may decide otherwise"
    told += thin if chosen else ""
    if rule.false_alarm_in and correlations and float(np.median(correlations)) > CORRELATED:
        told += (
            f"; neighbouring values are alike (correlation {np.median(correlations):.2f}): "
            "false alarms come more often than stated"
        )
    return told
