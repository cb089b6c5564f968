"""The bus in another process."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import usb.core
from seabreeze.pyseabreeze.devices import SeaBreezeDevice
from seabreeze.pyseabreeze.transport import USBTransportHandle

from oesd_drivers.virtual import (
    ENVIRONMENT,
    FaultKind,
    HostError,
    VirtualBackend,
    connect,
    install_from_environment,
    spawn_host,
)
from oesd_drivers.virtual.libusb import BusError, Code

DEVICES = [("USB2000+", "AAA"), ("STS", "BBB"), ("SR4", "CCC")]

CLIENT = """
import sys
from oesd_drivers.virtual import connect
bus = connect(sys.argv[1])
handle = bus.open(int(sys.argv[2]))
bus.claim(handle)
print("claimed", flush=True)
bus.read(handle, 0x81, 64, 0)
"""


@pytest.fixture(scope="module")
def host():
    with spawn_host(DEVICES, "hg-ar-lamp", seed=5) as running:
        yield running


@pytest.fixture
def remote(host):
    bus = connect(host.path)
    yield bus
    bus.disconnect()


def until(condition, deadline_s=10.0):
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "condition never came"
        time.sleep(0.005)


def address_of(bus, product):
    return {node.product: node.address for node in bus.nodes()}[product]


def frames(backend, address, count=3):
    found = usb.core.find(backend=backend, custom_match=lambda d: d.address == address)
    device = SeaBreezeDevice(USBTransportHandle(found))
    device.open()
    feature = device.f.spectrometer
    feature.set_integration_time_micros(8000)
    feature.get_intensities()
    taken = [feature.get_intensities() for _ in range(count)]
    wavelengths_nm = feature.get_wavelengths()
    device.close()
    return wavelengths_nm, np.array(taken)


@pytest.mark.parametrize("model", ["USB4000", "QE-PRO"])
def test_remote_frames_are_the_local_ones(worlds, host, remote, model):
    serial = f"S{model[:3]}"
    host.control.add(model, serial)
    world = worlds("hg-ar-lamp", seed=5)
    world.control.add(model, serial)
    here = frames(world.backend, 1)
    there = frames(VirtualBackend(remote), address_of(remote, model))
    assert np.array_equal(here[0], there[0])
    assert np.array_equal(here[1], there[1])


def test_the_socket_is_private(host):
    assert stat.S_IMODE(host.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(host.path.stat().st_mode) == 0o600


def test_a_killed_clients_claim_is_free(host, remote):
    address = address_of(remote, "USB2000+")
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(host.path), str(address)], stdout=subprocess.PIPE)
    assert client.stdout is not None
    with client.stdout:
        assert client.stdout.readline() == b"claimed\n"
        handle = remote.open(address)
        with pytest.raises(BusError) as failed:
            remote.claim(handle)
        assert failed.value.code is Code.BUSY
        client.kill()
        client.wait()
    until(lambda: _claims(remote, handle))
    remote.close(handle)
    assert host.alive


def _claims(bus, handle):
    try:
        bus.claim(handle)
    except BusError:
        return False
    return True


def test_a_wedged_reader_can_be_killed(host, remote):
    address = address_of(remote, "USB2000+")
    host.control.fault("AAA", FaultKind.WEDGE)
    client = subprocess.Popen([sys.executable, "-c", CLIENT, str(host.path), str(address)], stdout=subprocess.PIPE)
    assert client.stdout is not None
    with client.stdout:
        assert client.stdout.readline() == b"claimed\n"
        until(lambda: host.control.faults_waiting("AAA") == 0)
        client.kill()
        client.wait()
    handle = remote.open(address)
    until(lambda: _claims(remote, handle))
    remote.write(handle, 1, b"\xfe")
    assert len(remote.read(handle, 0x81, 64, 1000)) == 16
    remote.close(handle)


def test_threads_do_not_wait_for_each_others_reads(remote):
    slow, quick = remote.open(address_of(remote, "USB2000+")), remote.open(address_of(remote, "STS"))
    outcome: list[Code] = []

    def read() -> None:
        try:
            remote.read(slow, 0x81, 64, 3000)
        except BusError as error:
            outcome.append(error.code)

    reader = threading.Thread(target=read)
    reader.start()
    began = time.monotonic()
    for _ in range(20):
        remote.check(quick)
    assert time.monotonic() - began < 1.0
    assert reader.is_alive()
    remote.close(slow)
    reader.join(2)
    assert outcome == [Code.NO_DEVICE]
    remote.close(quick)


def test_control_reaches_the_devices(host, remote):
    address = address_of(remote, "STS")
    backend = VirtualBackend(remote)
    lit = frames(backend, address)[1]
    host.control.shutter("BBB", True)
    dark = frames(backend, address)[1]
    host.control.lamp("BBB", True)
    assert frames(backend, address)[1].mean() > dark.mean() + 50
    host.control.lamp("BBB", False)
    host.control.shutter("BBB", False)
    host.control.light(0.0)
    off = frames(backend, address)[1]
    host.control.light(1.0)
    assert lit.max() > dark.max() + 50
    assert abs(dark.mean() - off.mean()) < 1.0
    assert host.control.resets("BBB") > 0


def test_plugging_through_the_control(host, remote):
    before = address_of(remote, "SR4")
    handle = remote.open(before)
    host.control.unplug("CCC")
    assert "SR4" not in {node.product for node in remote.nodes()}
    with pytest.raises(BusError) as failed:
        remote.check(handle)
    assert failed.value.code is Code.NO_DEVICE
    host.control.plug("CCC")
    assert address_of(remote, "SR4") != before


def test_switches_eeprom_and_trigger_through_the_control(host, remote):
    address = address_of(remote, "USB2000+")
    host.control.deny("AAA", True)
    with pytest.raises(BusError) as failed:
        remote.open(address)
    assert failed.value.code is Code.ACCESS
    host.control.deny("AAA", False)
    handle = remote.open(address)
    host.control.busy("AAA", True)
    with pytest.raises(BusError):
        remote.configure(handle)
    host.control.busy("AAA", False)
    host.control.eeprom("AAA", 15, b"hello\0")
    host.control.temperature("AAA", 30.0)
    host.control.clear_faults("AAA")
    remote.reset(handle)
    remote.write(handle, 1, b"\x05\x0f")
    assert remote.read(handle, 0x81, 64, 1000) == b"\x05\x0fhello".ljust(17, b"\0")
    asked = host.control.frames("AAA")
    remote.write(handle, 1, b"\x0a\x03\x00")
    remote.write(handle, 1, b"\x09")
    host.control.trigger("AAA")
    assert host.control.frames("AAA") == asked + 1
    assert len(remote.read(handle, 0x82, 4097, 2000)) == 4097
    remote.close(handle)


def test_refusals_are_one_line(host):
    for refused in (
        lambda: host.control.shutter("nobody", True),
        lambda: host.control.fault("AAA", "gremlin"),
        lambda: host.control.add("HR9", "X"),
    ):
        with pytest.raises(HostError) as failed:
            refused()
        assert "\n" not in str(failed.value)
    assert host.control.resets("AAA") >= 0


def test_wrong_arguments_do_not_hurt_the_host(host, remote):
    for request in (("read",), ("read", "x", None, 1, 2), ("__class__",), (1, 2), ("open", 999)):
        with pytest.raises((HostError, BusError)):
            remote._client.call(*request)
    assert len(remote.nodes()) >= 3


def test_from_the_environment(host, worlds):
    os.environ[ENVIRONMENT] = str(host.path)
    try:
        backend = install_from_environment("virtual_environment_test")
    finally:
        del os.environ[ENVIRONMENT]
    assert install_from_environment() is None
    assert backend is not None
    assert sys.modules["usb.backend.virtual_environment_test"].get_backend() is backend
    assert len(backend.enumerate_devices()) >= 3
    backend.bus.disconnect()


@pytest.mark.parametrize(
    ("devices", "scene", "text"),
    [([("HR9", "A")], "dark", "unknown model 'HR9'"), ([], "sunset", "unknown scene 'sunset'")],
)
def test_a_host_that_cannot_start_says_why(devices, scene, text):
    with pytest.raises(HostError, match=text):
        spawn_host(devices, scene)


def test_a_stopped_host_takes_its_devices_and_its_directory_along():
    host = spawn_host([("STS", "A")], "dark")
    bus = connect(host.path)
    handle = bus.open(1)
    host.stop()
    host.stop()
    assert not host.alive
    assert not host.path.parent.exists()
    assert bus.nodes() == []
    with pytest.raises(BusError) as failed:
        bus.check(handle)
    assert failed.value.code is Code.NO_DEVICE
    bus.close(handle)
    bus.disconnect()
    with pytest.raises(HostError, match=r"gone|closed"):
        host.control.resets("A")
    with pytest.raises(OSError):
        connect(host.path)


def test_a_host_of_a_parent_ends_with_its_pipe_and_by_no_signal_to_the_group():
    host = spawn_host([("STS", "A")], "dark")
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(host.pid, number)
    assert host.control.resets("A") == 0  # it answers
    host._process.stdin.close()  # as when its parent dies
    assert host._process.wait(10) == 0
    assert not Path(host.path).exists()
    host.stop()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_host_of_its_own_ends_by_a_signal(end, tmp_path):
    command = [sys.executable, "-m", "oesd_drivers.virtual.host", "--socket", str(tmp_path / "bus")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as host:
        assert host.stdout is not None
        assert host.stdout.readline() == b"ready\n"
        host.send_signal(end)
        assert host.wait(10) == 0
    assert not (tmp_path / "bus").exists()


PARENT = """
import time
from oesd_drivers.virtual import spawn_host
host = spawn_host([("STS", "A")], "dark")
print(host.pid, host.path, flush=True)
time.sleep(60)
"""


def test_a_host_does_not_outlive_a_killed_parent():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        pid, path = parent.stdout.readline().decode().split()
        assert os.getpgid(int(pid)) == int(pid)  # Ctrl-C does not reach it
        parent.kill()
        parent.wait()
    until(lambda: not Path(path).exists())
    shutil.rmtree(Path(path).parent)
