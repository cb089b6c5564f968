"""Triggers from outside: frames that wait, time-outs, and that no frame of an older request is ever given out."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import contextmanager

import pytest

from oesd_drivers.errors import Refused, Reopen, Retry
from oesd_drivers.spectrometer import Exposure, Series, Trigger
from oesd_drivers.virtual.made import fingerprint

from .conftest import one

#: Models of each protocol, an edge trigger of theirs and its code.
EDGES = [("USB2000+", Trigger.EDGE, 3), ("USB4000", Trigger.EDGE, 3), ("STS", Trigger.EXTERNAL, 1),
         ("QE-PRO", Trigger.EDGE, 3), ("ST", Trigger.EDGE, 3)]  # fmt: skip
EACH = pytest.mark.parametrize(("model", "trigger", "code"), EDGES, ids=[edge[0] for edge in EDGES])
SHORT = Series(trigger_wait_s=0.15)


def waits(rig, serial):
    return bool(rig.bus.device(serial).instrument.triggers._asked_s)


@contextmanager
def edges(rig, serial, most=1_000):
    """Give an edge from another thread each time a request waits for one; the moments, ns."""
    moments, stop = [], threading.Event()

    def fire():
        while not stop.wait(0.002):
            if waits(rig, serial) and len(moments) < most:
                moments.append(time.monotonic_ns())
                rig.control.trigger(serial)

    thread = threading.Thread(target=fire)
    thread.start()
    try:
        yield moments
    finally:
        stop.set()
        thread.join()


@EACH
def test_a_frame_begins_with_its_trigger(rig, opened, model, trigger, code):
    serial, spectrometer, told = opened(model)
    assert trigger in told.triggers
    exposure = Exposure(200_000, trigger=trigger)
    spectrometer.set_exposure(exposure)
    assert rig.bus.device(serial).instrument.triggers.mode == code
    with edges(rig, serial):
        frames = list(spectrometer.take(Series(2)))
    made = rig.control.frames_made(serial)[-2:]
    for frame, truth in zip(frames, made, strict=True):
        assert frame.exposure == exposure
        assert abs(frame.started_monotonic_ns - truth.began_ns) < 100_000_000
    assert [fingerprint(frame.counts_sum) for frame in frames] == [frame.fingerprint for frame in made]


def test_what_a_model_cannot_do_is_refused_with_what_it_can(opened):
    _, spectrometer, told = opened("SR4")
    assert told.triggers == (Trigger.FREE,)
    with pytest.raises(Refused, match=r"the SR4 has no trigger edge: choose free-running$"):
        spectrometer.set_exposure(Exposure(10_000, trigger=Trigger.EDGE))
    _, spectrometer, _ = opened("STS")
    with pytest.raises(Refused, match=r"choose free-running, external, internal$"):
        spectrometer.set_exposure(Exposure(10_000, trigger=Trigger.LEVEL))


@EACH
@pytest.mark.parametrize("how", ["time-out", "called off"])
@pytest.mark.parametrize("late", [True, False])
def test_a_trigger_that_comes_too_late_begins_no_frame_that_is_given_out(rig, opened, model, trigger, code, how, late):
    serial, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(20_000, trigger=trigger))
    if how == "time-out":
        with pytest.raises(Retry, match=r"no trigger within 0\.15 s"):
            list(spectrometer.take(SHORT))
    else:
        assert list(spectrometer.take(Series(), lambda: waits(rig, serial))) == []
    assert waits(rig, serial)
    if late:
        rig.control.trigger(serial)
    began_ns = time.monotonic_ns()
    with edges(rig, serial):  # without the late one, the first may still find the old request
        frames = list(spectrometer.take(Series(1)))
    made = {frame.fingerprint: frame for frame in rig.control.frames_made(serial)}
    assert made[fingerprint(frames[0].counts_sum)].asked_ns >= began_ns
    assert frames[0].exposure == Exposure(20_000, trigger=trigger)
    assert rig.bus.device(serial).instrument.triggers.mode == code


@pytest.mark.parametrize("model", ["USB2000+", "STS"])
def test_free_running_after_a_trigger_that_never_came(rig, opened, model):
    serial, spectrometer, told = opened(model)
    spectrometer.set_exposure(Exposure(20_000, trigger=told.triggers[-1] if model == "USB2000+" else Trigger.EXTERNAL))
    with pytest.raises(Retry):
        list(spectrometer.take(SHORT))
    spectrometer.set_exposure(Exposure(10_000))
    rig.control.trigger(serial)
    frames = list(spectrometer.take(Series(3)))
    made = [frame.fingerprint for frame in rig.control.frames_made(serial)]
    assert [fingerprint(frame.counts_sum) for frame in frames] == made[-3:]


def test_what_was_set_stands_after_a_request_was_undone(rig, opened):
    serial, spectrometer, _ = opened("QE-PRO")
    spectrometer.set_cooling(-5.0)
    spectrometer.set_lamp(True)
    spectrometer.set_exposure(Exposure(20_000, trigger=Trigger.EDGE))
    with pytest.raises(Retry):
        list(spectrometer.take(SHORT))
    instrument = rig.bus.device(serial).instrument
    rig.control.lamp(serial, False)
    instrument.cooler_on = False
    spectrometer.set_lamp(True)
    assert (instrument.cooler_on, instrument.setpoint_c) == (True, pytest.approx(-5.0))
    assert rig.control.lamp_line(serial)


def test_calling_off_is_heard_within_a_tenth_of_a_second(opened):
    _, spectrometer, _ = opened("STS")
    spectrometer.set_exposure(Exposure(10_000, trigger=Trigger.EXTERNAL))
    asked = []
    began = time.monotonic()
    assert list(spectrometer.take(Series(1), lambda: asked.append(time.monotonic()) or len(asked) > 4)) == []
    assert time.monotonic() - began < 1.0
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert sorted(gaps)[len(gaps) // 2] < 0.08


def test_each_scan_waits_for_its_own_trigger_and_half_a_frame_is_none(rig, opened):
    serial, spectrometer, _ = opened("USB2000+")
    spectrometer.set_exposure(Exposure(10_000, scans=3, trigger=Trigger.EDGE))
    with edges(rig, serial) as moments:
        frame = one(spectrometer)
    assert len(moments) == 3
    assert abs(frame.started_monotonic_ns - moments[0]) < 100_000_000
    assert frame.spread is not None
    with edges(rig, serial, most=2) as moments:
        assert list(spectrometer.take(Series(1), lambda: len(moments) == 2 and waits(rig, serial))) == []


def test_a_frame_that_comes_sooner_than_it_can_is_not_believed(rig, opened):
    """Firmware that keeps a request through everything: the frame its trigger began arrives for the next one."""
    serial, spectrometer, _ = opened("USB2000+")
    spectrometer.set_exposure(Exposure(200_000, trigger=Trigger.EDGE))
    assert rig.bus.device(serial).instrument.triggers.holds(time.monotonic())
    rig.control.trigger(serial)
    time.sleep(0.1)
    with pytest.raises(Reopen, match="older request"):
        list(spectrometer.take(Series(1)))


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "STS", "QE-PRO", "HDX", "ST"])
def test_an_opened_device_is_free_running_whatever_it_was_left_in(rig, opened, model):
    serial, spectrometer, told = opened(model)
    triggers = rig.bus.device(serial).instrument.triggers
    for trigger in told.triggers:
        spectrometer.set_exposure(Exposure(20_000, trigger=trigger))
        code = triggers.mode
        assert (code == 0) == (trigger is Trigger.FREE)
        spectrometer.close()
        triggers.set_mode(code)
        spectrometer.open()
        assert triggers.mode == 0
        spectrometer.set_exposure(Exposure(20_000))
        assert one(spectrometer).counts_sum.any()


def test_software_triggers_need_nobody(opened):
    _, spectrometer, _ = opened("USB4000")
    spectrometer.set_exposure(Exposure(10_000, trigger=Trigger.SOFTWARE))
    assert one(spectrometer).exposure.trigger is Trigger.SOFTWARE
