import gc
import time

import pytest
import usb.core
from seabreeze.pyseabreeze.devices import SeaBreezeDevice
from seabreeze.pyseabreeze.transport import USBTransport, USBTransportHandle

from oesd_drivers.virtual import BusControl, Light, VirtualBackend, VirtualBus, scene


class World:
    """A bus, its light, its control, and unmodified seabreeze devices on it."""

    def __init__(self, scene_name: str, seed: int = 1) -> None:
        self.bus = VirtualBus()
        self.light = Light(scene(scene_name), time.monotonic)
        self.control = BusControl(self.bus, self.light, seed)
        self.backend = VirtualBackend(self.bus)
        self._opened: list[SeaBreezeDevice] = []

    def found(self, backend: VirtualBackend | None = None) -> list[usb.core.Device]:
        return list(usb.core.find(find_all=True, backend=backend or self.backend))

    def open(self, model: str, serial: str = "OES00001") -> SeaBreezeDevice:
        self.control.add(model, serial)
        return self.open_last()

    def open_last(self, backend: VirtualBackend | None = None) -> SeaBreezeDevice:
        found = [d for d in self.found(backend) if (d.idVendor, d.idProduct) in USBTransport.vendor_product_ids]
        device = SeaBreezeDevice(USBTransportHandle(found[-1]))
        self._opened.append(device)
        device.open()
        return device

    def close(self) -> None:
        for device in self._opened:
            device.close()
        self._opened.clear()


@pytest.fixture
def worlds():
    made: list[World] = []

    def make(scene_name: str = "argon-metals", seed: int = 1) -> World:
        made.append(World(scene_name, seed))
        return made[-1]

    yield make
    for world in made:
        world.close()
    gc.collect()  # seabreeze's handles reset their device in __del__: here, not in another test


@pytest.fixture
def world(worlds):
    return worlds()
