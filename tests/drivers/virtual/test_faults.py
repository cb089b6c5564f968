"""Every fault, as it surfaces through unmodified seabreeze (seabreeze 2.11, pyusb 1.3.1)."""

import threading
import time

import numpy as np
import pytest
import usb.core
from seabreeze.pyseabreeze.exceptions import SeaBreezeError

from oesd_drivers.virtual import FaultKind
from oesd_drivers.virtual.faults import Fault, FaultQueue, damage

SERIAL = "OES00001"


def reading(world, model, integration_us=5_000):
    feature = world.open(model).f.spectrometer
    feature.set_integration_time_micros(max(integration_us, feature.get_integration_time_micros_limits()[0]))
    feature.get_intensities()
    return feature


@pytest.mark.parametrize("model", ["USB2000+", "STS"])
@pytest.mark.parametrize(("kind", "errno", "code"), [("stall", 32, -9), ("overflow", 75, -8)])
def test_transfer_errors(world, model, kind, errno, code):
    feature = reading(world, model)
    world.control.fault(SERIAL, kind)
    with pytest.raises(usb.core.USBError) as failed:
        feature.get_intensities()
    assert (failed.value.errno, failed.value.backend_error_code) == (errno, code)


def test_unplugged_while_reading(world):
    feature = reading(world, "USB2000+", 600_000)
    world.control.fault(SERIAL, FaultKind.UNPLUG, 0.1)
    began = time.monotonic()
    with pytest.raises(usb.core.USBError) as failed:
        feature.get_intensities()
    assert (failed.value.errno, failed.value.backend_error_code) == (19, -4)
    assert 0.09 < time.monotonic() - began < 0.5
    assert world.found() == []
    with pytest.raises(usb.core.USBError):
        feature.get_intensities()
    world.control.plug(SERIAL)
    again = world.open_last().f.spectrometer
    again.set_integration_time_micros(5000)
    assert again.get_intensities().shape == (2048,)


@pytest.mark.parametrize("model", ["USB2000+", "QE-PRO"])
def test_no_answer_is_a_timeout_and_the_next_read_works(world, model):
    feature = reading(world, model)
    feature.protocol.transport._device.pyusb_device.default_timeout = 50
    world.control.fault(SERIAL, FaultKind.SILENT)
    with pytest.raises(usb.core.USBTimeoutError) as failed:
        feature.get_intensities()
    assert (failed.value.errno, failed.value.backend_error_code) == (110, -7)
    assert len(feature.get_intensities()) > 1000


def test_a_late_answer_is_taken_for_the_next_ones(world):
    feature = reading(world, "USB2000+")
    feature.protocol.transport._device.pyusb_device.default_timeout = 50
    world.control.fault(SERIAL, FaultKind.LATE, 0.5)
    with pytest.raises(usb.core.USBTimeoutError):
        feature.get_intensities()
    feature.protocol.transport._device.pyusb_device.default_timeout = 5000
    asked = world.control.frames(SERIAL)
    late = feature.get_intensities()
    assert world.control.frames(SERIAL) == asked + 1
    # it is the frame of the request before: frame by frame noise is known
    expected = world.bus.device(SERIAL).instrument
    frame = expected.optics.frame(expected._light.levels() @ expected._rates, 0.005, 24.0, asked - 1)
    assert np.array_equal(np.rint(late / feature._normalization_value), frame)


def test_a_short_spectrum_is_a_value_error(world):
    feature = reading(world, "USB2000+")
    world.control.fault(SERIAL, FaultKind.SHORT, 1000)
    with pytest.raises(ValueError, match=r"shape \(1000,\) into shape \(4097,\)"):
        feature.get_intensities()


def test_a_wrong_sync_byte_reaches_the_host(world):
    feature = reading(world, "USB2000+")
    assert feature._get_spectrum_raw()[-1] == 0x69
    world.control.fault(SERIAL, FaultKind.BAD_SYNC)
    assert feature._get_spectrum_raw()[-1] == 0


def test_one_garbled_header_ruins_an_obp_device_until_it_is_reset(world):
    feature = reading(world, "STS")
    device = world._opened[-1]
    world.control.fault(SERIAL, FaultKind.GARBLE_FRAME)
    for _ in range(4):
        with pytest.raises(SeaBreezeError):
            feature.get_intensities()
    device.close()
    device.open()
    device.f.spectrometer.set_integration_time_micros(5000)
    assert device.f.spectrometer.get_intensities().shape == (1024,)


def test_a_broken_obp_footer_is_an_assertion(world):
    feature = reading(world, "SR4")
    world.control.fault(SERIAL, FaultKind.BAD_SYNC)
    with pytest.raises(AssertionError):
        feature.get_intensities()


