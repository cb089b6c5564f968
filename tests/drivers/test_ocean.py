from __future__ import annotations

import gc
import struct
import time

import pytest

from oesd_drivers.errors import GiveUp, Gone, Refused, Reopen
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import Address, Exposure
from oesd_drivers.stack import MOST_SCANS

from .conftest import one

EACH_PROTOCOL = pytest.mark.parametrize("model", ["USB4000", "QE-PRO", "SR4"])


@EACH_PROTOCOL
def test_the_first_frame_after_a_change_has_the_new_exposure(opened, model):
    _, spectrometer, _ = opened(model)
    level = {}
    for integration_us in (90_000, 10_000):
        spectrometer.set_exposure(Exposure(integration_us))
        first, second = (one(spectrometer).counts_sum.astype(float) for _ in range(2))
        assert abs(first.mean() - second.mean()) < 0.02 * second.mean()
        level[integration_us] = second.mean()
    assert level[90_000] > 1.3 * level[10_000]


def test_saturation_is_judged_before_summing(rig, opened):
    """One bright scan among dark ones: the mean is far below saturation, the pixels are marked all the same."""
    _, spectrometer, told = opened("USB2000+")
    spectrometer.set_exposure(Exposure(50_000, 4))
    rig.bus.sent.clear()
    rig.bus.on_write = lambda: rig.control.light(160.0 if rig.bus.sent.count(b"\x09") == 2 else 0.0)
    frame = one(spectrometer)
    hidden = frame.saturated & (frame.counts_sum < 4 * told.saturation_counts)
    assert hidden.sum() > 100


def test_host_clocks_are_read_when_the_first_scan_is_asked_for(opened):
    _, spectrometer, _ = opened("SR4")
    spectrometer.set_exposure(Exposure(50_000, 2))
    before_ns = time.monotonic_ns()
    frame = one(spectrometer)
    assert before_ns <= frame.started_monotonic_ns < before_ns + 40_000_000
    assert frame.exposure == Exposure(50_000, 2)
    assert abs(frame.started_unix_ns - time.time_ns()) < 5_000_000_000


def test_temperatures_come_from_where_they_can_be_had(rig, opened):
    seen = {}
    for model in ("USB2000+", "QE-PRO", "SR4"):
        serial, spectrometer, _ = opened(model)
        rig.control.temperature(serial, 31.5)
        spectrometer.set_exposure(Exposure(10_000))
        frame = one(spectrometer)
        seen[model] = frame.detector_temperature_c, frame.board_temperature_c
    assert seen["USB2000+"] == (None, pytest.approx(31.5, abs=0.01))
    assert seen["QE-PRO"][0] is not None
    assert seen["SR4"] == (None, None)


def test_a_reopened_device_tells_its_temperature_of_now(rig, opened):
    serial, spectrometer, _ = opened("USB2000+")
    for board_c in (20.0, 40.0):
        rig.control.temperature(serial, board_c)
        spectrometer.open()
        spectrometer.set_exposure(Exposure(10_000))
        assert one(spectrometer).board_temperature_c == pytest.approx(board_c, abs=0.01)


def test_a_device_without_board_temperature_is_asked_once(rig, opened):
    serial, spectrometer, _ = opened("USB4000")
    spectrometer.set_exposure(Exposure(10_000))
    rig.control.fault(serial, "short-answer", 1)
    assert one(spectrometer).board_temperature_c is None
    assert one(spectrometer).board_temperature_c is None
    assert rig.bus.sent.count(b"\x6c") == 1


@EACH_PROTOCOL
def test_nothing_is_read_before_the_exposure_is_set(opened, model):
    _, spectrometer, _ = opened(model)
    with pytest.raises(Refused, match="no exposure"):
        one(spectrometer)
    spectrometer.set_exposure(Exposure(10_000))
    spectrometer.open()
    with pytest.raises(Refused, match="no exposure"):
        one(spectrometer)


@EACH_PROTOCOL
def test_the_limits_told_are_taken_and_one_more_is_not(opened, model):
    _, spectrometer, told = opened(model)
    spectrometer.set_exposure(Exposure(told.integration_min_us))
    for integration_us in (told.integration_min_us - 1, told.integration_max_us + 1, 0, -5):
        with pytest.raises(Refused, match="out of range"):
            spectrometer.set_exposure(Exposure(integration_us))
    for scans in (0, -1, MOST_SCANS + 1):
        with pytest.raises(Refused, match="scans"):
            spectrometer.set_exposure(Exposure(10_000, scans))
    assert one(spectrometer).exposure.integration_us == told.integration_min_us


def test_the_longest_exposure_is_taken_by_the_library(rig):
    """Its own maximum is rejected by pyseabreeze; one less must not be."""
    serial = rig.add("USB4000")
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    told = spectrometer.open()
    spectrometer.set_exposure(Exposure(told.integration_min_us))
    rig.control.fault(serial, "stall")
    with pytest.raises(Reopen, match="stalled"):
        spectrometer.set_exposure(Exposure(told.integration_max_us))
    assert b"\x02" + struct.pack("<I", told.integration_max_us) in rig.bus.sent


def test_opening_one_device_leaves_the_others_alone(rig, opened):
    busy, measuring, _ = opened("USB2000+")
    measuring.set_exposure(Exposure(10_000))
    resets = rig.control.resets(busy)
    for model in ("STS", "SR4"):
        opened(model)
    assert rig.control.resets(busy) == resets
    assert one(measuring).counts_sum.any()


@EACH_PROTOCOL
def test_a_closed_device_is_reset_once_and_never_by_the_garbage_collector(rig, model):
    serial = rig.add(model)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    spectrometer.open()
    resets = rig.control.resets(serial)
    spectrometer.close()
    assert rig.control.resets(serial) == resets + 1
    del spectrometer
    gc.collect()
    assert rig.control.resets(serial) == resets + 1


def test_closing_is_harmless_at_any_time(rig, opened):
    serial, spectrometer, _ = opened("SR4")
    rig.control.unplug(serial)
    spectrometer.close()
    spectrometer.close()
    nowhere = OceanSpectrometer(Address(250, 99, 0x2457, 0x4000), "virtual")
    nowhere.close()
    with pytest.raises(Gone, match="STS at 250:099"):
        nowhere.open()
    with pytest.raises(Gone, match="USB2000"):
        OceanSpectrometer(Address(1, 1, 0x2457, 0x1002), "libusb").open()
    with pytest.raises(GiveUp, match="backend"):
        OceanSpectrometer(Address(1, 1, 0x2457, 0x4000), "nonsense").open()
