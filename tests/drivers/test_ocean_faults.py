from __future__ import annotations

import itertools
import struct
import time

import numpy as np
import pytest

from oesd_drivers.errors import Busy, Denied, Gone, Refused, Reopen
from oesd_drivers.obp_frame import pack
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import Exposure, Trigger
from oesd_drivers.virtual.models import MODELS as VIRTUAL

from .conftest import one

EACH_PROTOCOL = pytest.mark.parametrize("model", ["USB4000", "QE-PRO", "SR4"])


FRAME_FAULTS = ["stall", "overflow", "silent", "short", "garble-frame", "bad-sync", "nack-frame"]


def _strikes(model, fault):
    """OOI frames have no header to garble and no refusals; each silence takes more than a second to be sure of."""
    if fault in ("silent", "short", "nack-frame"):
        return (model, fault) in {("USB2000+", "silent"), ("STS", "short"), ("USB4000", "short"), ("SR4", "nack-frame")}
    return VIRTUAL[model].wire.protocol != "ooi" or fault not in ("garble-frame", "nack-frame")


@pytest.mark.parametrize(
    ("model", "fault"),
    [pair for pair in itertools.product(["USB2000+", "USB4000", "STS", "SR4"], FRAME_FAULTS) if _strikes(*pair)],
)
def test_a_broken_transfer_asks_to_reopen_and_reopening_cures(rig, opened, model, fault):
    serial, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(10_000))
    good = one(spectrometer).counts_sum
    rig.control.fault(serial, fault, 1000 if fault == "short" else 13)
    with pytest.raises(Reopen) as told:
        one(spectrometer)
    assert type(told.value) is Reopen
    assert "\n" not in str(told.value)
    assert model in str(told.value)
    with pytest.raises(Reopen, match="not open"):
        one(spectrometer)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    assert np.abs(one(spectrometer).counts_sum.mean() - good.mean()) < 0.02 * good.mean()


@pytest.mark.parametrize("model", ["USB2000+", "STS"])
def test_a_late_frame_is_never_taken_for_the_next(rig, opened, model):
    serial, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(90_000))
    rig.control.fault(serial, "late", 1.2)
    with pytest.raises(Reopen, match="in time"):
        one(spectrometer)
    time.sleep(0.3)
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    first, second = (one(spectrometer).counts_sum.mean() for _ in range(2))
    assert abs(first - second) < 0.02 * second


@pytest.mark.parametrize("model", ["USB4000", "QE-PRO", "SR4"])
@pytest.mark.parametrize("fault", ["short-answer", "garble"])
def test_a_damaged_answer_while_opening_never_gives_a_wrong_description(rig, model, fault):
    serial = rig.add(model)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    good, refused = spectrometer.open(), 0
    for skipped in range(0, 18, 3):
        rig.control.fault(serial, "short-answer", 10_000, times=skipped)  # takes a turn and cuts nothing
        rig.control.fault(serial, fault, 5)
        try:
            told = spectrometer.open()
        except Reopen:
            refused += 1
        else:
            assert (told.serial, told.calibrated, told.nonlinearity) == (serial, True, good.nonlinearity)
            assert np.array_equal(told.wavelengths_nm, good.wavelengths_nm)
            assert told.saturation_counts == good.saturation_counts
        rig.control.clear_faults(serial)
    assert refused > 1
    assert spectrometer.open().serial == serial
    spectrometer.close()


@EACH_PROTOCOL
def test_what_an_earlier_process_left_behind_is_not_read(rig, model):
    """A frame asked for and never fetched, then kill -9: no close, no reset, and the next open reads only its own."""
    serial = rig.add(model)
    address = rig.address(serial)
    left = rig.bus.open(address.address)
    ask = b"\x09" if VIRTUAL[model].wire.protocol == "ooi" else _obp_request(model)
    rig.bus.claim(left)
    rig.bus.write(left, 0x01, ask)
    rig.bus.close(left)
    time.sleep(0.15)
    spectrometer = OceanSpectrometer(address, "virtual")
    assert spectrometer.open().serial == serial
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()
    spectrometer.close()


def _obp_request(model):
    wire = VIRTUAL[model].wire
    return pack(0x2000 if wire.protocol == "obp2" else 0x1100, wire.spectrum_message, b"", 0)


@pytest.mark.parametrize("model", ["USB4000", "QE-PRO"])
def test_unplugged_is_gone_at_once_and_a_replugged_one_opens_at_its_new_address(rig, opened, model):
    serial, spectrometer, _ = opened(model)
    spectrometer.set_exposure(Exposure(10_000))
    rig.control.fault(serial, "unplug", 0.003)
    with pytest.raises(Gone, match="unplugged"):
        for _ in range(3):
            one(spectrometer)
    spectrometer.close()
    with pytest.raises(Gone):
        spectrometer.open()
    rig.control.plug(serial)
    again = OceanSpectrometer(rig.address(serial), "virtual")
    assert again.open().serial == serial
    again.close()


