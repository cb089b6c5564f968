"""The bus as a kernel: addresses, claims, errors."""

import struct
import threading
import time

import libusb_package
import pytest
import usb.backend.libusb1
import usb.core
import usb.util
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers.virtual import Light, VirtualBackend, VirtualBus, scene, spectrometer
from oesd_drivers.virtual.firmware import Answer
from oesd_drivers.virtual.libusb import BusError, Code
from oesd_drivers.virtual.obp import frame


@pytest.fixture
def plugged(world):
    world.control.add("USB2000+", "A")
    world.control.add("STS", "B")
    return world


@pytest.mark.parametrize("code", Code)
def test_errors_are_those_of_libusb(code):
    assert libusb_package.get_libusb1_backend() is not None

    class Failing(VirtualBus):
        def open(self, address):
            raise BusError(code)

    with pytest.raises(usb.core.USBError) as real:
        usb.backend.libusb1._check(int(code))
    node = type("Node", (), {"address": 1})()
    with pytest.raises(usb.core.USBError) as ours:
        VirtualBackend(Failing()).open_device(node)
    for a, b in [(real.value, ours.value)]:
        assert (type(a), str(a), a.errno, a.backend_error_code) == (type(b), str(b), b.errno, b.backend_error_code)


def test_a_new_plug_is_a_new_address_at_the_same_port(plugged):
    before = {node.product: node for node in plugged.bus.nodes()}
    plugged.control.unplug("A")
    assert [node.product for node in plugged.bus.nodes()] == ["STS"]
    plugged.control.plug("A")
    after = {node.product: node for node in plugged.bus.nodes()}
    assert after["USB2000+"].address > before["STS"].address
    assert after["USB2000+"].port == before["USB2000+"].port
    assert after["STS"] == before["STS"]
    plugged.control.plug("A")
    assert len(plugged.bus.nodes()) == 2


def test_addresses_wrap_round_what_is_taken(plugged):
    seen = set()
    for _ in range(200):
        plugged.control.unplug("A")
        plugged.control.plug("A")
        address = {node.product: node.address for node in plugged.bus.nodes()}
        assert address["STS"] == 2
        seen.add(address["USB2000+"])
    assert seen == set(range(1, 128)) - {2}


def test_an_old_handle_is_dead_after_a_new_plug(plugged):
    bus = plugged.bus
    handle = bus.open(1)
    bus.check(handle)
    plugged.control.unplug("A")
    plugged.control.plug("A")
    for call in (bus.check, bus.configure, bus.claim, bus.release, bus.reset):
        with pytest.raises(BusError) as failed:
            call(handle)
        assert failed.value.code is Code.NO_DEVICE
    bus.close(handle)
    bus.close(handle)


def test_one_claim_at_a_time(plugged):
    bus = plugged.bus
    first, second = bus.open(1), bus.open(1)
    bus.claim(first)
    bus.claim(first)
    for call in (bus.configure, bus.claim, lambda h: bus.write(h, 1, b"\x01"), lambda h: bus.read(h, 0x81, 64, 10)):
        with pytest.raises(BusError) as failed:
            call(second)
        assert failed.value.code is Code.BUSY
    bus.reset(second)  # the kernel lets anybody reset
    bus.close(first)
    bus.claim(second)


@pytest.mark.parametrize(("switch", "call", "code"), [("deny", "open", Code.ACCESS), ("busy", "configure", Code.BUSY)])
def test_switches(plugged, switch, call, code):
    bus = plugged.bus
    target = 1 if call == "open" else bus.open(1)
    getattr(plugged.control, switch)("A", True)
    with pytest.raises(BusError) as failed:
        getattr(bus, call)(target)
    assert failed.value.code is code
    getattr(plugged.control, switch)("A", False)
    getattr(bus, call)(target)


def test_transfer_rules(plugged):
    bus = plugged.bus
    handle = bus.open(1)
    bus.write(handle, 1, b"\x05\x00")
    with pytest.raises(BusError) as failed:
        bus.read(handle, 0x81, 4, 50)  # 17 bytes in one packet do not fit into 4
    assert failed.value.code is Code.OVERFLOW
    bus.write(handle, 1, b"\x05\x00")
    assert bus.read(handle, 0x81, 512, 50)[2:3] == b"A"
    with pytest.raises(BusError) as failed:
        bus.read(handle, 0x81, 512, 10)
    assert failed.value.code is Code.TIMEOUT
    for call in (lambda: bus.read(handle, 0x99, 64, 10), lambda: bus.write(handle, 2, b"\x01")):
        with pytest.raises(BusError) as failed:
            call()
        assert failed.value.code is Code.NOT_FOUND


