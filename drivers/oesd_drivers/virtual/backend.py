"""pyusb's backend interface over a virtual bus, local or in another process.

The exceptions are those ``usb.backend.libusb1`` raises for the same code: class, text, ``backend_error_code`` and
``errno``. Code under test therefore cannot tell the difference.
"""

# pyright: reportIncompatibleMethodOverride=false
# (pyusb's abstract methods have no types; pyright takes their missing return for None)

from __future__ import annotations

import errno
from array import array
from types import SimpleNamespace
from typing import Any, NoReturn, Protocol

import usb.backend
import usb.core

from .libusb import BusError, Code
from .node import Node

_TEXTS: dict[Code, tuple[str, int]] = {
    Code.IO: ("Input/Output Error", errno.EIO),
    Code.INVALID_PARAM: ("Invalid parameter", errno.EINVAL),
    Code.ACCESS: ("Access denied (insufficient permissions)", errno.EACCES),
    Code.NO_DEVICE: ("No such device (it may have been disconnected)", errno.ENODEV),
    Code.NOT_FOUND: ("Entity not found", errno.ENOENT),
    Code.BUSY: ("Resource busy", errno.EBUSY),
    Code.TIMEOUT: ("Operation timed out", errno.ETIMEDOUT),
    Code.OVERFLOW: ("Overflow", errno.EOVERFLOW),
    Code.PIPE: ("Pipe error", errno.EPIPE),
}
_GET_DESCRIPTOR, _STRING = 6, 3
_US_ENGLISH = bytes((4, _STRING, 0x09, 0x04))


class Bus(Protocol):
    """What a backend asks of a bus: plain values in, plain values out, :class:`BusError` on failure.

    Handles are numbers; a handle dies with its device's unplugging (``NO_DEVICE``) and never comes back.
    """

    def nodes(self) -> list[Node]:
        """What is plugged in now, by address."""
        ...

    def open(self, address: int) -> int:
        """Open the node at an address and return a handle."""
        ...

    def close(self, handle: int) -> None:
        """Close a handle and drop its claim; harmless when it is dead."""
        ...

    def check(self, handle: int) -> None:
        """Raise ``NO_DEVICE`` when the handle's device is gone."""
        ...

    def configure(self, handle: int) -> None:
        """Set configuration 1; ``BUSY`` while another handle holds the claim."""
        ...

    def claim(self, handle: int) -> None:
        """Claim interface 0."""
        ...

    def release(self, handle: int) -> None:
        """Give the claim back."""
        ...

    def reset(self, handle: int) -> None:
        """USB port reset: queued data are lost, settings stay."""
        ...

    def write(self, handle: int, endpoint: int, data: bytes) -> int:
        """Bulk write; the number of bytes taken."""
        ...

    def read(self, handle: int, endpoint: int, size: int, timeout_ms: int) -> bytes:
        """Bulk read up to ``size`` bytes; 0 waits for ever, as in libusb."""
        ...


def _fail(error: BusError) -> NoReturn:
    text, number = _TEXTS[error.code]
    if error.code is Code.TIMEOUT:
        raise usb.core.USBTimeoutError(text, int(error.code), number) from error
    raise usb.core.USBError(text, int(error.code), number) from error


def _string_descriptor(text: str) -> bytes:
    body = text.encode("utf-16-le")[:252]
    return bytes((len(body) + 2, _STRING)) + body


