"""What is plugged in, told by USB descriptors alone: nothing is opened, nothing is reset, no network is asked.

``seabreeze.list_devices()`` must not be used for this: it resets and opens every spectrometer, also one that is
measuring, and waits a second for network devices.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any, Literal, get_args

import usb.core

from .errors import GiveUp, Gone, Retry
from .spectrometer import Address

BackendName = Literal["libusb", "virtual"]
_VIRTUAL_MODULE = "usb.backend.virtual"

#: (vendor, product) of every spectrometer pyseabreeze 2.11 can drive over USB, with the name on its case.
MODELS: dict[tuple[int, int], str] = {
    (0x2457, 0x1002): "USB2000",
    (0x2457, 0x1004): "ADC1000-USB",
    (0x2457, 0x100A): "HR2000",
    (0x2457, 0x1012): "HR4000",
    (0x2457, 0x1014): "USB650",
    (0x2457, 0x1016): "HR2000+",
    (0x2457, 0x1018): "QE65000",
    (0x2457, 0x101E): "USB2000+",
    (0x2457, 0x1022): "USB4000",
    (0x2457, 0x1026): "NIRQuest512",
    (0x2457, 0x1028): "NIRQuest256",
    (0x2457, 0x102A): "Maya2000 Pro",
    (0x2457, 0x102C): "Maya2000",
    (0x2457, 0x1040): "Torus",
    (0x2457, 0x1044): "Apex",
    (0x2457, 0x1046): "MayaLSL",
    (0x2457, 0x2000): "Jaz",
    (0x2457, 0x2003): "HDX",
    (0x2457, 0x4000): "STS",
    (0x2457, 0x4004): "QE-PRO",
    (0x2457, 0x4200): "Spark",
    (0x2457, 0x5000): "Ventana",
    (0x0999, 0x1000): "ST",
    (0x0999, 0x1001): "SR2",
    (0x0999, 0x1002): "SR4",
    (0x0999, 0x1003): "HR2",
    (0x0999, 0x1004): "HR4",
    (0x0999, 0x1005): "SR6",
    (0x0999, 0x1006): "HR6",
}


@dataclass(frozen=True, slots=True, order=True)
class Plugged:
    """A spectrometer that is plugged in. Its serial number is known only after it was opened."""

    address: Address
    model: str


def plugged(backend: str = "libusb") -> list[Plugged]:
    """Known spectrometers that are plugged in, sorted by address.

    Parameters
    ----------
    backend : {"libusb", "virtual"}
        Real USB, or the virtual bus of :mod:`oesd_drivers.virtual`.

    Raises
    ------
    GiveUp
        There is no libusb, or no virtual bus.
    Retry
        The list could not be read this time.
    """
    return sorted(Plugged(_address(device), MODELS[_ids(device)]) for device in _known_devices(backend))


def find(address: Address, backend: str) -> Any:
    """Return the pyusb device at an address, untouched; :class:`Gone` when it is not there any more."""
    for device in _known_devices(backend):
        here = _address(device)
        if (here.bus, here.address, *_ids(device)) == (
            address.bus,
            address.address,
            address.vendor_id,
            address.product_id,
        ):
            return device
    raise Gone(f"nothing is plugged in at {address}")


def pyusb_backend(backend: str) -> Any:
    """Return the pyusb backend of a name, the bundled libusb first; :class:`GiveUp` when there is none."""
    if backend not in get_args(BackendName):
        raise GiveUp(f"unknown USB backend {backend!r:.60}: choose libusb or virtual")
    return _libusb() if backend == "libusb" else _virtual()


def _known_devices(backend: str) -> list[Any]:
    chosen = pyusb_backend(backend)
    try:
        found = usb.core.find(find_all=True, custom_match=lambda device: _ids(device) in MODELS, backend=chosen)
        return list(found or ())
    except usb.core.USBError as error:
        raise Retry(f"the list of USB devices could not be read: {str(error)!r:.120}") from error


def _ids(device: Any) -> tuple[int, int]:
    return device.idVendor, device.idProduct


def _address(device: Any) -> Address:
    ports = ".".join(str(number) for number in device.port_numbers or ())
    port = f"{device.bus}-{ports}" if ports else ""
    return Address(device.bus or 0, device.address or 0, device.idVendor, device.idProduct, port)


def _libusb() -> Any:
    # Imported here: a worker on the virtual bus needs none of it.
    import libusb_package
    import usb.backend.libusb1

    found = libusb_package.get_libusb1_backend() or usb.backend.libusb1.get_backend()
    if found is None:
        raise GiveUp("libusb 1.0 was not found: install the Python package libusb-package or the system's libusb-1.0")
    return found


def _virtual() -> Any:
    if _VIRTUAL_MODULE not in sys.modules:
        virtual = importlib.import_module("oesd_drivers.virtual")
        try:
            installed = virtual.install_from_environment()
        except OSError as error:
            raise GiveUp(f"the virtual bus cannot be reached: {str(error)!r:.120}") from error
        if installed is None:
            raise GiveUp("there is no virtual bus: install one, or name its socket in OESD_VIRTUAL_BUS")
    return sys.modules[_VIRTUAL_MODULE].get_backend()
