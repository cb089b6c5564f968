"""What another program left a device doing is undone when it is opened."""

from __future__ import annotations

import pytest

from oesd_drivers.errors import GiveUp
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import Exposure
from oesd_drivers.virtual.made import fingerprint

from .conftest import one

OBP = ["STS", "QE-PRO", "HDX", "Spark", "Ventana"]


def left(rig, serial, trigger=0, scans=1, boxcar=0):
    """Leave a device as another program would that is gone by now."""
    device = rig.bus.device(serial)
    with device.condition:
        device.instrument.triggers.set_mode(trigger)
        device.instrument.scans, device.instrument.boxcar = scans, boxcar
    return device.instrument


@pytest.mark.parametrize("model", OBP)
def test_averaging_and_smoothing_on_board_are_undone(rig, model):
    serial = rig.add(model)
    instrument = left(rig, serial, trigger=1, scans=4, boxcar=5)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    spectrometer.open()
    assert (instrument.triggers.mode, instrument.scans, instrument.boxcar) == (0, 1, 0)
    spectrometer.set_exposure(Exposure(30_000))
    frame = one(spectrometer)
    made = rig.control.frames_made(serial)[-1]
    assert (made.scans, made.boxcar, made.integration_us) == (1, 0, 30_000)
    assert fingerprint(frame.counts_sum) == made.fingerprint
    spectrometer.close()


def test_averaging_that_stays_is_no_spectrometer_of_ours(rig):
    serial = rig.add("STS")
    left(rig, serial, scans=16)
    rig.control.answer(serial, 0x00120000, b"\x10\x00")
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    with pytest.raises(GiveUp, match=r"scans to average .* left at 16 cannot be undone"):
        spectrometer.open()
    spectrometer.close()


def test_a_device_that_does_not_know_these_questions_is_opened_all_the_same(rig):
    serial = rig.add("STS")
    firmware = rig.bus.device(serial).firmware
    for message in (0x00120000, 0x00121000, 0x00110280, 0x00110100):
        firmware.queries.pop(message, None)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    assert spectrometer.open().serial == serial
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()
    spectrometer.close()


@pytest.mark.parametrize("model", ["USB2000+", "USB4000", "HR4000", "QE65000", "NIRQuest512", "Jaz", "STS", "QE-PRO"])
def test_the_lamp_line_is_set(rig, opened, model):
    serial, spectrometer, _ = opened(model)
    for on in (True, False):
        spectrometer.set_lamp(on)
        assert rig.control.lamp_line(serial) is on
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()


def test_a_lamp_line_that_no_command_is_known_for_is_refused(opened):
    _, spectrometer, _ = opened("SR4")
    with pytest.raises(GiveUp, match="lamp line of the SR4"):
        spectrometer.set_lamp(True)


@pytest.mark.parametrize(("model", "times"), [("QE-PRO", 2), ("STS", 0)])
def test_spectra_that_a_device_keeps_are_forgotten_with_each_new_time(rig, opened, model, times):
    _, spectrometer, _ = opened(model)
    for integration_us in (10_000, 20_000):
        spectrometer.set_exposure(Exposure(integration_us))
        assert one(spectrometer).counts_sum.any()
    assert sum(data[8:12] == b"\x30\x08\x10\x00" for data in rig.bus.sent) == times
