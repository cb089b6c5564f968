"""No change of an alarm is lost, told wrongly or half taken over: by a store that refuses, a reload, a clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.service.test_watch_book import BEGUN_US, S, book
from tests.daemon.service.test_watching import CONFIG, stored, until

from oesd.config import parse_config
from oesd.service.watch_book import Outside
from oesd.service.watching import Watching
from oesd.store import Store, StoreFull
from oesd.watching.signals import Alarm, Quiet


class Failing(Store):
    """A disk that fails after so many further reads, until it is said to be well again."""

    left: int | None = None

    def read(self, query: Any) -> Any:
        if self.left is not None:
            if self.left == 0:
                raise StoreFull("the disk fails")
            self.left -= 1
        return super().read(query)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Failing]:
    with Failing.open(tmp_path / "data") as opened:
        assert isinstance(opened, Failing)
        yield opened


OTHER = CONFIG.replace("below = 5.0", "below = 1.0")


@pytest.mark.parametrize("nth", range(14))
def test_a_reload_that_the_store_refuses_changes_nothing(store: Failing, nth: int) -> None:
    watching = Watching(parse_config(CONFIG, "t"), store)
    watching.start()
    for s in range(3):
        stored(store, watching, s, 10.0)
    watching.wake()
    until(watching.idle)
    watching.stop()  # the thread must not eat the reads; use() is what is looked at
    new = parse_config(OTHER, "t")
    store.left = nth
    try:
        watching.use(new)
        refused = False
    except StoreFull:
        refused = True
    store.left = None
    assert watching.book.alarms["low"].below == (5.0 if refused else 1.0), refused


def test_what_was_stored_just_before_a_reload_is_judged(store: Failing) -> None:
    watching = Watching(parse_config(CONFIG, "t"), store)
    watching.start()
    stored(store, watching, 0, 10.0)
    watching.wake()
    until(watching.idle)
    with watching._lock:
        stored(store, watching, 1, 1.0)
        watching.use(parse_config(CONFIG, "t"))
    watching.stop()
    assert [e.document["to"] for e in watching.events.latest() if e.kind == "alarm"] == ["raised"]


def test_changes_of_one_moment_are_told_each_with_its_own_numbers(
    store: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="oesd")
    watching = Watching(parse_config(CONFIG, "t"), store)
    told: list[Any] = []
    watching.publish_to(told.append)
    watching.start()
    stored(store, watching, 0, 10.0)
    watching.wake()
    until(watching.idle)
    with watching._lock:
        stored(store, watching, 1, 1.0)
        stored(store, watching, 2, 9.0)
    watching.stop()
    assert [(t["state"], t["value"]) for t in told] == [("raised", 1.0), ("cleared", 9.0)]
    logged = [record.getMessage() for record in caplog.records if record.getMessage().startswith("alarm ")]
    assert [line.partition(": ")[2].partition(":")[0] for line in logged] == ["raised", "cleared"]
    assert all(line.startswith("alarm low of chamber-a: ") for line in logged)


def test_a_store_that_refuses_for_a_while_loses_no_alarm(store: Failing) -> None:
    watching = Watching(parse_config(CONFIG, "t"), store)
    told: list[Any] = []
    watching.publish_to(told.append)
    watching.start()
    watching.stop()
    stored(store, watching, 0, 1.0)
    store.left = 1  # the rows are read; whether the mark is known is not
    watching._step()
    store.left = None
    watching._step()
    watching._step()
    assert [t["state"] for t in told] == ["raised"]


def test_the_silence_of_a_trace_begins_with_the_run() -> None:
    live = book((), [Alarm("no-n2", "missing", "n2", above=30.0)])
    assert live.tick(BEGUN_US, Outside({"a": Quiet(0.5)})) == []
    live.tick(BEGUN_US + S, Outside({"a": None}))
    assert live.tick(BEGUN_US + 7 * 86400 * S, Outside({"a": Quiet(0.0)})) == []


def test_a_clock_that_was_set_back_hides_no_silence() -> None:
    live = book((), [Alarm("no-n2", "missing", "n2", above=30.0)])
    live.tick(BEGUN_US, Outside({"a": Quiet(0.5)}))
    back = BEGUN_US - 3600 * S
    live.tick(back, Outside({"a": Quiet(0.5)}))
    assert [e.document["to"] for e in live.tick(back + 40 * S, Outside({"a": Quiet(0.5)}))] == ["raised"]


@pytest.mark.parametrize("leap_s", [7200, -7200])
def test_a_clock_that_is_set_leaves_a_silence_as_long_as_it_was(leap_s: int) -> None:
    """A lab PC whose network comes late, or one that slept: two hours by the date, one second by the other clock."""
    live = book((), [Alarm("no-n2", "missing", "n2", above=30.0)])
    assert live.tick(BEGUN_US, Outside({"a": Quiet(0.5)}, monotonic_us=0)) == []
    date_us = BEGUN_US + leap_s * S
    assert live.tick(date_us + S, Outside({"a": Quiet(0.5)}, monotonic_us=S)) == []
    assert live.tick(date_us + 30 * S, Outside({"a": Quiet(0.5)}, monotonic_us=30 * S)) == []
    raised = live.tick(date_us + 31 * S, Outside({"a": Quiet(0.5)}, monotonic_us=31 * S))
    assert [event.document["to"] for event in raised] == ["raised"]


def test_a_store_that_refuses_is_said_once(store: Failing, caplog: pytest.LogCaptureFixture) -> None:
    watching = Watching(parse_config(CONFIG, "t"), store)
    store.left = 0
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            watching._step()
    store.left = None
    assert caplog.text.count("alarms cannot be kept") == 1
