"""Who is told which run to be in: the standing order, orders from outside before it, spectrometers that come and go."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from oesd.acquisition import UnitState
from oesd.config import RunSection
from oesd.model import RunOrder, RunRecord, new_id
from oesd.service.runs import Runs
from oesd.store import StoreFull

ALWAYS = RunOrder("always")
SECOND_NS = 1_000_000_000
SECOND_US = 1_000_000


class Time:
    """A clock that stands still until it is moved; UTC may be moved apart."""

    def __init__(self) -> None:
        self.now_ns = 5_000 * SECOND_NS
        self.behind = datetime(2026, 3, 1, tzinfo=UTC)

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc(self) -> datetime:
        return self.behind + timedelta(microseconds=self.now_ns // 1000)

    def wait(self, changed: threading.Condition, timeout_s: float) -> None:
        raise AssertionError("nobody waits here")

    def move(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


class Worker:
    """A unit as far as runs go: one is on or none, and what it is told it does at once."""

    def __init__(self, name: str, time: Time) -> None:
        self.name = name
        self.time = time
        self.told: list[object] = []
        self.run: RunRecord | None = None
        self.paused = False
        self.shortest_period_us = 0
        self.begins: Callable[[RunRecord], None] = lambda _: None
        self.ends: Callable[[RunRecord], None] = lambda _: None

    def start_run(self, order: RunOrder) -> None:
        self.told.append(order)
        self.paused = False
        self.run = RunRecord(
            new_id(), self.name, order.every_us or SECOND_US, not order.burst, self.time.utc(),
            self.time.monotonic_ns(), "boot", cause=order.cause, labels=order.labels,
        )  # fmt: skip

    def watch_plasma(self, order: RunOrder) -> None:
        self.told.append(("plasma", order))
        self.run = None

    def stop_run(self) -> None:
        self.told.append("stop")
        self.run = None

    def pause(self, paused: bool) -> None:
        self.paused = paused

    def label(self, run_id: str, labels: Mapping[str, str]) -> None:
        if self.run is not None and self.run.run_id == run_id:
            self.run = replace(self.run, labels=labels)

    def state(self) -> UnitState:
        return UnitState(self.name, f"serial of {self.name}", "M", True, "idle", "", "", "", 0, 0, None, 0,
                         shortest_period_us=self.shortest_period_us)  # fmt: skip

    @property
    def labels(self) -> dict[str, str]:
        assert self.run is not None
        return dict(self.run.labels)


class Lab:
    """Runs with workers, over restarts."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.time = Time()
        self.workers: list[Worker] = []
        self.kept: list[RunRecord] = []
        self.refused = ""
        self.restart()

    def keep(self, run: RunRecord) -> None:
        if self.refused:
            raise StoreFull(self.refused)
        self.kept.append(run)

    def restart(self, section: RunSection | None = None) -> Runs:
        names = [worker.name for worker in self.workers]
        self.workers = []
        self.runs = Runs(section or RunSection(), self.file, lambda: self.workers, self.time, self.keep)
        for name in names:
            self.plug(name)
        return self.runs

    def plug(self, name: str) -> Worker:
        worker = Worker(name, self.time)
        self.workers = [known for known in self.workers if known.name != name] + [worker]
        self.runs.join(worker)
        return worker

    def begun(self, worker: Worker) -> None:
        assert worker.run is not None
        self.runs.begins(worker.run)

    def over(self, worker: Worker, slots: int) -> None:
        """The unit says that its run has ended."""
        assert worker.run is not None
        run, worker.run = worker.run, None
        self.runs.ends(replace(run, ended_at_utc=self.time.utc(), slots=slots))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path / "orders.json")
    made.plug("a")
    made.plug("b")
    return made


def of(lab: Lab) -> dict[str, Worker]:
    return {worker.name: worker for worker in lab.workers}


def test_the_standing_order_counts_for_all_and_for_those_that_appear_later(lab: Lab) -> None:
    lab.restart(RunSection(labels={"project": "p"})).begin_standing(ALWAYS)
    late = lab.plug("c")
    lab.runs.join(late)
    assert [worker.told for worker in lab.workers] == [[RunOrder("always", {"project": "p"})]] * 3


