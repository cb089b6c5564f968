"""The host's clocks: what is noticed of sleep and stops, and that a step of the date is none of either."""

import threading
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clocks import NothingWillHappen, StepClock

from oesd.acquisition.clock import HostClock
from oesd.acquisition.host_time import HostWatch
from oesd.acquisition.pacing import Grid

HOUR_S = 3600.0


def watch(clock: StepClock) -> HostWatch:
    return HostWatch(clock.monotonic_ns, clock.boottime_ns)


def test_nothing_happened() -> None:
    clock = StepClock()
    watched = watch(clock)
    for _ in range(3):
        clock.sleep(0.5)
        assert watched.look(0.5) is None
    clock.sleep(60)
    assert watched.look() is None  # after work there is no limit


@pytest.mark.parametrize("step_s", [-315_360_000.0, -HOUR_S, HOUR_S, 315_360_000.0])
def test_a_step_of_the_date_is_neither_sleep_nor_stop(step_s: float) -> None:
    clock = StepClock()
    watched = watch(clock)
    before = clock.utc()
    clock.step(step_s)
    assert abs((clock.utc() - before).total_seconds() - step_s) < 1
    assert watched.look(0.1) is None


def test_a_sleep_is_told_once_and_makes_its_slots_come_due() -> None:
    clock = StepClock()
    watched, grid = watch(clock), Grid(clock.monotonic_ns(), 1_000_000_000)
    clock.sleep(10.5)
    clock.suspend(8 * HOUR_S)
    assert grid.slot_at(clock.monotonic_ns()) == 10  # the monotonic clock knows nothing of it
    gap = watched.look(0.5)
    assert gap is not None
    assert (gap.reason, gap.detail) == ("host asleep", "the host slept for 28800.0 s")
    moved = replace(grid, t0_ns=grid.t0_ns - gap.slept_ns)
    assert moved.slot_at(clock.monotonic_ns()) == 10 + 28_800
    assert moved.due_ns(28_811) - clock.monotonic_ns() == pytest.approx(0.5e9, abs=1e6)
    assert watched.look(0.5) is None


def test_a_stopped_daemon_is_told_from_work_that_takes_its_time() -> None:
    clock = StepClock()
    watched = watch(clock)
    clock.stall(90.0)
    gap = watched.look(0.5)
    assert gap is not None
    assert (gap.reason, gap.slept_ns) == ("daemon stopped", 0)
    assert gap.detail == "the daemon was stopped, or not run by the host, for 89.5 s"
    assert watched.look(0.5) is None


@given(st.lists(st.tuples(st.sampled_from(["sleep", "suspend", "step", "stall"]), st.floats(0.0, 1e5)), max_size=30))
def test_all_sleep_is_told_but_for_moments(happenings: list[tuple[str, float]]) -> None:
    """What the gaps say was slept is what the two clocks differ by, whatever happens between the looks."""
    clock = StepClock()
    watched, told_ns = watch(clock), 0
    ahead_ns = clock.boottime_ns() - clock.monotonic_ns()
    for what, seconds in happenings:
        getattr(clock, what)(seconds)
        gap = watched.look(0.0)
        told_ns += gap.slept_ns if gap else 0
        untold_ns = clock.boottime_ns() - clock.monotonic_ns() - ahead_ns - told_ns
        assert abs(untold_ns) <= 100_000_000


def test_the_clocks_of_this_host() -> None:
    watched, changed = HostWatch(), threading.Condition()
    with changed:
        HostClock().wait(changed, 0.01)
    assert watched.look(0.01) is None
    assert abs(HostClock().utc().timestamp() - time.time()) < 5


def test_a_wait_for_ever_happens_what_is_planned_or_fails() -> None:
    clock, happened, changed = StepClock(), [], threading.Condition()
    clock.at(clock.monotonic_ns() + 5_000_000_000, lambda: happened.append("first"))
    with changed:
        clock.wait(changed, 1.0)
        assert not happened
        clock.wait(changed, None)
        assert happened == ["first"]
        with pytest.raises(NothingWillHappen):
            clock.wait(changed, None)
