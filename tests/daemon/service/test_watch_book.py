"""Live, after a restart, in a back-test: the same stored values make the same decisions, bit for bit."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from oesd.service.rules_at_work import definition_of, nothing_stored
from oesd.service.watch_book import Outside, WatchBook
from oesd.store.named_traces import NamedRow, NamedSeries
from oesd.watching.alarms import Holds, Phase
from oesd.watching.backtest import played
from oesd.watching.rules import Rule
from oesd.watching.signals import Alarm, Quiet

S = 1_000_000
BEGUN_US = 1_800_000_000 * S
NUMBERS, UNITS = {"x": 3, "n2": 5}, {"x": "", "n2": "counts/s"}
RULES = (
    Rule("shift", "x", "cusum", "falls", 2 * S, 10 * S, false_alarm_in=300.0),
    Rule("half", "x", "level", "falls", 0, 10 * S, share=0.8, confirm=2),
    Rule("steep", "x", "slope", "falls", 0, 8 * S, share_per_s=0.02, window_us=6 * S),
)


def simulated_run(seed: int) -> list[tuple[int, float, float, int]]:
    """A run of 80 values as a store keeps them: noise, a step or a ramp now and then, some that do not count."""
    rng = random.Random(seed)
    level, scatter = rng.uniform(5.0, 50.0), rng.uniform(0.1, 3.0)
    change_at, change = rng.randrange(14, 70), rng.choice([0.0, -0.1, -0.3, -0.6]) * level
    ramp = rng.random() < 0.3
    rows = []
    for k in range(45):
        since = max(0, k - change_at)
        moved = change * min(1.0, since / 20.0) if ramp else change * (since > 0)
        state = rng.choices([0, 1, 2, 3], [90, 4, 3, 3])[0]
        value = np.nan if state == 3 else float(np.float32(rng.gauss(level + moved, scatter)))
        rows.append((k * S + rng.randrange(1000), value, float(np.float32(scatter)), state))
    return rows


def rows_of(runs, device: str = "chamber-a"):
    order = 0
    for run_no, run in enumerate(runs, start=1):
        for run_us, value, sigma, state in run:
            order += 1
            taken_us = BEGUN_US + run_no * 1000 * S + run_us
            readings = {3: (value, sigma, state), 5: (2.0, 0.1, 0)}
            yield NamedRow(order, order, 1, device, taken_us, run_no, run_us, readings)


def book(rules=RULES, alarms=(), past=nothing_stored) -> WatchBook:
    return WatchBook(alarms, rules, NUMBERS, UNITS, past=past)


def told(live: WatchBook, rows, **how):
    return [event for row in rows for event in live.feed(row, **how) if not event.is_mark]


def test_a_back_test_decides_as_live_in_a_thousand_runs() -> None:
    runs = [simulated_run(seed) for seed in range(1000)]
    live = book()
    decided = {}
    for event in told(live, rows_of(runs)):
        document = event.document
        decided[event.name, event.run_no] = (document["run_us"], document["statistic"], document["why"])
    assert len(decided) > 500
    same = 0
    for run_no, run in enumerate(runs, start=1):
        columns = list(zip(*run, strict=True))
        for rule in RULES:
            result = played(rule, *columns)
            found = decided.get((rule.name, run_no))
            if found is None:
                assert result.fired is None
            else:
                assert (run[result.fired][0], result.statistic[result.fired], result.why) == found
                same += 1
    assert same == len(decided)


def test_a_restart_in_the_middle_of_a_run_changes_no_decision() -> None:
    runs = [simulated_run(seed) for seed in range(40)]
    rows = list(rows_of(runs))
    whole = told(book(), rows)
    for cut in (13, 500, 1177, 1700):
        first, again = book(), book()
        before = told(first, rows[:cut])
        run_no = rows[cut].run_no
        replayed = told(again, [row for row in rows[:cut] if row.run_no == run_no], judge=False)
        after = told(again, rows[cut:])
        assert all(event in before for event in replayed)
        assert before + after == whole


def test_a_spectrum_that_is_analysed_again_decides_nothing() -> None:
    live = book(alarms=[Alarm("leak", "threshold", "n2", above=1.0)])
    row = next(rows_of([simulated_run(1)]))
    assert live.feed(replace(row, revision=2)) == []
    assert [event.document["to"] for event in told(live, [row])] == ["raised"]


def in_turns(rows, seed: int):
    """The rows in another order of storing that keeps the order of each run's own."""
    waiting = {no: deque(row for row in rows if row.run_no == no) for no in {row.run_no for row in rows}}
    rng, mixed = random.Random(seed), []
    while waiting:
        no = rng.choice(list(waiting))
        mixed.append(replace(waiting[no].popleft(), order_no=len(mixed) + 1))
        waiting = {no: left for no, left in waiting.items() if left}
    return mixed


