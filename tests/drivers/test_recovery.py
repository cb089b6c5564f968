"""Recovery step by step: the living worker first, then a fresh one; nothing late is ever taken for an answer."""

from __future__ import annotations

import os
import signal
import time

import pytest

from oesd_drivers.errors import Gone, Lost, Reopen
from oesd_drivers.spectrometer import Exposure, Series
from oesd_drivers.virtual.made import fingerprint

from .conftest import one


def measuring(isolated, serial, **options):
    spectrometer = isolated(serial, **options)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    one(spectrometer)
    return spectrometer


def fails(spectrometer, host, serial, fault="stall", value=0.0):
    host.control.fault(serial, fault, value)
    with pytest.raises(Reopen) as told:
        one(spectrometer)
    assert type(told.value) is Reopen


def recovers(spectrometer):
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    return one(spectrometer)


@pytest.mark.parametrize("fault", ["stall", "overflow", "bad-sync", "short"])
def test_the_living_worker_opens_the_device_again(isolated, host, fault):
    spectrometer = measuring(isolated, "OOI-1")
    pid = spectrometer.pid
    for _ in range(2):  # a good frame lies between
        fails(spectrometer, host, "OOI-1", fault, 1000)
        began = time.monotonic()
        recovers(spectrometer)
        assert time.monotonic() - began < 2.0
        assert spectrometer.pid == pid


def test_a_second_failure_before_a_good_frame_takes_a_fresh_worker(isolated, host):
    spectrometer = measuring(isolated, "OBP-1")
    first = spectrometer.pid
    fails(spectrometer, host, "OBP-1")
    spectrometer.open()
    assert spectrometer.pid == first
    host.control.fault("OBP-1", "stall")
    with pytest.raises(Reopen):
        spectrometer.set_exposure(Exposure(10_000))
    recovers(spectrometer)
    second = spectrometer.pid
    assert second != first
    fails(spectrometer, host, "OBP-1")
    recovers(spectrometer)
    assert spectrometer.pid == second


def test_an_opening_that_fails_in_the_living_worker_goes_on_in_a_fresh_one(isolated, host):
    """One call of open(): the worker hangs in it, is killed, and the next one opens the device."""
    spectrometer = measuring(isolated, "OBP-3", open_deadline_s=1.5)
    first = spectrometer.pid
    fails(spectrometer, host, "OBP-3")
    host.control.fault("OBP-3", "wedge")
    recovers(spectrometer)
    assert spectrometer.pid != first


def test_a_lost_worker_is_replaced(isolated):
    spectrometer = measuring(isolated, "OOI-2")
    first = spectrometer.pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(Lost):
        one(spectrometer)
    recovers(spectrometer)
    assert spectrometer.pid != first


def test_an_unplugged_device_ends_its_worker(isolated, host):
    spectrometer = measuring(isolated, "OOI-2")
    host.control.unplug("OOI-2")
    with pytest.raises(Gone):
        one(spectrometer)
    with pytest.raises(Gone):
        spectrometer.open()
    assert spectrometer.pid is None
    host.control.plug("OOI-2")


@pytest.mark.parametrize("serial", ["OOI-1", "OOI-3", "OBP-1", "OBP-2", "OBP-3"])
def test_after_a_late_answer_no_frame_is_one_old(isolated, host, serial):
    """The frame that comes after its time-out stays in the device's queue: what follows must not be read one behind."""
    spectrometer = measuring(isolated, serial)
    fails(spectrometer, host, serial, "late", 1.2)
    recovers(spectrometer)
    time.sleep(0.3)
    frames = list(spectrometer.take(Series(10)))
    made = {frame.fingerprint: frame for frame in host.control.frames_made(serial)}
    for frame in frames:
        assert made[fingerprint(frame.counts_sum)].asked_ns >= frame.started_monotonic_ns
