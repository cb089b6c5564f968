"""Series of a spectrometer in this process: pace, order, ends."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from tests.support.clocks import StepClock

from oesd_drivers import virtual
from oesd_drivers.errors import Refused, Reopen
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import Exposure, Series

MS = 1_000_000


def starts_ms(frames, series):
    return [(frame.started_monotonic_ns - series.first_due_ns) / MS for frame in frames]


def test_frames_begin_when_they_are_due(opened):
    _, spectrometer, _ = opened("USB4000")
    spectrometer.set_exposure(Exposure(5_000))
    series = Series(5, time.monotonic_ns() + 30 * MS, 40 * MS)
    frames = list(spectrometer.take(series))
    assert [frame.index for frame in frames] == list(range(5))
    assert all(0 <= start - 40 * i < 40 for i, start in enumerate(starts_ms(frames, series)))


def test_frames_whose_time_is_over_are_left_out(opened):
    """A first frame due 105 ms ago, exposures longer than a period: what comes is on time, its number tells which."""
    _, spectrometer, _ = opened("SR4")
    spectrometer.set_exposure(Exposure(50_000))
    series = Series(12, time.monotonic_ns() - 105 * MS, 20 * MS)
    frames = list(spectrometer.take(series))
    indices = [frame.index for frame in frames]
    assert 5 <= indices[0]
    assert 2 <= len(indices) <= 4
    assert all(later > earlier for earlier, later in itertools.pairwise(indices))
    assert indices[-1] < 12
    assert all(20 * i <= start < 20 * (i + 1) for i, start in zip(indices, starts_ms(frames, series), strict=True))


def test_a_series_that_is_over_before_it_begins_has_no_frames(rig, opened):
    serial, spectrometer, _ = opened("STS")
    spectrometer.set_exposure(Exposure(10_000))
    frames = rig.control.frames(serial)
    assert list(spectrometer.take(Series(3, 1, 1_000))) == []
    assert list(spectrometer.take(Series(0))) == []
    assert rig.control.frames(serial) == frames


@pytest.mark.parametrize("model", ["USB2000+", "QE-PRO"])
def test_without_a_period_frames_follow_each_other(opened, model):
    _, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(10_000))
    frames = list(spectrometer.take(Series(6)))
    gaps_ms = np.diff([frame.started_monotonic_ns for frame in frames]) / MS
    assert [frame.index for frame in frames] == list(range(6))
    assert np.median(gaps_ms) == pytest.approx(10, abs=3)


def test_a_series_that_is_called_off_ends_after_the_frame_at_hand(opened):
    _, spectrometer, _ = opened("USB2000+")
    spectrometer.set_exposure(Exposure(10_000))
    frames = []
    for frame in spectrometer.take(Series(100), lambda: len(frames) >= 3):
        frames.append(frame)
    assert len(frames) == 3
    began = time.monotonic()
    assert list(spectrometer.take(Series(2, time.monotonic_ns() + 60_000 * MS, 1), lambda: True)) == []
    assert time.monotonic() - began < 1


def test_a_series_goes_on_by_what_is_added_before_its_end(opened):
    _, spectrometer, _ = opened("USB2000+")
    spectrometer.set_exposure(Exposure(3_000))
    series, added = Series(3, time.monotonic_ns() + 30 * MS, 40 * MS), iter((2, 4, 0))
    frames = list(spectrometer.take(series, more=lambda: next(added)))
    assert next(added, "asked as often as there was something to add, and once more") == (
        "asked as often as there was something to add, and once more"
    )
    assert frames[-1].index == 8
    assert all(0 <= start - 40 * f.index < 40 for f, start in zip(frames, starts_ms(frames, series), strict=True))


def test_the_spread_is_that_of_the_scans(opened):
    _, spectrometer, _ = opened("USB2000+")
    spectrometer.set_exposure(Exposure(5_000, 30))
    (frame,) = spectrometer.take()
    assert frame.spread.shape == frame.counts_sum.shape
    assert 10 < np.median(frame.spread) < 60  # read noise of 18 and shot noise, in counts
    spectrometer.set_exposure(Exposure(5_000))
    (single,) = spectrometer.take()
    assert single.spread is None


def test_an_exposure_comes_first(opened):
    _, spectrometer, _ = opened("STS")
    began = time.monotonic()
    with pytest.raises(Refused, match="no exposure"):
        list(spectrometer.take(Series(1, time.monotonic_ns() + 5_000 * MS, 1)))
    assert time.monotonic() - began < 1
    spectrometer.close()
    with pytest.raises(Reopen, match="not open"):
        list(spectrometer.take())


def test_ten_minutes_of_a_simulation_take_seconds(rig):
    """The clocks are given: device, scene and driver live in the time of the test, which passes by being waited for."""
    clock = StepClock()
    light = virtual.Light(virtual.scene("halogen"), clock.seconds)
    rig.bus.plug(virtual.spectrometer("STS", "FAST-1", light, clock=clock.seconds, wait=clock.wait))
    spectrometer = OceanSpectrometer(rig.address("FAST-1"), "virtual", clock.of_driver())
    spectrometer.open()
    spectrometer.set_exposure(Exposure(100_000))
    began = time.monotonic()
    series = Series(600, clock.monotonic_ns() + 1_000 * MS, 1_000 * MS)
    late_ms = [start - 1_000 * i for i, start in enumerate(starts_ms(spectrometer.take(series), series))]
    assert len(late_ms) == 600
    assert 0 <= min(late_ms) <= max(late_ms) < 1
    assert time.monotonic() - began < 60
    spectrometer.close()
