"""Memories no factory wrote, settings another program left, cables that jump, clients that die."""

import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from oesd_drivers.virtual import Hostile, connect, spawn_host

SERIAL = "OES00001"
READER = """
import sys, threading, time
from oesd_drivers.virtual import connect
def tick():
    while True:
        print("tick", flush=True)
        time.sleep(0.01)
bus = connect(sys.argv[1])
handle = bus.open(bus.nodes()[0].address)
bus.claim(handle)
print("claimed", flush=True)
threading.Thread(target=tick, daemon=True).start()
bus.read(handle, 0x81, 64, 0)
"""


def test_an_ooi_memory_says_what_was_written_and_is_put_right_again(world):
    device = world.open("USB2000+")
    honest = [device.f.eeprom.eeprom_read_slot(slot) for slot in range(16)]
    for variant, slot, text in (
        ("nan", 2, "nan"), ("infinite", 2, "inf"), ("overflowing", 2, "1e400"), ("non-monotonic", 3, "-5.0e-04"),
        ("control-characters", 0, "\x1b[2J\r\n\x07\x08\x7f"),
    ):  # fmt: skip
        world.control.hostile(SERIAL, variant)
        assert device.f.eeprom.eeprom_read_slot(slot) == text
    world.control.hostile(SERIAL, "arabic-digits")
    assert float("٠.٤٦٨") == 0.468, "Python takes them for numbers"
    assert world.bus.device(SERIAL).firmware.eeprom[2].decode() == "٠.٤٦٨"
    world.control.hostile(SERIAL, "long-serial")
    with pytest.raises(ValueError):
        device.f.eeprom.eeprom_read_slot(0)
    world.control.hostile(SERIAL, "")
    assert [device.f.eeprom.eeprom_read_slot(slot) for slot in range(16)] == honest


@pytest.mark.parametrize("model", ["STS", "QE-PRO", "SR4", "ST"])
def test_an_obp_memory_says_what_was_written(world, model):
    device = world.open(model)
    feature, protocol = device.f.spectrometer, device.f.spectrometer.protocol
    honest_nm = feature.get_wavelengths()
    with np.errstate(all="ignore"):
        world.control.hostile(SERIAL, "nan")
        assert np.isnan(feature.get_wavelengths()).any()
        world.control.hostile(SERIAL, "infinite")
        assert not np.isfinite(feature.get_wavelengths()).all()
    world.control.hostile(SERIAL, "")
    world.control.hostile(SERIAL, "non-monotonic")
    assert np.any(np.diff(feature.get_wavelengths()) < 0)
    world.control.hostile(SERIAL, "long-serial")
    assert protocol.query(0x100) == b"A" * 4096
    world.control.hostile(SERIAL, "")
    assert np.array_equal(feature.get_wavelengths(), honest_nm)
    world.control.answer(SERIAL, 0x100, b"other")
    assert protocol.query(0x100) == b"other"


def test_one_coefficient_of_many(world):
    protocol = world.open("STS").f.spectrometer.protocol
    before = protocol.query(0x00180101, 0)
    world.control.answer(SERIAL, 0x00180101, struct.pack("<f", 9.0), 1)
    assert protocol.query(0x00180101, 0) == before
    assert struct.unpack("<f", protocol.query(0x00180101, 1)) == (9.0,)


def test_each_variant_is_for_each_protocol(world):
    for model, serial in (("USB4000", "A"), ("HDX", "B"), ("HR6", "C")):
        world.control.add(model, serial)
        for variant in Hostile:
            world.control.hostile(serial, variant)
        world.control.hostile(serial, "")
    with pytest.raises(ValueError):
        world.control.hostile("A", "gremlin")
    with pytest.raises(ValueError):
        world.control.answer("A", 0x100, b"")


@pytest.mark.parametrize(("model", "kept"), [("STS", 5_000), ("USB2000+", 5_000)])
def test_a_refused_set_changes_nothing(world, model, kept):
    feature = world.open(model).f.spectrometer
    feature.set_integration_time_micros(5_000)
    world.control.fault(SERIAL, "nack-set", 7)
    feature.set_integration_time_micros(60_000)
    assert world.control.faults_waiting(SERIAL) == 0
    assert round(world.bus.device(SERIAL).instrument.ordered_integration_s * 1e6) == kept


