"""The plan on clocks that are stepped: what begins, once, and for how long."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clocks import StepClock

from oesd.config import parse_config
from oesd.model import Kind, RunOrder
from oesd.schedule.plan import Item, Moment, Order, Steps, Stop, items_of

HOUR_S = 3600.0
YEARS_S = 315_360_000.0


class Host:
    """A plan that is looked at as the supervisor and APScheduler do."""

    def __init__(self, text: str, at: datetime) -> None:
        self.clock = StepClock(at, tick_ns=0)
        self.items: list[Item] = items_of(parse_config(text, "x"))
        self.steps = Steps()
        self.given: list[tuple[float, Order]] = []
        self.until_s = 0.0
        self.measured_s = 0.0
        self.look()

    def now(self) -> Moment:
        return Moment(self.clock.utc(), self.clock.boottime_ns())

    def steady_s(self) -> float:
        return self.clock.boottime_ns() / 1e9 - 1000

    def look(self) -> None:
        now = self.now()
        stepped = bool(self.steps.look(now))
        for order in (order for item in self.items for order in item.look(now, stepped)):
            self.given.append((self.steady_s(), order))
            if isinstance(order, RunOrder):
                self.until_s = self.steady_s() + order.duration_us / 1e6

    def pass_time(self, seconds: float) -> None:
        """Look whenever something is due, as soon as it is, or a quarter of a second later."""
        end_s = self.steady_s() + seconds
        while (left_s := end_s - self.steady_s()) > 1e-6:
            wait_s = min((item.wait_s(self.now()) for item in self.items), default=left_s)
            on_s = max(0.0, self.until_s - self.steady_s())
            passed_s = min(left_s, max(wait_s, 0.001))
            self.measured_s += min(on_s, passed_s)
            self.clock.sleep(passed_s)
            self.look()

    def step(self, seconds: float) -> None:
        self.clock.step(seconds)
        self.look()

    def starts(self) -> list[tuple[float, float]]:
        """Hours after the beginning, and hours of duration."""
        return [
            (round(at_s / HOUR_S, 2), round(order.duration_us / 1e6 / HOUR_S, 2))
            for at_s, order in self.given
            if isinstance(order, RunOrder)
        ]


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


SWITCHED = '[light]\ncommand = ["shutter"]\n[dark]\nhow = "switch"\nevery = "1 h"'
DAILY = '[run]\nstart = "0 6 * * *"\nduration = "10 h"'


def test_a_window_begins_once_and_its_end_is_told() -> None:
    host = Host(DAILY, at(5))
    host.pass_time(48 * HOUR_S)
    assert host.starts() == [(1, 10), (25, 10)]
    assert [round(s / HOUR_S, 2) for s, order in host.given if isinstance(order, Stop)] == [11, 35]


def test_windows_back_to_back_leave_no_gap() -> None:
    host = Host('[run]\nstart = "0 6,18 * * *"\nduration = "12 h"', at(5))
    host.pass_time(47 * HOUR_S)
    assert host.starts() == [(0, 1), (1, 12), (13, 12), (25, 12), (37, 12)]
    assert not any(isinstance(order, Stop) for _, order in host.given)


def test_forward_into_a_window_begins_the_rest_of_it_once() -> None:
    host = Host(DAILY, at(5))
    host.step(2 * HOUR_S)
    host.pass_time(10 * HOUR_S)
    assert host.starts() == [(0, 9)]


def test_ten_years_forward_begin_the_window_there_at_little_cost() -> None:
    host = Host('[run]\nstart = "* * * * *"\nduration = "30 s"', at(5))
    host.step(YEARS_S)
    host.pass_time(600)
    assert len(host.starts()) == 11  # at the start, and each of ten minutes
    began_s = time.process_time()
    host.step(YEARS_S)
    assert time.process_time() - began_s < 0.5


@pytest.mark.parametrize("step_s", [-YEARS_S, -HOUR_S, HOUR_S, 5 * HOUR_S])
def test_a_run_that_is_on_keeps_its_length(step_s: float) -> None:
    """Wherever the clock goes, the run goes on to its end; what is due then begins when it is over."""
    host = Host(DAILY, at(5))
    host.pass_time(4 * HOUR_S)
    host.step(step_s)
    host.pass_time(6.99 * HOUR_S)
    assert host.starts() == [(1, 10)]


def test_back_by_an_hour_begins_no_window_twice() -> None:
    host = Host(DAILY, at(5, 59))
    host.pass_time(600)
    host.step(-HOUR_S)
    host.pass_time(12 * HOUR_S)
    assert len(host.starts()) == 1
    host.pass_time(24 * HOUR_S)
    assert len(host.starts()) == 2


def test_back_into_a_window_that_is_over_does_not_begin_it_again() -> None:
    host = Host('[run]\nstart = "0 * * * *"\nduration = "50 min"', at(5, 59))
    host.pass_time(53 * 60)
    host.step(-600)
    host.pass_time(15 * 60)
    assert len(host.starts()) == 1


@pytest.mark.parametrize("hours", [1, 9, 24])
def test_back_by_hours_an_hourly_plan_goes_on_each_hour(hours: int) -> None:
    """Not silent for the length of the step: it cannot be measured again."""
    host = Host('[run]\nstart = "0 * * * *"\nduration = "1 h"', at(5))
    host.pass_time(1.5 * HOUR_S)
    host.step(-hours * HOUR_S)
    host.pass_time(10 * HOUR_S)
    assert host.measured_s == pytest.approx(11.5 * HOUR_S, abs=2)


def test_ten_years_back_a_daily_plan_goes_on() -> None:
    host = Host(DAILY, at(5))
    host.pass_time(2 * HOUR_S)
    host.step(-3650 * 86_400.0)
    host.pass_time(48 * HOUR_S)
    assert host.starts() == [(1, 10), (25, 10), (49, 10)]


def test_a_host_that_slept_into_a_window_begins_the_rest() -> None:
    host = Host(DAILY, at(5))
    host.clock.suspend(3 * HOUR_S)
    host.look()
    assert host.starts() == [(3, 8)]


def test_darks_keep_their_distance_whatever_the_date() -> None:
    host = Host(SWITCHED, at(5))
    for step_s in (HOUR_S, -2 * HOUR_S, YEARS_S, -YEARS_S):
        host.pass_time(0.9 * HOUR_S)
        host.step(step_s)
    host.pass_time(0.5 * HOUR_S)
    assert [round(s / HOUR_S, 3) for s, order in host.given if order is Kind.DARK] == [1, 2, 3, 4]


def test_a_dark_that_was_slept_over_is_made_up_for_once() -> None:
    host = Host(SWITCHED, at(5))
    host.clock.suspend(8.5 * HOUR_S)
    host.look()
    host.pass_time(0.6 * HOUR_S)
    assert [round(s / HOUR_S, 3) for s, order in host.given if order is Kind.DARK] == [8.5, 9]


def test_a_planned_dark_is_taken_at_its_moment_or_not_at_all() -> None:
    host = Host('[dark]\nhow = "window"\nwindow = "0 5 * * *"', at(4))
    host.pass_time(24.5 * HOUR_S)
    assert [round(s / HOUR_S, 3) for s, _ in host.given] == [1]
    host.step(2 * HOUR_S)  # the moment was stepped over: the plasma may be on by now
    host.pass_time(20 * HOUR_S)
    assert len(host.given) == 1


def test_a_small_step_over_the_moment_of_a_dark_loses_it_not() -> None:
    host = Host('[reference]\nhow = "window"\nwindow = "0 5 * * *"', at(4, 59))
    host.pass_time(50)
    host.step(15)
    assert [order for _, order in host.given] == [Kind.REFERENCE]


@settings(max_examples=120)
@given(
    plan=st.sampled_from([("0 * * * *", 60), ("0 * * * *", 10), ("*/15 * * * *", 15), ("0 6,18 * * *", 720)]),
    happenings=st.lists(
        st.tuples(st.sampled_from([-YEARS_S, -9 * HOUR_S, -HOUR_S, -90.0, 0.0, 90.0, HOUR_S, YEARS_S]),
                  st.floats(1.0, 3 * HOUR_S)),
        max_size=12,
    ),
)  # fmt: skip
def test_laws_of_planned_runs(plan: tuple[str, int], happenings: list[tuple[float, float]]) -> None:
    """Never longer than its window; and where windows follow each other without a gap, no step makes one."""
    expression, minutes = plan
    host = Host(f'[run]\nstart = "{expression}"\nduration = "{minutes} min"', at(6))
    passed_s = 0.0
    for step_s, seconds in happenings:
        if host.now().utc.year > 1990 or step_s > 0:  # no cron before 1970
            host.step(step_s)
        host.pass_time(seconds)
        passed_s += seconds
    assert all(0 < duration <= round(minutes / 60, 2) for _, duration in host.starts())
    if minutes in (60, 15, 720):
        assert host.measured_s >= passed_s - 0.1 * (1 + len(happenings))
    ends = [s for s, order in host.given if isinstance(order, Stop)]
    assert len(set(ends)) == len(ends)


def test_steps_are_told_once_and_slow_corrections_are_none() -> None:
    clock, steps = StepClock(tick_ns=0), Steps()
    found = []
    for step_s in (0.0, 0.1, 0.1, 3600.0, 0.0, -3600.0, -1.9):
        clock.step(step_s)
        clock.sleep(0.25)
        found.append(round(steps.look(Moment(clock.utc(), clock.boottime_ns())), 3))
    assert found == [0, 0, 0, 3600, 0, -3600, 0]
    clock.suspend(timedelta(hours=8).total_seconds())
    assert steps.look(Moment(clock.utc(), clock.boottime_ns())) == 0
