"""Every model behind the port: what it says of itself, its counts, its exposures, its temperatures."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from oesd_drivers.capabilities import CAPABILITIES
from oesd_drivers.errors import Refused, Reopen
from oesd_drivers.spectrometer import Exposure
from oesd_drivers.virtual.models import MODELS as VIRTUAL

from .conftest import one

CAN = {can.name: can for can in CAPABILITIES.values()} | {"FLAME-S": CAPABILITIES["FLAMES"]}
EVERY = pytest.mark.parametrize("model", list(VIRTUAL))
COUNTS_MILLISECONDS = ["USB2000", "HR2000", "USB650", "ADC1000-USB", "QE65000", "NIRQuest512", "NIRQuest256"]
WITHOUT_COEFFICIENTS = {"ADC1000-USB", "Spark"}
COOLED = {"QE65000", "NIRQuest512", "NIRQuest256", "QE-PRO"}
TELLS_BOARD = {
    "USB2000+", "FLAME-S", "USB4000", "HR2000+", "HR4000", "QE65000", "Maya2000 Pro", "Torus", "STS",
}  # fmt: skip


def decoded(wire, pixels, data):
    """Counts of one spectrum, taken apart word by word by the data sheets."""
    low_first = [data[2 * i] | data[2 * i + 1] << 8 for i in range(pixels)]
    if wire.interleaved:
        places = [i % 64 + i // 64 * 128 for i in range(pixels)]
        low_first = [data[place] | data[place + 64] << 8 for place in places]
    return np.array([(word & ~wire.stray_bits) ^ wire.flip for word in low_first])


def scans_on_the_wire(rig, model):
    """Counts of every spectrum that went over the bus."""
    wire, pixels = VIRTUAL[model].wire, VIRTUAL[model].detector.pixels
    if wire.protocol == "ooi":
        ends = {endpoint for endpoint, _ in wire.spectrum_parts}
        parts = [data for endpoint, data in rig.bus.received if endpoint in ends]
        per_scan = len(wire.spectrum_parts)
        whole = [b"".join(parts[i : i + per_scan]) for i in range(0, len(parts), per_scan)]
        return [decoded(wire, pixels, data) for data in whole]
    size = pixels * wire.count_bytes
    whole = [data[-20 - size : -20] for _, data in rig.bus.received if len(data) >= size]
    return [np.frombuffer(data, dtype=f"<u{wire.count_bytes}") for data in whole]


def pack_of(message):
    """First bytes of an OBP message without asking for an acknowledgement."""
    return struct.pack("<HHHHL", 0xC0C1, 0x1100, 0, 0, message)


def mean_over_offset(frame, model):
    return frame.counts_sum.mean() / frame.exposure.scans - VIRTUAL[model].detector.offset_counts


@EVERY
def test_a_family_from_opening_to_the_sum_of_its_scans(rig, opened, model):
    serial, spectrometer, told = opened(model)
    detector, bench = VIRTUAL[model].detector, VIRTUAL[model].bench
    optics = rig.bus.device(serial).instrument.optics
    assert (told.serial, told.simulated, told.calibrated) == (serial, True, True)
    assert told.model == CAN[model].name
    assert np.allclose(told.wavelengths_nm, optics.wavelengths_nm, rtol=0, atol=1e-9)
    assert told.wavelengths_nm[-bench.first_index] == pytest.approx(bench.wavelengths[0], abs=1)
    assert told.electric_dark_pixels == detector.dark_pixels
    assert told.saturation_counts == detector.saturation_counts
    expected = () if model in WITHOUT_COEFFICIENTS else detector.nonlinearity
    assert told.nonlinearity == pytest.approx(expected, rel=1e-6)

    # a long exposure first: were the frame after a change not discarded, the short one would show the long one's light
    short_us = max(told.integration_min_us, 8000) + 1000
    spectrometer.set_exposure(Exposure(5 * short_us))
    long_frame = one(spectrometer)
    spectrometer.set_exposure(Exposure(short_us, 2))
    rig.bus.received.clear()
    frame = one(spectrometer)
    sent = scans_on_the_wire(rig, model)
    assert len(sent) == 2
    assert np.array_equal(frame.counts_sum, np.sum(sent, axis=0, dtype=np.uint64))
    assert mean_over_offset(long_frame, model) > 4 * mean_over_offset(frame, model) > 0
    masked = frame.counts_sum[list(told.electric_dark_pixels)]
    assert masked.size == 0 or masked.mean() < frame.counts_sum.mean()
    assert (frame.detector_temperature_c is not None) == (model in COOLED)
    assert (frame.board_temperature_c is not None) == (model in TELLS_BOARD)

    for integration_us in (told.integration_min_us - 1, told.integration_max_us + 1):
        with pytest.raises(Refused, match="out of range"):
            spectrometer.set_exposure(Exposure(integration_us))

    rig.control.light(1e5)
    spectrometer.set_exposure(Exposure(short_us))
    full = one(spectrometer)
    # where neither grating nor detector answers, no light is too much for
    assert full.saturated.sum() > 0.5 * detector.pixels
    assert not full.saturated[list(told.electric_dark_pixels)].any()
    assert not frame.saturated.any()


@pytest.mark.parametrize("model", COUNTS_MILLISECONDS)
def test_milliseconds_are_rounded_and_not_cut(rig, opened, model):
    serial, spectrometer, told = opened(model)
    assert told.integration_min_us % 1000 == told.integration_max_us % 1000 == 0
    low_us = told.integration_min_us
    for asked_us, taken_us in ((low_us, low_us), (low_us + 499, low_us), (low_us + 2500, low_us + 3000)):
        spectrometer.set_exposure(Exposure(asked_us))
        assert one(spectrometer).exposure.integration_us == taken_us
        ordered_s = rig.bus.device(serial).instrument.ordered_integration_s
        assert ordered_s == pytest.approx(taken_us / 1e6, rel=1e-9)


def test_the_st_counts_in_tens_of_microseconds(rig, opened):
    serial, spectrometer, told = opened("ST")
    assert (told.integration_min_us, told.integration_max_us) == (1560, 5_999_990)
    spectrometer.set_exposure(Exposure(3456))
    assert one(spectrometer).exposure.integration_us == 3460
    assert rig.bus.device(serial).instrument.ordered_integration_s == pytest.approx(3460e-6)


def test_the_longest_time_of_an_old_device_fits_its_sixteen_bits(rig, opened):
    serial, spectrometer, told = opened("USB2000")
    spectrometer.set_exposure(Exposure(told.integration_min_us))
    rig.control.fault(serial, "stall")
    with pytest.raises(Reopen, match="stalled"):
        spectrometer.set_exposure(Exposure(told.integration_max_us))
    assert struct.pack("<BI", 0x02, 0xFFFF) in rig.bus.sent
    assert rig.bus.device(serial).instrument.ordered_integration_s == pytest.approx(65.535)


@pytest.mark.parametrize(
    ("model", "content", "level"),
    [
        ("NIRQuest512", struct.pack("<4xL", 0xFFFFFFFF), 65535),
        ("NIRQuest512", struct.pack("<4xL", 0), 65535),
        ("NIRQuest512", struct.pack("<4xL", 50_000), 50_000),
        ("Maya2000 Pro", struct.pack("<H", 0xFFFF), 64000),
        ("Maya2000 Pro", struct.pack("<H", 20_000), 64000),
        ("Maya2000 Pro", struct.pack("<H", 60_000), 60_000),
        ("HR4000", struct.pack("<4xH", 12_000), 16383),
    ],
)
def test_the_saturation_slot_is_read_where_the_model_has_it(rig, opened, model, content, level):
    serial, spectrometer, _ = opened(model)
    rig.control.eeprom(serial, 17, content)
    assert spectrometer.open().saturation_counts == level


def test_a_qe_pro_that_does_not_tell_is_full_below_its_scale(rig, opened):
    serial, spectrometer, told = opened("QE-PRO")
    assert told.saturation_counts == 200_000
    firmware = rig.bus.device(serial).firmware
    del firmware.queries[0x001010A0]
    assert spectrometer.open().saturation_counts == 200_000
    firmware.queries[0x001010A0] = lambda data, now_s: struct.pack("<L", 190_000)
    assert spectrometer.open().saturation_counts == 190_000


@pytest.mark.parametrize("model", ["QE65000", "NIRQuest256", "STS", "QE-PRO"])
def test_a_device_that_does_not_tell_its_temperature_measures(rig, opened, model):
    """It may be of another firmware; what is certain is that it measures."""
    serial, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(20_000))
    if VIRTUAL[model].wire.protocol == "ooi":
        rig.control.fault(serial, "short-answer", 1, times=2)
    else:
        rig.control.fault(serial, "nack", 2, times=1)
    rig.bus.sent.clear()
    frames = [one(spectrometer) for _ in range(3)]
    assert {(frame.detector_temperature_c, frame.board_temperature_c) for frame in frames} == {(None, None)}
    commands = (
        (b"\x6c", b"\x72") if VIRTUAL[model].wire.protocol == "ooi" else (pack_of(0x00400001), pack_of(0x00420004))
    )
    assert any(data[:12] in commands for data in rig.bus.sent)


@pytest.mark.parametrize("model", sorted(COOLED))
def test_a_cooled_detector_goes_where_it_is_sent(rig, opened, model):
    serial, spectrometer, _ = opened(model)
    instrument = rig.bus.device(serial).instrument
    spectrometer.set_cooling(-20.5)
    assert (instrument.cooler_on, instrument.setpoint_c) == (True, pytest.approx(-20.5))
    spectrometer.set_cooling(None)
    assert not instrument.cooler_on
    for nonsense_c in (float("nan"), float("-inf"), -273.0, 90.0):
        with pytest.raises(Refused, match="no temperature"):
            spectrometer.set_cooling(nonsense_c)
    assert instrument.setpoint_c == pytest.approx(-20.5)
    spectrometer.set_exposure(Exposure(20_000))
    assert one(spectrometer).counts_sum.any()


def test_cooling_is_refused_where_there_is_no_cooler_and_where_the_device_refuses(rig, opened):
    _, plain, _ = opened("USB4000")
    with pytest.raises(Refused, match="USB4000 has no cooler"):
        plain.set_cooling(-10.0)
    serial, cooled, _ = opened("QE-PRO")
    rig.control.fault(serial, "nack", 6, times=2)
    with pytest.raises(Refused, match=r"-10\.0 degrees: invalid payload"):
        cooled.set_cooling(-10.0)
    cooled.set_cooling(-10.0)
