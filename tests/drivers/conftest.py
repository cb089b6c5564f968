"""Rigs on the virtual bus: one in this process with every transfer recorded, one in a host process for workers."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from oesd_drivers import virtual
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import Address, Description, Frame, Spectrometer
from oesd_drivers.usb import plugged

MODELS = {
    "USB2000+": "OOI-1",
    "FLAME-S": "OOI-2",
    "USB4000": "OOI-3",
    "STS": "OBP-1",
    "QE-PRO": "OBP-2",
    "SR4": "OBP-3",
}


def one(spectrometer: Spectrometer) -> Frame:
    """The only frame of a series of one."""
    (frame,) = spectrometer.take()
    return frame


class TappedBus(virtual.VirtualBus):
    """A bus that keeps what went over it."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = 0
        self.sent: list[bytes] = []
        self.received: list[tuple[int, bytes]] = []
        self.on_write: Callable[[], None] = lambda: None

    def open(self, address: int) -> int:
        self.opened += 1
        return super().open(address)

    def write(self, handle: int, endpoint: int, data: bytes) -> int:
        self.sent.append(data)
        self.on_write()
        return super().write(handle, endpoint, data)

    def read(self, handle: int, endpoint: int, size: int, timeout_ms: int) -> bytes:
        data = super().read(handle, endpoint, size, timeout_ms)
        self.received.append((endpoint, data))
        return data


@dataclass
class Rig:
    """A bus in this process and the hands on it."""

    bus: TappedBus
    control: virtual.BusControl

    def add(self, model: str) -> str:
        serial = MODELS.get(model, "FAMILY-1")
        self.control.add(model, serial)
        return serial

    def address(self, serial: str) -> Address:
        node = self.bus.device(serial).node
        assert node is not None
        return next(found.address for found in plugged("virtual") if found.address.address == node.address)


@pytest.fixture
def rig() -> Iterator[Rig]:
    bus = TappedBus()
    light = virtual.Light(virtual.scene("halogen"), time.monotonic)
    virtual.install(bus)
    yield Rig(bus, virtual.BusControl(bus, light, seed=7))
    del sys.modules["usb.backend.virtual"]


@pytest.fixture
def opened(rig: Rig) -> Iterator[Callable[[str], tuple[str, OceanSpectrometer, Description]]]:
    """Plug in a model and open it; closed at the end."""
    made: list[OceanSpectrometer] = []

    def open_(model: str) -> tuple[str, OceanSpectrometer, Description]:
        serial = rig.add(model)
        made.append(OceanSpectrometer(rig.address(serial), "virtual"))
        return serial, made[-1], made[-1].open()

    yield open_
    for spectrometer in made:
        spectrometer.close()


@dataclass
class Host:
    """A bus in another process, for spectrometers in workers."""

    process: virtual.HostProcess
    remote: virtual.RemoteBus

    @property
    def control(self) -> virtual.HostControl:
        return self.process.control

    def address(self, serial: str) -> Address:
        """Address of a device by the port it keeps: ports count up in the order of MODELS."""
        port = list(MODELS.values()).index(serial) + 1
        node = next(node for node in self.remote.nodes() if node.port == port)
        return Address(250, node.address, node.vendor_id, node.product_id, f"250-{port}")


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    with virtual.spawn_host(list(MODELS.items()), scene="halogen", seed=7) as process:
        remote = virtual.connect(process.path)
        yield Host(process, remote)
        remote.disconnect()


@pytest.fixture
def isolated(host: Host) -> Iterator[Callable[..., IsolatedSpectrometer]]:
    """Make isolated spectrometers of a serial number; they are closed at the end."""
    made: list[IsolatedSpectrometer] = []

    def make(serial: str, **options: Any) -> IsolatedSpectrometer:
        environment = {virtual.ENVIRONMENT: str(host.process.path)}
        made.append(IsolatedSpectrometer(host.address(serial), "virtual", env=environment, **options))
        return made[-1]

    yield make
    for spectrometer in made:
        spectrometer.close()
    for serial in MODELS.values():
        host.control.clear_faults(serial)