def test_slots_that_have_no_time_for_their_exposure_are_refused(lab: Lab) -> None:
    of(lab)["b"].shortest_period_us = 250_000
    with pytest.raises(ValueError, match=r"every: b needs 0.25 s .* 0.1 s is too short"):
        lab.runs.start("", RunOrder("order", every_us=100_000))
    assert [worker.told for worker in lab.workers] == [[], []], "nothing is begun on the others"
    lab.runs.start("a", RunOrder("order", every_us=100_000))
    lab.runs.start("b", RunOrder("order", every_us=250_000))
    assert len(of(lab)["a"].told) == len(of(lab)["b"].told) == 1


def test_nothing_is_told_before_anything_is_ordered(lab: Lab) -> None:
    assert [worker.told for worker in lab.workers] == [[], []]
    assert lab.runs.now() == {"standing": {"start": "always", "labels": {}, "on": False}, "ordered": {}}


def test_an_order_goes_before_the_standing_one_and_a_stop_brings_that_back(lab: Lab) -> None:
    runs = lab.restart(RunSection(labels={"project": "p", "operator": "x"}))
    runs.begin_standing(ALWAYS)
    said = runs.start("serial of a", RunOrder("order", {"operator": "mk"}))
    assert said == {"a": "a run begins"}
    assert of(lab)["a"].labels == {"project": "p", "operator": "mk"}
    assert of(lab)["b"].told == [RunOrder("always", {"project": "p", "operator": "x"})]
    runs.begin_standing(ALWAYS)
    assert of(lab)["a"].labels["operator"] == "mk", "a standing order that comes again ends no ordered run"
    assert runs.stop("a") == {"a": "the ordered run ends; the run of the configuration goes on ('always'); "
                              "oesd run pause halts it"}  # fmt: skip
    assert of(lab)["a"].labels == {"project": "p", "operator": "x"}


def test_on_order_a_stop_leaves_it_idle(lab: Lab) -> None:
    runs = lab.restart(RunSection(start="on order"))
    runs.start("", RunOrder("order"))
    assert runs.stop("")["a"] == "the ordered run ends; idle until its next order"
    assert of(lab)["a"].told == [RunOrder("order"), "stop"]
    before = list(of(lab)["a"].told)
    assert runs.stop("")["a"].startswith("no ordered run is on")
    assert of(lab)["a"].told == before


def test_the_plasma_is_watched_again_after_an_order(lab: Lab) -> None:
    lab.runs.begin_standing(RunOrder("plasma on"))
    lab.runs.start("a", RunOrder("order"))
    lab.runs.stop("a")
    assert of(lab)["a"].told == [
        ("plasma", RunOrder("plasma on")),
        RunOrder("order"),
        ("plasma", RunOrder("plasma on")),
    ]


@pytest.mark.parametrize(
    ("order", "slots"), [(RunOrder("order", duration_us=10 * SECOND_US), 10), (RunOrder("order", burst=50), 50)]
)
def test_an_order_that_is_over_gives_way_by_itself(lab: Lab, order: RunOrder, slots: int) -> None:
    lab.runs.begin_standing(ALWAYS)
    lab.runs.start("a", order)
    lab.begun(of(lab)["a"])
    lab.time.move(9.1)  # the last slot of ten is served when it begins
    lab.over(of(lab)["a"], slots)
    assert of(lab)["a"].told[-1] == ALWAYS
    assert lab.runs.now()["ordered"] == {}
    assert of(lab)["b"].told == [ALWAYS]


@pytest.mark.parametrize("order", [RunOrder("order", duration_us=10 * SECOND_US), RunOrder("order", burst=50)])
def test_a_run_that_was_cut_short_or_came_before_ends_no_order(lab: Lab, order: RunOrder) -> None:
    worker = of(lab)["a"]
    lab.runs.start("a", RunOrder("order", burst=500))
    lab.begun(worker)
    earlier = worker.run
    assert earlier is not None
    lab.time.move(1)
    lab.runs.start("a", order)
    lab.runs.ends(replace(earlier, slots=500, ended_at_utc=lab.time.utc()))
    lab.begun(worker)
    lab.over(worker, 3)
    assert lab.runs.now()["ordered"].keys() == {"a"}
    assert worker.told == [RunOrder("order", burst=500), order]


def test_one_that_appears_later_takes_what_is_left(lab: Lab) -> None:
    lab.runs.begin_standing(ALWAYS)
    lab.runs.start("", RunOrder("order", {"sample": "s"}, duration_us=60 * SECOND_US))
    lab.time.move(20)
    assert lab.plug("c").told == [RunOrder("order", {"sample": "s"}, duration_us=40 * SECOND_US)]
    lab.time.move(41)
    assert lab.plug("d").told == [ALWAYS]


