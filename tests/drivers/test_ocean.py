from __future__ import annotations

import gc
import struct
import time

import numpy as np
import pytest

from oesd_drivers.errors import GiveUp, Gone, Refused, Reopen
from oesd_drivers.ocean import MOST_SCANS, OceanSpectrometer
from oesd_drivers.spectrometer import Address, Exposure
from oesd_drivers.virtual.models import MODELS as VIRTUAL

from .conftest import MODELS

EVERY = pytest.mark.parametrize("model", list(MODELS))
EACH_PROTOCOL = pytest.mark.parametrize("model", ["USB4000", "QE-PRO", "SR4"])


def scans_on_the_wire(rig, model):
    """Counts of every spectrum that went over the bus, taken apart here by the data sheets."""
    wire, pixels = VIRTUAL[model].wire, VIRTUAL[model].detector.pixels
    if wire.protocol == "ooi":
        halves = [data for endpoint, data in rig.bus.received if endpoint in (0x86, 0x82)]
        per_scan = len(wire.spectrum_parts)
        whole = [b"".join(halves[i : i + per_scan])[:-1] for i in range(0, len(halves), per_scan)]
    else:
        size = pixels * wire.count_bytes
        whole = [data[-20 - size : -20] for _, data in rig.bus.received if len(data) >= size]
    return [np.frombuffer(data, dtype=f"<u{wire.count_bytes}") for data in whole]


@EVERY
def test_every_family_describes_itself(opened, model):
    serial, _, told = opened(model)
    detector = VIRTUAL[model].detector
    assert (told.serial, told.simulated, told.calibrated) == (serial, True, True)
    assert told.model == ("Flame-S" if model == "FLAME-S" else model)
    assert len(told.wavelengths_nm) == detector.pixels
    assert told.wavelengths_nm[0] == pytest.approx(VIRTUAL[model].bench.wavelengths[0], abs=2)
    assert told.electric_dark_pixels == detector.dark_pixels
    assert told.nonlinearity == pytest.approx(detector.nonlinearity, rel=1e-6)
    assert 0 < told.integration_min_us < told.integration_max_us


@pytest.mark.parametrize("model", ["USB2000+", "FLAME-S", "USB4000", "STS", "QE-PRO", "SR4"])
def test_saturation_is_the_adcs_own(opened, model):
    _, _, told = opened(model)
    assert told.saturation_counts == VIRTUAL[model].detector.saturation_counts


@EVERY
def test_stored_counts_are_what_the_device_sent(rig, opened, model):
    _, spectrometer, told = opened(model)
    spectrometer.set_exposure(Exposure(10_000, 3))
    rig.bus.received.clear()
    frame = spectrometer.read()
    sent = scans_on_the_wire(rig, model)
    assert len(sent) == 3
    assert frame.counts_sum.dtype == np.uint32
    assert np.array_equal(frame.counts_sum, np.sum(sent, axis=0, dtype=np.uint64))
    assert np.array_equal(frame.saturated, np.any([scan >= told.saturation_counts for scan in sent], axis=0))


@EVERY
def test_the_first_frame_after_a_change_has_the_new_exposure(opened, model):
    _, spectrometer, _ = opened(model)
    level = {}
    for integration_us in (90_000, 10_000):
        spectrometer.set_exposure(Exposure(integration_us))
        first, second = (spectrometer.read().counts_sum.astype(float) for _ in range(2))
        assert abs(first.mean() - second.mean()) < 0.02 * second.mean()
        level[integration_us] = second.mean()
    assert level[90_000] > 1.3 * level[10_000]


def test_saturation_is_judged_before_summing(rig, opened):
    """One bright scan among dark ones: the mean is far below saturation, the pixels are marked all the same."""
    _, spectrometer, told = opened("USB2000+")
    spectrometer.set_exposure(Exposure(50_000, 4))
    rig.bus.sent.clear()
    rig.bus.on_write = lambda: rig.control.light(160.0 if rig.bus.sent.count(b"\x09") == 2 else 0.0)
    frame = spectrometer.read()
    hidden = frame.saturated & (frame.counts_sum < 4 * told.saturation_counts)
    assert hidden.sum() > 100


def test_host_clocks_are_read_when_the_first_scan_is_asked_for(opened):
    _, spectrometer, _ = opened("SR4")
    spectrometer.set_exposure(Exposure(50_000, 2))
    before_ns = time.monotonic_ns()
    frame = spectrometer.read()
    assert before_ns <= frame.started_monotonic_ns < before_ns + 40_000_000
    assert frame.exposure == Exposure(50_000, 2)
    assert abs(frame.started_unix_ns - time.time_ns()) < 5_000_000_000


def test_temperatures_come_from_where_they_can_be_had(rig, opened):
    seen = {}
    for model in ("USB2000+", "QE-PRO", "SR4"):
        serial, spectrometer, _ = opened(model)
        rig.control.temperature(serial, 31.5)
        spectrometer.set_exposure(Exposure(10_000))
        frame = spectrometer.read()
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
        assert spectrometer.read().board_temperature_c == pytest.approx(board_c, abs=0.01)


def test_a_device_without_board_temperature_is_asked_once(rig, opened):
    serial, spectrometer, _ = opened("USB4000")
    rig.control.fault(serial, "short-answer", 1)
    spectrometer.set_exposure(Exposure(10_000))
    assert spectrometer.read().board_temperature_c is None
    assert spectrometer.read().board_temperature_c is None
    assert rig.bus.sent.count(b"\x6c") == 1


@EACH_PROTOCOL
def test_nothing_is_read_before_the_exposure_is_set(opened, model):
    _, spectrometer, _ = opened(model)
    with pytest.raises(Refused, match="no exposure"):
        spectrometer.read()
    spectrometer.set_exposure(Exposure(10_000))
    spectrometer.open()
    with pytest.raises(Refused, match="no exposure"):
        spectrometer.read()


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
    assert spectrometer.read().exposure.integration_us == told.integration_min_us


def test_the_longest_exposure_is_taken_by_the_library(rig):
    """Its own maximum is rejected by pyseabreeze; one less must not be."""
    serial = rig.add("USB4000")
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    told = spectrometer.open()
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
    assert measuring.read().counts_sum.any()


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