def test_the_lamp_line_lights_closes_or_does_nothing(world):
    feature = world.open("USB2000+").f.spectrometer
    feature.set_integration_time_micros(20_000)
    feature.get_intensities()
    seen = {}
    for what in ("nothing", "lamp", "closes"):
        world.control.hang_on_lamp_line(SERIAL, what)
        feature.protocol.send(0x03, 1)
        assert world.control.lamp_line(SERIAL)
        seen[what] = feature.get_intensities().max()
    assert seen["lamp"] > seen["nothing"] > seen["closes"]
    feature.protocol.send(0x03, 0)
    assert not world.control.lamp_line(SERIAL)
    with pytest.raises(ValueError):
        world.control.hang_on_lamp_line(SERIAL, "doorbell")


@pytest.fixture
def host():
    with spawn_host([("STS", "AAA")], "dark", seed=5) as running:
        yield running


def _until(condition, deadline_s=10.0):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "condition never came"
        time.sleep(0.005)


def test_a_storm_ends_plugged_in_at_an_address_of_its_own(host):
    bus = connect(host.path)
    seen = {bus.nodes()[0].address}
    host.control.storm("AAA", 4, 0.1)

    def passed():
        seen.update(node.address for node in bus.nodes())
        return len(seen) == 5

    _until(passed)
    assert seen == {1, 2, 3, 4, 5}
    bus.disconnect()


def test_another_program_waits_its_turn_and_leaves_its_settings(host):
    bus = connect(host.path)
    handle = bus.open(bus.nodes()[0].address)
    bus.claim(handle)
    bus.release(handle)
    host.control.another_program("AAA", 70_000, 1, 4, 2, 0.2)
    with pytest.raises(Exception, match="BUSY"):
        bus.claim(handle)
    _until(lambda: _claimed(bus, handle))
    frame = b"\xc1\xc0" + struct.pack("<HHHLL6xBB16sL", 0x1100, 0, 0, 0x00120000, 0, 0, 0, b"", 20)
    bus.write(handle, 1, frame + b"\0" * 16 + b"\xc5\xc4\xc3\xc2")
    answer = bus.read(handle, 0x81, 64, 1000)
    assert answer[24:26] == b"\x04\x00"
    bus.disconnect()


def _claimed(bus, handle):
    try:
        bus.claim(handle)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(("kind", "value"), [("segfault", 0.0), ("hang", 30.0)])
def test_a_fault_of_the_reader_strikes_the_reader_alone(host, kind, value):
    host.control.fault("AAA", kind, value)
    reader = subprocess.Popen([sys.executable, "-c", READER, str(host.path)], stdout=subprocess.PIPE)
    assert reader.stdout is not None
    with reader.stdout:
        assert reader.stdout.readline() == b"claimed\n"
        _until(lambda: host.control.strikes("AAA")[0] == 1)
        if kind == "hang":
            os.set_blocking(reader.stdout.fileno(), False)
            reader.stdout.read()
            time.sleep(0.2)
            assert reader.stdout.read() is None, "another thread of the reader still runs"
            assert reader.poll() is None
            reader.kill()
        assert reader.wait(10) == (-signal.SIGSEGV if kind == "segfault" else -signal.SIGKILL)
    assert host.alive


def test_the_truth_crosses_the_socket(host):
    bus = connect(host.path)
    handle = bus.open(bus.nodes()[0].address)
    header = b"\xc1\xc0" + struct.pack("<HHHLL6xBB16sL", 0x1100, 0, 0, 0x00101100, 0, 0, 0, b"", 20)
    bus.write(handle, 1, header + b"\0" * 16 + b"\xc5\xc4\xc3\xc2")
    (made,) = host.control.frames_made("AAA", 0)
    assert (made.index, made.scans, made.fault) == (0, 1, "")
    assert host.control.frames_made("AAA", 1) == []
    bus.disconnect()
