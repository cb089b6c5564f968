"""What devices made, when, and of what: against counts that were really read."""

import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from oesd_drivers.virtual import MODELS, MODULUS, FaultKind, Light, VirtualBus, fingerprint, scene, spectrometer
from oesd_drivers.virtual.faults import Fault
from oesd_drivers.virtual.instrument import Instrument
from oesd_drivers.virtual.libusb import BusError
from oesd_drivers.virtual.obp import frame

SERIAL = "OES00001"
RESPONSE, ACK, WANTS_ACK, NACK = 1, 2, 4, 8
many = arrays.arrays(np.uint32, 64, elements=st.integers(0, 200_000))


@given(many, many)
def test_fingerprints_add_up(one, other):
    assert fingerprint(one + other) == (fingerprint(one) + fingerprint(other)) % MODULUS


@given(many, st.integers(0, 63), st.integers(1, 1000))
def test_one_count_more_is_another_fingerprint(one, pixel, more):
    changed = one.copy()
    changed[pixel] += more
    assert fingerprint(changed) != fingerprint(one)


@pytest.mark.parametrize("model", ["USB4000", "HR4000", "QE-PRO", "SR4"])
def test_the_log_knows_each_frame_that_was_read(world, model):
    feature = world.open(model).f.spectrometer
    feature.set_integration_time_micros(20_000)
    feature.get_intensities()
    since = world.control.frames(SERIAL)
    began_ns = time.monotonic_ns()
    pixels = MODELS[model].detector.pixels
    read = [feature.get_intensities()[:pixels] / feature._normalization_value for _ in range(3)]
    made = world.control.frames_made(SERIAL, since)
    assert [each.index for each in made] == [since, since + 1, since + 2]
    assert [each.fingerprint for each in made] == [fingerprint(np.rint(counts)) for counts in read]
    assert all((each.integration_us, each.scans, each.boxcar, each.fault) == (20_000, 1, 0, "") for each in made)
    assert all(began_ns <= each.asked_ns <= each.ready_ns for each in made)
    assert all(0 <= each.ready_ns - each.began_ns - 20_000_000 < 10 for each in made)


def test_the_log_says_what_a_fault_did(world):
    feature = world.open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(5_000)
    feature.get_intensities()
    before = world.control.strikes(SERIAL)[0]
    world.control.fault(SERIAL, "bad-sync")
    feature.get_intensities()
    feature.get_intensities()
    assert [each.fault for each in world.control.frames_made(SERIAL)] == ["", "bad-sync", ""]
    struck, when_ns = world.control.strikes(SERIAL)
    assert struck == before + 1
    assert abs(time.monotonic_ns() - when_ns) < 5e9


def test_a_late_frame_is_whole(world):
    feature = world.open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(5_000)
    world.control.fault(SERIAL, "late", 0.05)
    feature.get_intensities()
    (late,) = world.control.frames_made(SERIAL)
    assert late.fault == ""
    assert late.ready_ns - late.asked_ns > 50e6


def test_the_log_tells_a_frame_that_is_one_old(world):
    feature = world.open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(5_000)
    feature.get_intensities()
    feature.protocol.transport._device.pyusb_device.default_timeout = 50
    world.control.fault(SERIAL, "late", 0.2)
    with pytest.raises(OSError):
        feature.get_intensities()
    feature.protocol.transport._device.pyusb_device.default_timeout = 5000
    for _ in range(3):
        called_ns = time.monotonic_ns()
        read = fingerprint(np.rint(feature.get_intensities() / feature._normalization_value))
        (made,) = (each for each in world.control.frames_made(SERIAL) if each.fingerprint == read)
        assert made.asked_ns < called_ns


def bench(model):
    device = spectrometer(model, SERIAL, Light(scene("halogen"), time.monotonic), 1)
    instrument = device.instrument
    assert isinstance(instrument, Instrument)
    instrument.power_on(0.0)
    instrument.set_integration(10_000, 0.0)
    instrument.request(0.0)
    return instrument


def test_frames_averaged_on_board_take_longer_and_are_quieter():
    def spread(scans):
        instrument = bench("STS")
        instrument.set_averaging(scans=scans)
        frames = [instrument.request(1.0 + n) for n in range(60)]
        assert {round((each.ready_s - each.began_s) / 0.01) for each in frames} == {scans}
        return np.mean(np.std([each.counts for each in frames], axis=0))

    assert spread(1) / spread(16) == pytest.approx(4.0, rel=0.05)


def test_a_boxcar_on_board_keeps_the_light_and_blurs_the_lines():
    sharp, blurred = bench("STS"), bench("STS")
    blurred.set_averaging(boxcar=3)
    one, other = sharp.request(1.0), blurred.request(1.0)
    assert other.boxcar == 3
    assert np.sum(other.counts) == pytest.approx(np.sum(one.counts), rel=1e-3)
    assert np.std(np.diff(other.counts)) < 0.5 * np.std(np.diff(one.counts))


