"""The free-running integrator."""

from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

from oesd_drivers.virtual.clock import FrameClock

moments = st.floats(0, 100, allow_nan=False)
times_s = st.floats(0.001, 5, allow_nan=False)


@given(times_s, moments)
def test_a_request_gets_the_frame_that_runs(integration_s, now_s):
    ready_s, got_s = FrameClock(integration_s, 0.0).request(now_s)
    assert got_s == integration_s
    assert now_s - 1e-9 <= ready_s <= now_s + integration_s + 1e-9
    assert ready_s / integration_s == approx(round(ready_s / integration_s), abs=1e-6)


@given(times_s, times_s, moments)
def test_the_frame_after_a_change_is_old_the_next_new(old_s, new_s, now_s):
    clock = FrameClock(old_s, 0.0)
    clock.set(new_s, now_s)
    ready_s, got_s = clock.request(now_s)
    assert got_s == old_s
    ready_again_s, got_again_s = clock.request(ready_s + 1e-9)
    assert got_again_s == new_s
    assert ready_again_s == approx(ready_s + new_s, abs=1e-6)


def test_a_detector_that_restarts_gives_the_new_time_at_once():
    clock = FrameClock(1.0, 0.0, restarts=True)
    clock.set(0.25, 0.5)
    assert clock.request(0.6) == (0.75, 0.25)