def past_of(rows):
    def past(trace_no: int, device: str, run_no: int) -> Iterator[NamedSeries]:
        mine = [row for row in rows if (row.run_no, row.device_name) == (run_no, device)]
        for piece in (mine[at : at + 7] for at in range(0, len(mine), 7)):
            whole = [[getattr(row, name) for row in piece] for name in ("order_no", "taken_at_us", "run_no", "run_us")]
            readings = np.array([row.readings[trace_no] for row in piece])
            state = readings[:, 2].astype(np.uint8)
            yield NamedSeries(*np.array(whole, dtype=np.int64), readings[:, 0], readings[:, 1], state)

    return past


@pytest.mark.parametrize("seed", range(4))
def test_runs_whose_spectra_are_analysed_in_turns_decide_as_if_they_came_one_by_one(seed: int) -> None:
    in_order = list(rows_of([simulated_run(100 * seed + number) for number in range(12)]))
    mixed = in_turns(in_order, seed)

    def decided(events):
        return {(e.name, e.run_no): (e.document["run_us"], e.document["statistic"], e.at_us) for e in events}

    one_by_one = decided(told(book(), in_order))
    assert len(one_by_one) > 5
    events = told(book(past=past_of(mixed)), mixed)  # more runs than are held: some are made again from their past
    assert decided(events) == one_by_one
    assert all(mixed[event.order_no - 1].taken_at_us == event.at_us for event in events)


def test_the_rule_of_the_page_is_that_of_the_newest_run() -> None:
    rows = list(rows_of([simulated_run(1), simulated_run(2)]))
    live = book()
    told(live, [rows[0], rows[45], rows[46], rows[1]])
    newest, first = live.at_work.at("shift", "chamber-a"), live.at_work.at("shift", "chamber-a", 1)
    assert (newest.run_no, first.run_no, live.at_work.at("shift", "other")) == (2, 1, None)


def test_an_alarm_goes_on_from_its_last_event() -> None:
    leak = Alarm("leak", "threshold", "n2", above=1.0, holds=Holds(5 * S, 5 * S))
    rows = list(rows_of([simulated_run(1)]))
    live = book((), [leak])
    events = told(live, rows[:7])
    assert [event.document["to"] for event in events] == ["pending", "raised"]
    events += live.acknowledge("leak", "chamber-a", "mk", rows[7].taken_at_us)
    again = book((), [leak])
    again.restore({("leak", "chamber-a"): events[-1]})
    state = again.states["leak", "chamber-a"]
    assert (state.phase, state.by, state.on_since_us) == (Phase.ACKNOWLEDGED, "mk", rows[0].taken_at_us)
    assert again.feed(rows[8]) == []
    quiet = [replace(row, readings={5: (0.1, 0.1, 0)}) for row in rows[10:20]]
    ended = [event for row in quiet for event in again.feed(row)]
    assert [event.document["to"] for event in ended] == ["ok"]


def test_an_alarm_that_was_pending_is_raised_after_its_hold_over_a_restart() -> None:
    leak = Alarm("leak", "threshold", "n2", above=1.0, holds=Holds(5 * S))
    rows = list(rows_of([simulated_run(1)]))
    live = book((), [leak])
    (pending,) = live.feed(rows[0])
    again = book((), [leak])
    again.restore({("leak", "chamber-a"): pending})
    assert again.feed(rows[3]) == []
    assert [event.document["to"] for event in again.feed(rows[6])] == ["raised"]