def test_one_that_appears_during_a_burst_or_after_a_planned_run_does_not_take_part(lab: Lab) -> None:
    lab.runs.start("", RunOrder("order", burst=9))
    assert lab.plug("c").told == []
    lab.runs.begin_standing(RunOrder("plan", duration_us=60 * SECOND_US))
    lab.time.move(50)
    assert lab.plug("d").told == [RunOrder("plan", duration_us=10 * SECOND_US)]
    lab.time.move(11)
    assert lab.plug("e").told == []


def test_a_plan_s_end_stops_no_run_that_ends_by_itself(lab: Lab) -> None:
    lab.runs.begin_standing(RunOrder("plan", duration_us=60 * SECOND_US))
    lab.runs.end_standing()
    assert "stop" not in of(lab)["a"].told
    lab.runs.begin_standing(RunOrder("plan"))
    lab.runs.start("b", RunOrder("order"))
    lab.runs.end_standing()
    assert (of(lab)["a"].told[-1], of(lab)["b"].told[-1]) == ("stop", RunOrder("order"))


def test_a_unit_whose_thread_was_replaced_goes_on_with_its_order(lab: Lab) -> None:
    lab.runs.begin_standing(ALWAYS)
    lab.runs.start("a", RunOrder("order", {"sample": "s"}))
    lab.begun(of(lab)["a"])
    lab.over(of(lab)["a"], 17)
    assert lab.plug("a").labels == {"sample": "s"}


def test_a_pause_lasts_over_runs_until_it_is_resumed_or_started(lab: Lab) -> None:
    lab.runs.begin_standing(RunOrder("plasma on"))
    assert lab.runs.pause("", True)["a"].startswith("paused")
    for name in "ab":
        of(lab)[name].paused = False
        of(lab)[name].start_run(RunOrder("plasma on"))
        lab.begun(of(lab)[name])
        assert of(lab)[name].paused
    assert lab.runs.of("a")[1]
    assert lab.runs.pause("a", False) == {"a": "goes on"}
    assert lab.runs.pause("a", False) == {"a": "was not paused"}
    assert (of(lab)["a"].paused, of(lab)["b"].paused) == (False, True)
    lab.runs.start("b", RunOrder("order"))
    lab.begun(of(lab)["b"])
    assert (of(lab)["b"].paused, lab.runs.of("b")[1]) == (False, False)


def test_too_many_labels_together_are_refused_and_change_nothing(lab: Lab) -> None:
    runs = lab.restart(RunSection(labels={f"s{n}": "x" for n in range(10)}))
    runs.begin_standing(ALWAYS)
    with pytest.raises(ValueError, match="at most 16 labels"):
        runs.start("", RunOrder("order", {f"o{n}": "x" for n in range(10)}))
    assert runs.now()["ordered"] == {}
    assert len(of(lab)["a"].told) == 1


def test_an_unknown_name_is_nobody(lab: Lab) -> None:
    assert lab.runs.start("z", RunOrder("order")) == lab.runs.stop("z") == lab.runs.pause("z", True) == {}
    assert lab.runs.now()["ordered"] == {}