class VirtualBackend(usb.backend.IBackend):  # type: ignore[misc]  # pyusb has no types
    """A pyusb backend whose devices live on a virtual bus.

    Parameters
    ----------
    bus : Bus
        A :class:`~oesd_drivers.virtual.VirtualBus` in this process or a
        :class:`~oesd_drivers.virtual.RemoteBus` from :func:`~oesd_drivers.virtual.connect`.
    """

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def _call(self, operation: Any, *arguments: Any) -> Any:
        try:
            return operation(*arguments)
        except BusError as error:
            _fail(error)

    def enumerate_devices(self) -> list[Node]:
        """Return the nodes; nothing is opened or disturbed."""
        nodes: list[Node] = self._call(self.bus.nodes)
        return nodes

    def get_parent(self, dev: Node) -> None:
        """Virtual devices hang on the root hub, which has no parent."""

    def get_device_descriptor(self, dev: Node) -> SimpleNamespace:
        """Device descriptor with the fields pyusb adds for libusb."""
        return dev.device_descriptor()

    def get_configuration_descriptor(self, dev: Node, config: int) -> SimpleNamespace:
        """Return the one configuration."""
        if config:
            raise IndexError("Invalid configuration index")
        return dev.configuration_descriptor()

    def get_interface_descriptor(self, dev: Node, intf: int, alt: int, config: int) -> SimpleNamespace:
        """Return the one interface."""
        if intf or alt or config:
            raise IndexError("Invalid interface index")
        return dev.interface_descriptor()

    def get_endpoint_descriptor(self, dev: Node, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:
        """Endpoint ``ep`` of the one interface, the out endpoint first."""
        return dev.endpoint_descriptor(ep)

    def open_device(self, dev: Node) -> tuple[Node, int]:
        """Open; the handle carries its node for the string descriptors."""
        return dev, self._call(self.bus.open, dev.address)

    def close_device(self, dev_handle: tuple[Node, int]) -> None:
        """Close the handle and drop its claim."""
        self._call(self.bus.close, dev_handle[1])

    def set_configuration(self, dev_handle: tuple[Node, int], config_value: int) -> None:
        """Set configuration 1 (errno 16 when another handle has claimed the interface)."""
        self._call(self.bus.configure, dev_handle[1])

    def get_configuration(self, dev_handle: tuple[Node, int]) -> int:
        """Configuration 1, while the device is there."""
        self._call(self.bus.check, dev_handle[1])
        return 1

    def set_interface_altsetting(self, dev_handle: tuple[Node, int], intf: int, altsetting: int) -> None:
        """Nothing to choose from."""
        self._call(self.bus.check, dev_handle[1])

    def claim_interface(self, dev_handle: tuple[Node, int], intf: int) -> None:
        """Claim interface 0."""
        self._call(self.bus.claim, dev_handle[1])

    def release_interface(self, dev_handle: tuple[Node, int], intf: int) -> None:
        """Give the claim back."""
        self._call(self.bus.release, dev_handle[1])

    def bulk_write(self, dev_handle: tuple[Node, int], ep: int, intf: int, data: array[int], timeout: int) -> int:
        """Write; virtual devices always take the data at once."""
        return int(self._call(self.bus.write, dev_handle[1], ep, data.tobytes()))

    def bulk_read(self, dev_handle: tuple[Node, int], ep: int, intf: int, buff: array[int], timeout: int) -> int:
        """Read into ``buff`` and return the number of bytes."""
        got: bytes = self._call(self.bus.read, dev_handle[1], ep, len(buff) * buff.itemsize, timeout)
        memoryview(buff).cast("B")[: len(got)] = got
        return len(got)

    def ctrl_transfer(
        self,
        dev_handle: tuple[Node, int],
        bmRequestType: int,  # noqa: N803  # pyusb passes these by name
        bRequest: int,  # noqa: N803
        wValue: int,  # noqa: N803
        wIndex: int,  # noqa: N803
        data: array[int],
        timeout: int,
    ) -> int:
        """String descriptors (manufacturer and product); anything else stalls."""
        self._call(self.bus.check, dev_handle[1])
        if bmRequestType != 0x80 or bRequest != _GET_DESCRIPTOR or wValue >> 8 != _STRING:
            _fail(BusError(Code.PIPE))
        node, index = dev_handle[0], wValue & 0xFF
        texts = {0: _US_ENGLISH, 1: _string_descriptor(node.manufacturer), 2: _string_descriptor(node.product)}
        if index not in texts:
            _fail(BusError(Code.PIPE))
        answer = texts[index][: len(data)]
        memoryview(data).cast("B")[: len(answer)] = answer
        return len(answer)

    def clear_halt(self, dev_handle: tuple[Node, int], ep: int) -> None:
        """Virtual stalls last one transfer; there is nothing to clear."""
        self._call(self.bus.check, dev_handle[1])

    def reset_device(self, dev_handle: tuple[Node, int]) -> None:
        """USB port reset, also by a handle without the claim: the kernel allows it."""
        self._call(self.bus.reset, dev_handle[1])

    def is_kernel_driver_active(self, dev_handle: tuple[Node, int], intf: int) -> bool:
        """Never: no kernel driver knows these devices."""
        self._call(self.bus.check, dev_handle[1])
        return False

    def detach_kernel_driver(self, dev_handle: tuple[Node, int], intf: int) -> None:
        """There is none."""
        _fail(BusError(Code.NOT_FOUND))

    def attach_kernel_driver(self, dev_handle: tuple[Node, int], intf: int) -> None:
        """There is none."""
        _fail(BusError(Code.NOT_FOUND))
