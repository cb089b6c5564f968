"""The virtual bus: which devices are plugged in where, and handles by number."""

from __future__ import annotations

import itertools
import threading

from .device import Handle, VirtualDevice
from .libusb import BusError, Code
from .node import Node

_LAST_ADDRESS = 127


class VirtualBus:
    """A USB bus in this process; thread safe. Bus number 250.

    It has the operations of :class:`~oesd_drivers.virtual.backend.Bus`, and ``plug`` and ``unplug`` beside them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._devices: dict[str, VirtualDevice] = {}
        self._ports: dict[str, int] = {}
        self._handles: dict[int, Handle] = {}
        self._handle_numbers = itertools.count(1)
        self._last_address = 0

    def plug(self, device: VirtualDevice) -> Node:
        """Plug a device in: a new address, the port it always had. Plugging in twice changes nothing."""
        with self._lock:
            device.leave_if_due()
            if device.node is not None:
                return device.node
            self._devices[device.name] = device
            port = self._ports.setdefault(device.name, len(self._ports) + 1)
            vendor_id, product_id = device.usb_ids
            node = Node(
                self._free_address(), port, vendor_id, product_id, device.product, device.out_endpoint,
                device.in_endpoints,
            )  # fmt: skip
            device.plug(node)
            return node

    def unplug(self, name: str) -> None:
        """Take a device away; it stays known by name and can be plugged in again."""
        self.device(name).unplug()

    def device(self, name: str) -> VirtualDevice:
        """Return the device of a serial number, plugged in or not; ``KeyError`` for one never seen."""
        with self._lock:
            return self._devices[name]

    def devices(self) -> list[VirtualDevice]:
        """All devices ever plugged in, in order."""
        with self._lock:
            return list(self._devices.values())

    def nodes(self) -> list[Node]:
        """What is plugged in now, by address."""
        for device in self.devices():
            device.leave_if_due()
        nodes = [device.node for device in self.devices()]
        return sorted((node for node in nodes if node is not None), key=lambda node: node.address)

    def open(self, address: int) -> int:
        """Open the node at an address and return a handle."""
        handle = self._open(address)
        with self._lock:
            number = next(self._handle_numbers)
            self._handles[number] = handle
            return number

    def close(self, handle: int) -> None:
        """Close a handle and drop its claim; harmless when it is dead or unknown."""
        with self._lock:
            opened = self._handles.pop(handle, None)
        if opened is not None:
            opened.device.close(opened)

    def check(self, handle: int) -> None:
        """Raise ``NO_DEVICE`` when the handle's device is gone."""
        opened = self._opened(handle)
        opened.device.check(opened)

    def configure(self, handle: int) -> None:
        """Set configuration 1; ``BUSY`` while another handle holds the claim."""
        opened = self._opened(handle)
        opened.device.require_free(opened)

    def claim(self, handle: int) -> None:
        """Claim interface 0."""
        opened = self._opened(handle)
        opened.device.claim(opened)

    def release(self, handle: int) -> None:
        """Give the claim back."""
        opened = self._opened(handle)
        opened.device.release(opened)

    def reset(self, handle: int) -> None:
        """USB port reset: queued data are lost, settings stay."""
        opened = self._opened(handle)
        opened.device.reset(opened)

    def write(self, handle: int, endpoint: int, data: bytes) -> int:
        """Bulk write; the number of bytes taken."""
        opened = self._opened(handle)
        return opened.device.write(opened, endpoint, data)

    def read(self, handle: int, endpoint: int, size: int, timeout_ms: int) -> bytes:
        """Bulk read up to ``size`` bytes; a timeout of 0 waits for ever."""
        opened = self._opened(handle)
        return opened.device.read(opened, endpoint, size, timeout_ms)

    def _open(self, address: int) -> Handle:
        for device in self.devices():
            node = device.node
            if node is not None and node.address == address:
                return device.open(node)
        raise BusError(Code.NO_DEVICE)

    def _opened(self, handle: int) -> Handle:
        with self._lock:
            opened = self._handles.get(handle)
        if opened is None:
            raise BusError(Code.NO_DEVICE)
        return opened

    def _free_address(self) -> int:
        taken = {device.node.address for device in self._devices.values() if device.node is not None}
        address = self._last_address
        while True:
            address = address % _LAST_ADDRESS + 1
            if address not in taken:
                self._last_address = address
                return address
