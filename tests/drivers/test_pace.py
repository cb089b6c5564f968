from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers.pace import Clock, Grid, wait_until
from oesd_drivers.spectrometer import Series

MOMENTS = st.integers(0, 10**15)


class Hours:
    """A clock that goes on by being slept on, a little longer each time than was asked for."""

    def __init__(self, late_ns: int = 0) -> None:
        self.now_ns, self.late_ns, self.longest_ns, self.sleeps = 5_000_000_000, late_ns, 0, 0

    def clock(self) -> Clock:
        return Clock(lambda: self.now_ns, lambda: self.now_ns, self.sleep)

    def sleep(self, seconds: float) -> None:
        asked_ns = round(seconds * 1e9)
        self.sleeps += 1
        self.longest_ns = max(self.longest_ns, asked_ns)
        self.now_ns += asked_ns + self.late_ns


@given(MOMENTS, st.integers(1, 10**12), st.integers(0, 1000), MOMENTS)
def test_the_next_frame_is_never_one_whose_successor_is_due(first_ns, period_ns, index, now_ns):
    grid = Grid(first_ns, period_ns)
    chosen = grid.next_index(index, now_ns)
    assert chosen >= index
    assert now_ns < grid.due_ns(chosen + 1)
    assert chosen == index or grid.due_ns(chosen) <= now_ns


@given(MOMENTS, st.integers(0, 1000), MOMENTS)
def test_without_a_period_nothing_is_left_out_and_all_is_due_at_once(first_ns, index, now_ns):
    grid = Grid.of(Series(count=5, first_due_ns=first_ns), now_ns)
    assert grid.next_index(index, now_ns) == index
    assert grid.due_ns(index) == (first_ns or now_ns)


def test_a_grid_without_a_beginning_begins_now():
    assert Grid.of(Series(3, 0, 1_000), 77).due_ns(2) == 2_077


@given(st.integers(-(10**9), 10**11), st.integers(0, 60_000))
def test_waiting_ends_when_it_is_due_and_hears_every_slice(ahead_ns, late_ns):
    hours = Hours(late_ns)
    due_ns = hours.now_ns + ahead_ns
    assert wait_until(due_ns, hours.clock(), lambda: False)
    assert hours.longest_ns <= 50_000_000
    if ahead_ns > 0:
        assert 0 <= hours.now_ns - due_ns <= 20_000 + late_ns
        assert hours.sleeps < 50 + ahead_ns / 40_000_000
    else:
        assert hours.sleeps == 0


@pytest.mark.parametrize("ahead_ns", [0, 10_000_000_000])
def test_waiting_that_is_called_off_ends_within_a_slice(ahead_ns):
    hours = Hours()
    begin_ns = hours.now_ns
    assert not wait_until(begin_ns + ahead_ns, hours.clock(), lambda: hours.sleeps >= 3 or not ahead_ns)
    assert hours.now_ns - begin_ns <= 150_000_000