def test_no_permission_is_denied(rig):
    serial = rig.add("USB2000+")
    rig.control.deny(serial, True)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    with pytest.raises(Denied, match="udev"):
        spectrometer.open()
    rig.control.deny(serial, False)
    assert spectrometer.open().serial == serial
    spectrometer.close()


def test_a_busy_device_is_left_in_peace(rig, opened):
    serial, holder, _ = opened("STS")
    holder.set_exposure(Exposure(10_000))
    resets = rig.control.resets(serial)
    second = OceanSpectrometer(rig.address(serial), "virtual")
    for _ in range(2):
        with pytest.raises(Busy, match="another program"):
            second.open()
    second.close()
    assert rig.control.resets(serial) == resets
    assert one(holder).counts_sum.any()


def test_a_refused_integration_time_is_asked_for_again_then_said_and_the_device_stays_usable(rig, opened):
    serial, spectrometer, _ = opened("QE-PRO")
    rig.control.fault(serial, "nack-set", 6)
    spectrometer.set_exposure(Exposure(30_000))
    assert rig.bus.device(serial).instrument.ordered_integration_s == pytest.approx(0.03)
    rig.control.fault(serial, "nack-set", 6, times=2)
    with pytest.raises(Refused, match="20000 us: invalid payload"):
        spectrometer.set_exposure(Exposure(20_000))
    with pytest.raises(Refused, match="no exposure"):
        one(spectrometer)
    spectrometer.set_exposure(Exposure(20_000))
    assert one(spectrometer).exposure.integration_us == 20_000


def test_an_order_that_an_ooi_device_ignores_is_noticed_where_it_tells_its_state(rig, opened):
    serial, spectrometer, _ = opened("USB4000")
    spectrometer.set_exposure(Exposure(10_000))
    instrument = rig.bus.device(serial).instrument
    rig.control.fault(serial, "nack-set")
    spectrometer.set_exposure(Exposure(20_000))
    assert instrument.ordered_integration_s == pytest.approx(0.02)
    rig.control.fault(serial, "nack-set", times=2)
    with pytest.raises(Refused, match="asked for 10000 us and stays at 20000 us"):
        spectrometer.set_exposure(Exposure(10_000))
    spectrometer.set_exposure(Exposure(10_000, trigger=Trigger.EDGE))
    assert rig.bus.device(serial).instrument.triggers.mode == 3


HOSTILE = {
    "nan": {1: b"nan"},
    "infinite": {2: b"1e400"},
    "another script": {1: "١٢٣".encode()},
    "falling": {1: b"1000", 2: b"-0.2"},
    "turning": {3: b"-1e-3"},
    "blank": {1: b"", 2: b"", 3: b"", 4: b""},
    "erased": {1: b"\xff" * 15},
}


@pytest.mark.parametrize(
    ("model", "hostile"), [*(("USB4000", hostile) for hostile in HOSTILE), ("USB2000+", "nan"), ("FLAME-S", "turning")]
)
def test_a_hostile_eeprom_gives_pixels_and_still_reads(rig, model, hostile):
    serial = rig.add(model)
    for slot, content in HOSTILE[hostile].items():
        rig.control.eeprom(serial, slot, content)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    told = spectrometer.open()
    assert not told.calibrated
    assert told.wavelengths_nm.tolist() == list(range(VIRTUAL[model].detector.pixels))
    spectrometer.set_exposure(Exposure(10_000))
    assert one(spectrometer).counts_sum.any()
    spectrometer.close()


@pytest.mark.parametrize("content", [b"nan", b"1e400", b"", b"0.2", "٣".encode()])
def test_a_hostile_nonlinearity_is_left_out(rig, content):
    serial = rig.add("USB4000")
    rig.control.eeprom(serial, 6, content)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    assert spectrometer.open().nonlinearity == ()
    spectrometer.close()


@pytest.mark.parametrize("serial_bytes", [b"FIFTEENBYTESOK!", b"\xff\xfe\x80bad", b""])
def test_a_serial_number_the_library_cannot_read_is_read_all_the_same(rig, serial_bytes):
    serial = rig.add("USB2000+")
    rig.control.eeprom(serial, 0, serial_bytes)
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    assert spectrometer.open().serial == serial_bytes.decode("ascii", "backslashreplace")
    spectrometer.close()


@pytest.mark.parametrize("level", [0, 12])
def test_a_blank_saturation_slot_does_not_mark_everything(rig, level):
    serial = rig.add("USB2000+")
    rig.control.eeprom(serial, 17, struct.pack("<4xH", level))
    spectrometer = OceanSpectrometer(rig.address(serial), "virtual")
    assert spectrometer.open().saturation_counts == 65535
    spectrometer.close()