@given(st.binary(min_size=1, max_size=3000), st.lists(st.integers(1, 20), max_size=30))
def test_reads_of_whole_packets_put_an_answer_together(content, packets):
    world_bus = VirtualBus()
    device = spectrometer("STS", "B", Light(scene("dark"), time.monotonic))
    world_bus.plug(device)
    handle = world_bus.open(1)
    with device.condition:
        device._queue([Answer(0x81, content, 0.0)])
    got = b""
    for size in [*(64 * n for n in packets), 4096]:
        if len(got) < len(content):
            part = world_bus.read(handle, 0x81, size, 1)
            assert len(part) <= size
            got += part
    assert got == content
    with pytest.raises(BusError):
        world_bus.read(handle, 0x81, 64, 1)


def test_a_host_that_does_not_read_loses_what_overfills(plugged):
    bus = plugged.bus
    handle = bus.open(1)
    for _ in range(200):
        bus.write(handle, 1, b"\xfe")
    answers = 0
    with pytest.raises(BusError) as failed:
        while bus.read(handle, 0x81, 64, 1):
            answers += 1
    assert failed.value.code is Code.TIMEOUT
    assert answers == 64


def test_a_close_wakes_its_reader(plugged):
    bus = plugged.bus
    handle = bus.open(1)
    failures: list[Code] = []

    def read() -> None:
        try:
            bus.read(handle, 0x81, 64, 0)
        except BusError as error:
            failures.append(error.code)

    reader = threading.Thread(target=read)
    reader.start()
    bus.close(handle)
    reader.join(5)
    assert failures == [Code.NO_DEVICE]


def test_pyusbs_other_calls(plugged):
    ooi = next(d for d in plugged.found() if d.idProduct == 0x101E)
    assert not ooi.is_kernel_driver_active(0)
    for call in (ooi.detach_kernel_driver, ooi.attach_kernel_driver):
        with pytest.raises(usb.core.USBError) as failed:
            call(0)
        assert failed.value.errno == 2
    with pytest.raises(usb.core.USBError) as failed:
        ooi.ctrl_transfer(0x80, 0, 0, 0, 2)
    assert failed.value.errno == 32
    with pytest.raises(usb.core.USBError) as failed:
        usb.util.get_string(ooi, 9)
    assert failed.value.errno == 32
    ooi.set_interface_altsetting(0, 0)
    ooi.clear_halt(0x82)
    assert ooi.parent is None
    usb.util.dispose_resources(ooi)


def test_obp_commands_in_pieces_and_unknown_ones(plugged):
    bus = plugged.bus
    handle = bus.open(2)
    ask = frame(0x1100, 0x100, b"", 0)
    bus.write(handle, 1, ask[:30])
    bus.write(handle, 1, ask[30:] + frame(0x1100, 0x00400001, b"", 0))
    assert bus.read(handle, 0x81, 64, 100)[24:25] == b"B"
    assert struct.unpack_from("<f", bus.read(handle, 0x81, 64, 100), 24) == (24.0,)
    bus.write(handle, 1, ask[:30])
    bus.reset(handle)  # half a command is forgotten
    bus.write(handle, 1, frame(0x1100, 0xDEAD, b"", 0))
    flags, error = struct.unpack_from("<HH", bus.read(handle, 0x81, 64, 100), 4)
    assert (flags & 0x0008, error) == (0x0008, 2)


def test_unknown_commands_are_ignored_or_refused(plugged):
    bus = plugged.bus
    ooi, obp = bus.open(1), bus.open(2)
    for junk in (b"", b"\x42", b"\x02\x01", b"\xff" * 64):
        assert bus.write(ooi, 1, junk) == len(junk)
        assert bus.write(obp, 1, junk) == len(junk)
    bus.write(ooi, 1, b"\xfe")
    assert len(bus.read(ooi, 0x81, 64, 100)) == 16