def test_what_no_spectrum_tells_is_looked_at_now_and_then() -> None:
    alarms = [
        Alarm("silent", "missing", above=30.0),
        Alarm("no-n2", "missing", "n2", above=30.0),
        Alarm("dark", "dark due"),
        Alarm("disk", "disk", below=5e9),
        Alarm("queue", "queue", above=60.0),
    ]
    live = book((), alarms)
    well = Outside({"a": Quiet(1.0), "b": None}, {"a": ""}, 9e9, None)
    assert live.tick(BEGUN_US, well) == []
    bad = Outside({"a": Quiet(31.0), "b": None}, {"a": "24 h old"}, 1e9, 90.0)
    raised = live.tick(BEGUN_US + S, bad)
    assert {(event.name, event.device_name) for event in raised} == {
        ("silent", "a"), ("no-n2", "a"), ("dark", "a"), ("disk", ""), ("queue", ""),
    }  # fmt: skip
    texts = " | ".join(event.document["text"] for event in raised)
    for said in ("no spectrum for 31 s", "a dark is due: 24 h old", "1.0 GB left for data, less than 5 GB", "2 min"):
        assert said in texts
    cleared = live.tick(BEGUN_US + 2 * S, well)
    assert {(event.name, event.document["to"]) for event in cleared} == {
        (name, "cleared") for name in ("silent", "dark", "disk", "queue")
    }  # the spectrometer is back, no value of n2 was heard


@pytest.mark.parametrize("trace", ["", "n2"])
def test_a_silence_ends_with_what_is_heard_not_with_a_restart_or_the_next_run(trace: str) -> None:
    alarm = Alarm("silent", "missing", trace, above=30.0)
    live = book((), [alarm])
    assert live.tick(BEGUN_US, Outside({"chamber-a": Quiet(0.5, heard=False)})) == []
    (raised,) = live.tick(BEGUN_US + 31 * S, Outside({"chamber-a": Quiet(31.5, heard=False)}))
    again = book((), [alarm])
    again.restore({("silent", "chamber-a"): raised})
    assert again.tick(BEGUN_US + 40 * S, Outside()) == []
    assert again.tick(BEGUN_US + 41 * S, Outside({"chamber-a": Quiet(1.0, heard=False)})) == []
    assert again.states["silent", "chamber-a"].phase is Phase.RAISED
    row = next(rows_of([simulated_run(1)]))
    again.feed(replace(row, taken_at_us=BEGUN_US + 42 * S))
    (cleared,) = again.tick(BEGUN_US + 43 * S, Outside({"chamber-a": Quiet(1.0)}))
    assert cleared.document["to"] == "cleared"


def test_a_trace_that_cannot_be_told_any_more_is_missing() -> None:
    live = book((), [Alarm("no-n2", "missing", "n2", above=30.0)])
    row = next(rows_of([simulated_run(1)]))
    outside = Outside({"chamber-a": Quiet(0.5)})
    assert live.tick(row.taken_at_us - S, outside) == []
    live.feed(row)
    for second in range(1, 30):
        live.feed(replace(row, order_no=second, readings={5: (np.nan, np.nan, 3)}))
    assert live.tick(row.taken_at_us + 29 * S, outside) == []
    assert [event.document["to"] for event in live.tick(row.taken_at_us + 31 * S, outside)] == ["raised"]


def test_another_rule_under_the_same_name_decides_anew() -> None:
    assert definition_of(RULES[0]) == definition_of(replace(RULES[0], name="other"))
    assert definition_of(RULES[0]) != definition_of(replace(RULES[0], false_alarm_in=301.0))


def test_values_of_an_earlier_run_that_are_analysed_late_tell_alarms_nothing_of_now() -> None:
    """A backlog after a restart: the new run is too hot all the time, the old one, in turns with it, was well."""
    live = book((), [Alarm("hot", "threshold", "x", above=10.0)])
    old, new = (list(rows_of([[(k * S, x, 0.1, 0) for k in range(20)]])) for x in (5.0, 20.0))
    new = [replace(row, run_no=2, taken_at_us=row.taken_at_us + 1000 * S) for row in new]
    turns = [row for pair in zip(new, old, strict=True) for row in pair]
    events = told(live, [replace(row, order_no=order) for order, row in enumerate(turns, start=1)])
    assert [event.document["to"] for event in events] == ["raised"]
    assert live.sights["hot", "chamber-a"].value == 20.0
    after = [replace(old[0], run_no=3, order_no=99, taken_at_us=BEGUN_US + 9000 * S)]
    assert [event.document["to"] for event in told(live, after)] == ["cleared"]
