"""A device as the bus shows it before anything is opened: ids, place and descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

#: The number of the virtual bus; no real bus of a PC has it.
BUS_NUMBER = 250
MANUFACTURER = "Ocean Optics Inc. (SIMULATED)"
_BULK, _HIGH_SPEED = 2, 3


@dataclass(frozen=True, slots=True)
class Node:
    """One plugging-in of one device.

    Attributes
    ----------
    address : int
        New at each plug, 1..127, as Linux gives them.
    port : int
        The socket of the root hub; a device keeps it when it is plugged in again.
    in_endpoints : tuple of (address, packet size in bytes)
    """

    address: int
    port: int
    vendor_id: int
    product_id: int
    product: str
    out_endpoint: int
    in_endpoints: tuple[tuple[int, int], ...]
    manufacturer: str = MANUFACTURER

    def device_descriptor(self) -> SimpleNamespace:
        """Device descriptor with bus, address, port numbers and speed as pyusb's libusb1 backend adds them."""
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x0200, bDeviceClass=0xFF, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=self.vendor_id, idProduct=self.product_id, bcdDevice=0x0100,
            iManufacturer=1, iProduct=2, iSerialNumber=0, bNumConfigurations=1,
            address=self.address, bus=BUS_NUMBER, port_number=self.port, port_numbers=(self.port,), speed=_HIGH_SPEED,
        )  # fmt: skip

    def configuration_descriptor(self) -> SimpleNamespace:
        """Configuration 1 with one interface."""
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=18 + 7 * (1 + len(self.in_endpoints)), bNumInterfaces=1,
            bConfigurationValue=1, iConfiguration=0, bmAttributes=0x80, bMaxPower=200, extra_descriptors=b"",
        )  # fmt: skip

    def interface_descriptor(self) -> SimpleNamespace:
        """Interface 0, vendor specific."""
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0,
            bNumEndpoints=1 + len(self.in_endpoints), bInterfaceClass=0xFF, bInterfaceSubClass=0, bInterfaceProtocol=0,
            iInterface=0, extra_descriptors=b"",
        )  # fmt: skip

    def endpoint_descriptor(self, index: int) -> SimpleNamespace:
        """Bulk endpoint ``index``, the out endpoint first; ``IndexError`` beyond the last."""
        largest = max(size for _, size in self.in_endpoints)
        address, size = ((self.out_endpoint, largest), *self.in_endpoints)[index]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=address, bmAttributes=_BULK, wMaxPacketSize=size,
            bInterval=0, bRefresh=0, bSynchAddress=0, extra_descriptors=b"",
        )  # fmt: skip
