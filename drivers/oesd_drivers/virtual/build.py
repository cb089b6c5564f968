"""Make a virtual spectrometer of a model by name."""

from __future__ import annotations

import time
from collections.abc import Callable

from .device import VirtualDevice, Wait, wait_really
from .firmware import Firmware
from .instrument import Instrument
from .model import Model
from .models import MODELS
from .obp import Obp1Firmware, Obp2Firmware
from .ooi import OoiFirmware
from .scene import Light

_FIRMWARES: dict[str, Callable[[Instrument], Firmware]] = {
    "ooi": OoiFirmware,
    "obp": Obp1Firmware,
    "obp2": Obp2Firmware,
}


def spectrometer(
    model: str,
    serial: str,
    light: Light,
    seed: int = 0,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Wait = wait_really,
) -> VirtualDevice:
    """Build a device, ready to be plugged in.

    Parameters
    ----------
    model : str
        A name of :data:`~oesd_drivers.virtual.models.MODELS`; ``ValueError`` with the known names for another one.
    serial : str
        1 to 14 ASCII characters: what an EEPROM slot holds.
    light : Light
        The scene it looks at; several devices may share one.
    seed : int
        Same seed and serial number, same unit and same frames.
    clock, wait : callable
        Seconds, monotonic, and how the device waits for them to pass on a condition: see :data:`~.device.Wait`.
    """
    if model not in MODELS:
        raise ValueError(f"unknown model {model!r}; known: {', '.join(MODELS)}")
    if not (serial.isascii() and 1 <= len(serial) <= 14):
        raise ValueError(f"serial number {serial!r}: 1 to 14 ASCII characters")
    return _assemble(MODELS[model], serial, light, seed, clock, wait)


def _assemble(
    model: Model, serial: str, light: Light, seed: int, clock: Callable[[], float], wait: Wait
) -> VirtualDevice:
    wire = model.wire
    firmware = _FIRMWARES[wire.protocol](Instrument(model, serial, light, seed))
    usb_ids = (wire.vendor_id, wire.product_id)
    return VirtualDevice(serial, usb_ids, model.name, wire.out_endpoint, wire.in_endpoints, firmware, clock, wait)
