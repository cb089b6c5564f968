"""Series over a worker: what comes, when, and what is left when nobody listens any more."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest

from oesd_drivers.errors import Lost, Refused, Reopen, Retry
from oesd_drivers.spectrometer import Exposure, Series, Trigger
from oesd_drivers.virtual.made import fingerprint

from .conftest import one

MS = 1_000_000


def opened(isolated, serial, exposure, **options):
    spectrometer = isolated(serial, **options)
    spectrometer.open()
    spectrometer.set_exposure(exposure)
    return spectrometer


def check(host, serial, frames):
    """Each frame is one that the device made, once, and after it was asked for."""
    made = {frame.fingerprint: frame for frame in host.control.frames_made(serial)}
    truths = [made[fingerprint(frame.counts_sum)] for frame in frames]
    assert [truth.index for truth in truths] == sorted({truth.index for truth in truths})
    for frame, truth in zip(frames, truths, strict=True):
        assert truth.asked_ns >= frame.started_monotonic_ns


def test_the_worker_keeps_the_time(isolated, host):
    spectrometer = opened(isolated, "OOI-1", Exposure(5_000))
    series = Series(10, time.monotonic_ns() + 50 * MS, 20 * MS)
    frames = list(spectrometer.take(series))
    assert frames[-1].index <= 9
    for frame in frames:
        late_ns = frame.started_monotonic_ns - series.first_due_ns - frame.index * series.period_ns
        assert 0 <= late_ns < 20 * MS
    check(host, "OOI-1", frames)


@pytest.mark.parametrize(("serial", "integration_us"), [("OOI-1", 1_000), ("OBP-3", 4_000), ("OBP-2", 30_000)])
def test_frames_without_a_pause_come_all_and_in_order(isolated, host, serial, integration_us):
    spectrometer = opened(isolated, serial, Exposure(integration_us))
    frames = list(spectrometer.take(Series(60)))
    assert [frame.index for frame in frames] == list(range(60))
    check(host, serial, frames)
    assert all(frame.counts_sum.base is None or frame.counts_sum.base.size < 8192 for frame in frames)


def test_a_series_goes_on_in_the_worker_while_its_parent_is_away(isolated, host):
    """What is added reaches it by the half: the parent may be kept from its turn for the other one."""
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000))
    series, frames, asked_after = Series(20, time.monotonic_ns() + 20 * MS, 40 * MS), [], []

    def more():
        asked_after.append(frames[-1].index if frames else -1)
        return 20 if len(asked_after) == 1 else 0

    woke_ns = 0
    for frame in spectrometer.take(series, more=more):
        frames.append(frame)
        if not woke_ns and frame.index >= 15:
            time.sleep(0.5)  # over the end of what was asked for at first
            woke_ns = time.monotonic_ns()
    assert asked_after[0] < 20
    assert len(asked_after) > 1  # and asked again by the half of what was added
    assert any(frame.index >= 20 and frame.started_monotonic_ns < woke_ns for frame in frames)
    assert frames[-1].index <= 39
    check(host, "OOI-1", frames)
    assert [frame.index for frame in spectrometer.take(Series(3))] == [0, 1, 2]


@pytest.mark.parametrize("late", ["more", "cancel"])
def test_what_comes_after_the_end_of_a_series_concerns_no_other(isolated, host, late):
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000))
    assert len(list(spectrometer.take(Series(2)))) == 2
    spectrometer._child.say({"call": late, "number": 1, "count": 50}, 1.0)
    assert [frame.index for frame in spectrometer.take(Series(3))] == [0, 1, 2]


def test_a_series_that_was_added_to_is_called_off_all_the_same(isolated, host):
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000))
    frames = []
    for frame in spectrometer.take(Series(20, 0, 10 * MS), lambda: len(frames) >= 30, lambda: 1_000):
        frames.append(frame)
    assert 30 <= len(frames) < 200
    spectrometer.set_exposure(Exposure(2_000))
    assert [frame.exposure.integration_us for frame in spectrometer.take(Series(2))] == [2_000, 2_000]


def test_scans_bring_their_spread(isolated):
    spectrometer = opened(isolated, "OOI-3", Exposure(3_800, 5))
    for frame in spectrometer.take(Series(4)):
        assert frame.spread.dtype == np.float32
        assert 0 < np.median(frame.spread) < 200


def test_a_series_is_called_off_while_it_waits_for_its_time(isolated):
    spectrometer = opened(isolated, "OBP-1", Exposure(10_000))
    began = time.monotonic()
    series = Series(5, time.monotonic_ns() + 60_000 * MS, 60_000 * MS)
    assert list(spectrometer.take(series, lambda: time.monotonic() > began + 0.2)) == []
    assert time.monotonic() - began < 1.0
    assert one(spectrometer).index == 0


def test_a_fast_series_is_called_off_between_its_frames(isolated, host):
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000))
    frames = []
    for frame in spectrometer.take(Series(100_000), lambda: len(frames) > 100):
        frames.append(frame)
    assert 100 < len(frames) < 1_000
    check(host, "OOI-1", frames)


def test_triggers_are_waited_for_and_called_off(isolated, host):
    spectrometer = opened(isolated, "OBP-1", Exposure(20_000, trigger=Trigger.EXTERNAL))
    timer = threading.Timer(0.2, host.control.trigger, ("OBP-1",))
    timer.start()
    frame = one(spectrometer)
    timer.join()
    assert frame.exposure.trigger is Trigger.EXTERNAL
    pid = spectrometer.pid
    with pytest.raises(Retry, match=r"no trigger within 0\.1 s"):
        list(spectrometer.take(Series(trigger_wait_s=0.1)))
    began = time.monotonic()
    assert list(spectrometer.take(Series(), lambda: time.monotonic() > began + 0.3)) == []
    assert time.monotonic() - began < 2.0
    host.control.trigger("OBP-1")
    began_ns = time.monotonic_ns()
    timer = threading.Timer(0.5, host.control.trigger, ("OBP-1",))
    timer.start()
    frame = one(spectrometer)
    timer.join()
    made = {frame.fingerprint: frame for frame in host.control.frames_made("OBP-1")}
    assert made[fingerprint(frame.counts_sum)].asked_ns > began_ns
    assert spectrometer.pid == pid


def test_a_series_that_is_closed_early_leaves_nothing_behind(isolated, host):
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000))
    pid = spectrometer.pid
    for _ in range(3):
        series = spectrometer.take(Series(10_000))
        next(series)
        series.close()
        began_ns = time.monotonic_ns()
        frames = list(spectrometer.take(Series(30)))
        assert [frame.index for frame in frames] == list(range(30))
        assert frames[0].started_monotonic_ns > began_ns
    check(host, "OOI-1", frames)
    assert spectrometer.pid == pid


@pytest.mark.parametrize("then", ["take", "set_exposure", "open"])
def test_a_series_that_nobody_runs_on_ends_with_the_next_call(isolated, host, then):
    spectrometer = opened(isolated, "OOI-1", Exposure(2_000))
    left = spectrometer.take(Series(10_000))
    assert next(left).index == 0
    began_ns = time.monotonic_ns()
    if then == "open":
        spectrometer.open()
    if then != "take":
        spectrometer.set_exposure(Exposure(3_000))
    frames = list(spectrometer.take(Series(20)))
    assert frames[0].started_monotonic_ns > began_ns
    assert len({frame.exposure for frame in frames}) == 1
    check(host, "OOI-1", frames)
    assert len(list(left)) < 20  # what had come with its first frame
    assert one(spectrometer).counts_sum.any()


def test_a_consumer_that_pauses_loses_time_and_nothing_else(isolated, host):
    spectrometer = opened(isolated, "OOI-1", Exposure(1_000), margin_s=1.1)
    frames = []
    for frame in spectrometer.take(Series(600)):
        frames.append(frame)
        if len(frames) in (5, 300):
            time.sleep(1.3)
    assert [frame.index for frame in frames] == list(range(600))
    check(host, "OOI-1", frames)


def test_a_worker_that_stops_in_a_series_is_killed_in_time(isolated):
    spectrometer = opened(isolated, "OBP-3", Exposure(10_000), margin_s=0.8)
    frames, pid = [], spectrometer.pid
    began = time.monotonic()
    with pytest.raises(Lost, match="'take' within"):
        for frame in spectrometer.take(Series(1_000, time.monotonic_ns(), 50 * MS)):
            frames.append(frame)
            if len(frames) == 3:
                os.kill(pid, signal.SIGSTOP)
                began = time.monotonic()
    assert 0.7 < time.monotonic() - began < 4
    assert len(frames) == 3
    assert spectrometer.pid is None


def test_a_long_period_is_no_reason_to_kill(isolated):
    spectrometer = opened(isolated, "OBP-3", Exposure(10_000), margin_s=0.6)
    pid = spectrometer.pid
    frames = list(spectrometer.take(Series(3, time.monotonic_ns() + 700 * MS, 700 * MS)))
    assert len(frames) == 3
    assert spectrometer.pid == pid


def test_an_error_in_a_series_comes_after_the_frames_before_it(isolated, host):
    spectrometer = opened(isolated, "OOI-2", Exposure(1_000))
    frames = []
    with pytest.raises(Reopen, match="stalled"):
        for frame in spectrometer.take(Series(100_000)):
            frames.append(frame)
            if len(frames) == 200:
                host.control.fault("OOI-2", "stall")
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert len(frames) >= 200


def test_a_lamp_line_and_its_refusal_cross(isolated, host):
    lit, without = isolated("OOI-1"), isolated("OBP-3")
    lit.open()
    without.open()
    lit.set_lamp(True)
    assert host.control.lamp_line("OOI-1")
    lit.set_lamp(False)
    assert not host.control.lamp_line("OOI-1")
    with pytest.raises(Refused, match="lamp line"):
        without.set_lamp(True)


def test_what_a_series_cannot_be_is_refused_and_the_worker_stays(isolated):
    spectrometer = isolated("OBP-3")
    spectrometer.open()
    with pytest.raises(Refused, match="no exposure"):
        one(spectrometer)
    spectrometer.set_exposure(Exposure(10_000))
    pid = spectrometer.pid
    assert list(spectrometer.take(Series(0))) == []
    assert one(spectrometer).index == 0
    assert spectrometer.pid == pid
