from __future__ import annotations

import sys

import pytest
from seabreeze.pyseabreeze import devices
from seabreeze.pyseabreeze.transport import USBTransport

from oesd_drivers import usb as known
from oesd_drivers.errors import GiveUp, Gone
from oesd_drivers.spectrometer import Address


def test_the_table_holds_what_pyseabreeze_can_drive():
    assert devices.SeaBreezeDevice  # importing it fills pyseabreeze's table
    assert set(known.MODELS) == set(USBTransport.vendor_product_ids)


def test_lists_by_descriptors_alone(rig):
    serials = [rig.add(model) for model in ("USB2000+", "QE-PRO", "SR4")]
    rig.control.deny(serials[0], True)
    rig.control.busy(serials[1], True)
    found = known.plugged("virtual")
    assert [entry.model for entry in found] == ["USB2000+", "QE-PRO", "SR4"]
    assert [entry.address.port for entry in found] == ["250-1", "250-2", "250-3"]
    assert rig.bus.opened == 0
    assert rig.bus.sent == rig.bus.received == []
    assert [rig.control.resets(serial) for serial in serials] == [0, 0, 0]


def test_a_replugged_device_has_a_new_address_at_its_old_port(rig):
    serial = rig.add("STS")
    before = rig.address(serial)
    rig.control.unplug(serial)
    assert known.plugged("virtual") == []
    with pytest.raises(Gone):
        known.find(before, "virtual")
    rig.control.plug(serial)
    after = rig.address(serial)
    assert (after.port, after.product_id) == (before.port, before.product_id)
    assert after.address != before.address


def test_the_bundled_libusb_lists_without_failing():
    assert isinstance(known.plugged("libusb"), list)


@pytest.mark.parametrize("backend", ["libusb0", "", "os.system"])
def test_an_unknown_backend_is_refused(backend):
    with pytest.raises(GiveUp, match="unknown USB backend"):
        known.plugged(backend)


@pytest.mark.parametrize("path", [None, "/nonexistent/bus"])
def test_no_virtual_bus_is_said_in_one_line(monkeypatch, path):
    assert "usb.backend.virtual" not in sys.modules
    if path is None:
        monkeypatch.delenv("OESD_VIRTUAL_BUS", raising=False)
    else:
        monkeypatch.setenv("OESD_VIRTUAL_BUS", path)
    with pytest.raises(GiveUp, match="virtual bus") as told:
        known.plugged("virtual")
    assert "\n" not in str(told.value)


def test_addresses_show_as_lsusb_shows_them():
    assert str(Address(3, 12, 0x2457, 0x101E)) == "003:012 (2457:101e)"