class TestRestart:
    def test_orders_go_on_under_their_labels(self, lab: Lab) -> None:
        lab.runs.start("", RunOrder("order", {"sample": "s"}, every_us=200_000, lock_exposure=True))
        lab.runs.stop("b")
        runs = lab.restart()
        runs.begin_standing(ALWAYS)
        assert of(lab)["a"].told == [RunOrder("order", {"sample": "s"}, every_us=200_000, lock_exposure=True)]
        assert of(lab)["b"].told == [ALWAYS]

    def test_the_time_that_passed_counts(self, lab: Lab) -> None:
        lab.runs.start("a", RunOrder("order", duration_us=60 * SECOND_US))
        lab.time.move(25)
        lab.restart()
        assert of(lab)["a"].told == [RunOrder("order", duration_us=35 * SECOND_US)]
        lab.time.move(36)
        lab.restart().begin_standing(ALWAYS)
        assert of(lab)["a"].told == [ALWAYS]

    def test_a_clock_that_was_set_back_makes_no_order_longer(self, lab: Lab) -> None:
        lab.runs.start("a", RunOrder("order", duration_us=60 * SECOND_US))
        lab.time.behind -= timedelta(days=3650)
        lab.restart()
        assert of(lab)["a"].told == [RunOrder("order", duration_us=60 * SECOND_US)]

    def test_a_burst_is_not_taken_again(self, lab: Lab) -> None:
        lab.runs.start("a", RunOrder("order", burst=5))
        lab.restart().begin_standing(ALWAYS)
        assert of(lab)["a"].told == [ALWAYS]

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", '{"a": 1}', '{"a": {}}', '{"a": {"labels": 3, "every_us": null}}', "nul", '"x"']
    )
    def test_a_file_that_says_nothing_is_passed_over(self, lab: Lab, text: str) -> None:
        lab.file.write_text(text)
        lab.restart().begin_standing(ALWAYS)
        assert of(lab)["a"].told == [ALWAYS]

    def test_hostile_values_in_the_file_are_passed_over(self, lab: Lab) -> None:
        lab.runs.start("a", RunOrder("order", {"sample": "s"}, duration_us=60 * SECOND_US))
        good = json.loads(lab.file.read_text())
        for change in ({"labels": {"B": "x"}}, {"duration_us": "x"}, {"until_utc": "soon"}, {"every_us": 1e400}):
            lab.file.write_text(json.dumps({"a": good["a"] | change}))
            lab.restart().begin_standing(ALWAYS)
            assert of(lab)["a"].told == [ALWAYS], change

    def test_an_order_that_cannot_be_kept_counts_all_the_same(self, lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
        lab.runs = Runs(RunSection(), lab.file.parent / "missing" / "orders.json", lambda: lab.workers, lab.time)
        assert lab.runs.start("a", RunOrder("order")) == {"a": "a run begins"}
        assert "the order is lost when the daemon ends" in caplog.text


def test_labels_of_a_run_that_is_on_are_kept_then_told_and_outlive_the_daemon(lab: Lab) -> None:
    lab.runs.start("a", RunOrder("order", {"sample": "GaN-7", "note": "x"}))
    one = of(lab)["a"]
    lab.begun(one)
    assert one.run is not None
    said = lab.runs.label(one.run.run_id, "", {"sample": "GaN-8", "note": None, "wafer": "W1"})
    assert said == {"a": {"sample": "GaN-8", "wafer": "W1"}} == {"a": one.labels}
    assert [run.labels for run in lab.kept] == [one.labels]
    on, _ = lab.runs.of("a")
    assert on is not None and on.labels == one.labels
    lab.restart()
    assert of(lab)["a"].labels == {"sample": "GaN-8", "wafer": "W1"}


def test_labels_that_cannot_be_or_cannot_be_kept_change_nothing(lab: Lab) -> None:
    lab.runs.start("a", RunOrder("order", {"sample": "GaN-7"}))
    one = of(lab)["a"]
    lab.begun(one)
    assert one.run is not None
    run_id = one.run.run_id
    with pytest.raises(ValueError, match="at most 16"):
        lab.runs.label(run_id, "a", {f"l{number}": "" for number in range(16)})
    lab.refused = "the disk is full"
    with pytest.raises(StoreFull):
        lab.runs.label(run_id, "a", {"sample": "GaN-8"})
    assert one.labels == {"sample": "GaN-7"} and lab.kept == []
    lab.refused = ""
    assert lab.runs.label("another", "a", {"sample": "x"}) == lab.runs.label(run_id, "b", {"sample": "x"}) == {}
    lab.over(one, 3)
    assert lab.runs.label(run_id, "a", {"sample": "x"}) == {}


def test_the_configuration_s_own_run_has_its_labels_again_when_it_begins_anew(lab: Lab) -> None:
    runs = lab.restart(RunSection(labels={"project": "p"}))
    runs.begin_standing(ALWAYS)
    one = of(lab)["a"]
    lab.begun(one)
    assert one.run is not None
    assert runs.label(one.run.run_id, "a", {"sample": "s"}) == {"a": {"project": "p", "sample": "s"}}
    again = lab.restart(RunSection(labels={"project": "p"}))
    again.begin_standing(ALWAYS)
    assert of(lab)["a"].labels == {"project": "p"}


def test_a_plan_that_has_nothing_on_ends_what_the_one_before_began(lab: Lab) -> None:
    """From "always" to "on order" by a reload: they would have measured on for ever, and the status denied it."""
    lab.runs.begin_standing(ALWAYS)
    lab.runs.start("b", RunOrder(cause="order"))
    lab.runs.use(RunSection(start="on order"))
    lab.runs.end_unplanned()
    assert of(lab)["a"].run is None
    assert of(lab)["b"].run is not None, "ordered from outside"
    lab.runs.use(RunSection())
    lab.runs.begin_standing(ALWAYS)
    lab.runs.end_unplanned()
    assert of(lab)["a"].run is not None