def test_power_on_forgets_averaging_and_triggers():
    instrument = bench("QE-PRO")
    instrument.set_averaging(scans=50, boxcar=5)
    instrument.triggers.set_mode(3)
    assert instrument.request(2.0) is None
    instrument.power_on(3.0)
    fresh = instrument.request(4.0)
    assert (fresh.scans, fresh.boxcar) == (1, 0)


def asked(world, version, message, data=b"", flags=0):
    """Flags and immediate data of the answer to a message that seabreeze has no name for."""
    handle = world.bus.open(world.bus.nodes()[0].address)
    world.bus.claim(handle)
    world.bus.write(handle, 0x01, frame(version, message, data, flags))
    answer = world.bus.read(handle, 0x81, 64, 1000)
    world.bus.close(handle)
    return struct.unpack_from("<H", answer, 4)[0], answer[24 : 24 + answer[23]]


@pytest.mark.parametrize("model", ["STS", "QE-PRO", "HDX"])
def test_averaging_trigger_and_lamp_by_message(world, model):
    world.control.add(model, SERIAL)
    for get, put, value in (
        (0x00120000, 0x00120010, b"\x05\x00"), (0x00121000, 0x00121010, b"\x02"), (0x00110100, 0x00110110, b"\x01"),
        (0x00110400, 0x00110410, b"\x01"), (0x00110280, 0x00110290, b"\x01"),
    ):  # fmt: skip
        assert asked(world, 0x1100, get)[1] != value
        assert asked(world, 0x1100, put, value, WANTS_ACK) == (RESPONSE | ACK, b"")
        assert asked(world, 0x1100, get) == (RESPONSE, value)
    assert world.control.lamp_line(SERIAL)


@pytest.mark.parametrize("message", [0x00120000, 0x00120010, 0x00110410])
def test_what_an_sr_has_no_known_message_for_is_refused(world, message):
    world.control.add("SR4", SERIAL)
    assert asked(world, 0x2000, message, b"\x05\x00", WANTS_ACK) == (RESPONSE | NACK, b"")


def opened_raw(model):
    """A device on a bus of its own, claimed, its clock in our hands."""
    moment = {"s": 100.0}

    def wait(condition, seconds):
        assert seconds is not None, "it would wait for ever"
        moment["s"] += seconds

    light = Light(scene("dark"), time.monotonic)
    device = spectrometer(model, SERIAL, light, 1, clock=lambda: moment["s"], wait=wait)
    bus = VirtualBus()
    bus.plug(device)
    handle = bus.open(1)
    bus.claim(handle)
    return bus, device, handle, moment


@pytest.mark.parametrize(("kind", "survives"), [("late", False), ("stubborn", True)])
def test_a_late_answer_and_a_reset(kind, survives):
    bus, device, handle, moment = opened_raw("USB2000+")
    device.faults.add(Fault(FaultKind(kind), 2.0))
    bus.write(handle, 0x01, b"\x09")
    with pytest.raises(BusError):
        bus.read(handle, 0x82, 4097, 1000)
    bus.reset(handle)
    bus.write(handle, 0x01, b"\x09")
    began_s = moment["s"]
    assert len(bus.read(handle, 0x82, 4097, 3000)) == 4097
    assert (moment["s"] - began_s > 0.5) is survives
    made = device.instrument.made.since(0)
    assert len(made) == 2
    if survives:  # the one we asked for is still to come: every later frame is one old
        assert len(bus.read(handle, 0x82, 4097, 100)) == 4097


def test_hours_pass_in_no_time_with_a_clock_of_our_own():
    bus, _, handle, moment = opened_raw("NIRQuest256")
    bus.write(handle, 0x01, b"\x02" + (60_000).to_bytes(4, "little"))
    began = time.monotonic()
    for _ in range(100):
        bus.write(handle, 0x01, b"\x09")
        assert len(bus.read(handle, 0x82, 513, 0)) == 513
    assert moment["s"] > 100.0 + 98 * 60
    assert time.monotonic() - began < 30


def test_an_unplugging_that_nobody_reads_through_happens_all_the_same():
    bus, device, handle, moment = opened_raw("USB2000+")
    device.faults.add(Fault(FaultKind.UNPLUG, 0.5))
    bus.write(handle, 0x01, b"\xfe")
    assert len(bus.read(handle, 0x81, 64, 100)) == 16
    assert len(bus.nodes()) == 1
    moment["s"] += 1.0
    assert bus.nodes() == []
    assert bus.plug(device).address == 2