def test_a_refused_setting_is_swallowed_by_seabreeze(worlds):
    world = worlds("halogen")
    feature = reading(world, "STS", 20_000)
    before = feature.get_intensities().mean()
    world.control.fault(SERIAL, FaultKind.NACK, 6)
    feature.set_integration_time_micros(60_000)
    feature.get_intensities()
    assert feature.get_intensities().mean() == pytest.approx(before, rel=0.01)


def test_a_refused_spectrum_loses_its_error(world):
    feature = reading(world, "STS")
    world.control.fault(SERIAL, FaultKind.NACK_FRAME, 7)
    with pytest.raises(usb.core.USBTimeoutError):
        feature.get_intensities()
    assert feature.get_intensities().shape == (1024,)


@pytest.mark.parametrize(("kind", "value", "error"), [("garble", 0, SeaBreezeError), ("short-answer", 10, ValueError)])
def test_damaged_answers(world, kind, value, error):
    device = world.open("USB4000")
    world.control.fault(SERIAL, kind, value)
    with pytest.raises(error):
        device.f.eeprom.eeprom_read_slot(1)
    assert float(device.f.eeprom.eeprom_read_slot(1)) > 100


def test_a_wedged_read_ignores_its_timeout_until_unplugged(world):
    reading(world, "USB2000+")
    bus = world.bus
    world.close()
    handle = bus.open(bus.nodes()[0].address)
    world.control.fault(SERIAL, FaultKind.WEDGE)
    outcome: list[BaseException] = []

    def read() -> None:
        try:
            bus.read(handle, 0x82, 4097, 1)
        except Exception as error:
            outcome.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    reader.join(0.1)
    assert reader.is_alive()
    world.control.unplug(SERIAL)
    reader.join(5)
    assert not reader.is_alive()
    assert len(outcome) == 1


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"A" * 15, ValueError),  # no NUL: "subsection not found"
        (b"1.5e9999x\0", ValueError),
        (b"\xff\xfe\0", UnicodeDecodeError),
        (b"1,5\0", ValueError),
    ],
)
def test_hostile_eeprom_text_reaches_the_host(world, content, error):
    device = world.open("USB2000+")
    world.control.eeprom(SERIAL, 2, content)
    with pytest.raises(error):
        device.f.spectrometer.get_wavelengths()


def test_hostile_serial_numbers_come_through(world):
    world.control.add("USB2000+", SERIAL)
    world.control.eeprom(SERIAL, 0, b"\x1b[2J'; --\0")
    assert world.open_last().serial_number == "\x1b[2J'; --"


def test_faults_wait_their_turn_and_can_be_forgotten(world):
    feature = reading(world, "USB2000+")
    world.control.fault(SERIAL, FaultKind.STALL, times=2)
    for _ in range(2):
        with pytest.raises(usb.core.USBError):
            feature.get_intensities()
        world._opened[-1]._transport._device.close()  # the reset that drops the frame left behind
    assert feature.get_intensities().shape == (2048,)
    world.control.fault(SERIAL, FaultKind.STALL, times=3)
    world.control.clear_faults(SERIAL)
    assert feature.get_intensities().shape == (2048,)


def test_a_queue_is_first_in_first_out_at_each_point():
    queue = FaultQueue()
    for kind in (FaultKind.STALL, FaultKind.LATE, FaultKind.OVERFLOW):
        queue.add(Fault(kind))
    assert len(queue) == 3
    taken = [queue.take(Fault(kind).point) for kind in (FaultKind.STALL, FaultKind.STALL, FaultKind.STALL)]
    assert [fault.kind if fault else None for fault in taken] == [FaultKind.STALL, FaultKind.OVERFLOW, None]


def test_every_fault_has_a_point_and_whole_data_stay_whole():
    for kind in FaultKind:
        assert Fault(kind).point
    assert damage(b"abc", None) == b"abc"
    assert damage(b"abc", Fault(FaultKind.LATE, 1.0)) == b"abc"


def test_unknown_names_are_refused(world):
    world.control.add("STS", SERIAL)
    for wrong in (
        lambda: world.control.fault(SERIAL, "gremlin"),
        lambda: world.control.eeprom(SERIAL, 1, b""),
        lambda: world.control.add("STS", SERIAL),
        lambda: world.control.fault(SERIAL, "late", float("nan")),
        lambda: world.control.light(-1.0),
        lambda: world.control.temperature(SERIAL, 1e9),
    ):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(KeyError):
        world.control.shutter("nobody", True)
