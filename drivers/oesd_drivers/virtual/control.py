"""What a test, or the simulation, does to the virtual world: plugs, light, shutter, faults.

:class:`BusControl` acts on a bus in this process; :class:`~oesd_drivers.virtual.HostControl` has the same methods for
a bus in another one.
"""

from __future__ import annotations

from .build import spectrometer
from .bus import VirtualBus
from .faults import Fault, FaultKind
from .ooi import OoiFirmware
from .scene import Light

_LARGEST = 1e6


class BusControl:
    """Hands on a bus and its light. Unknown names raise ``KeyError`` or ``ValueError``.

    Parameters
    ----------
    bus : VirtualBus
    light : Light
        What devices made by :meth:`add` look at.
    seed : int
    """

    def __init__(self, bus: VirtualBus, light: Light, seed: int = 0) -> None:
        self._bus = bus
        self._light = light
        self._seed = seed

    def add(self, model: str, serial: str) -> None:
        """Make a new device and plug it in."""
        if serial in {device.name for device in self._bus.devices()}:
            raise ValueError(f"serial number {serial!r} exists")
        self._bus.plug(spectrometer(model, serial, self._light, self._seed))

    def plug(self, serial: str) -> None:
        """Plug a device in again, at a new address and the port it had."""
        self._bus.plug(self._bus.device(serial))

    def unplug(self, serial: str) -> None:
        """Take a device away."""
        self._bus.unplug(serial)

    def shutter(self, serial: str, closed: bool) -> None:
        """Block the scene's light from one device, or let it in again; with the lamp on this is a reference."""
        device = self._bus.device(serial)
        with device.condition:
            device.instrument.shutter_closed = closed

    def lamp(self, serial: str, on: bool) -> None:
        """Switch the halogen lamp between shutter and slit, by the lamp enable line."""
        device = self._bus.device(serial)
        with device.condition:
            device.instrument.lamp_on = on

    def light(self, level: float, emitter: str = "") -> None:
        """Dim one emitter of the scene, or all; 0 is off, 1 as the scene has it."""
        _require(level, 0.0, _LARGEST)
        self._light.dim(level, emitter)

    def temperature(self, serial: str, board_c: float) -> None:
        """Set the temperature of a device's board, and so of an uncooled detector."""
        _require(board_c, -40.0, 85.0)
        device = self._bus.device(serial)
        with device.condition:
            device.instrument.board_temperature_c = board_c

    def fault(self, serial: str, kind: str, value: float = 0.0, times: int = 1) -> None:
        """Queue a fault; kinds and the meaning of ``value`` are those of :class:`~.faults.FaultKind`."""
        _require(value, 0.0, _LARGEST)
        device = self._bus.device(serial)
        with device.condition:
            device.faults.add(Fault(FaultKind(kind), value), times)

    def clear_faults(self, serial: str) -> None:
        """Forget the faults in waiting."""
        device = self._bus.device(serial)
        with device.condition:
            device.faults.clear()

    def faults_waiting(self, serial: str) -> int:
        """How many faults have not struck yet."""
        device = self._bus.device(serial)
        with device.condition:
            return len(device.faults)

    def deny(self, serial: str, denied: bool) -> None:
        """Take away, or give back, the permission on the device node."""
        self._bus.device(serial).denied = denied

    def busy(self, serial: str, busy: bool) -> None:
        """Let another program hold the device, or give it back."""
        self._bus.device(serial).busy_elsewhere = busy

    def eeprom(self, serial: str, slot: int, content: bytes) -> None:
        """Overwrite an EEPROM slot of an OOI device with any 15 bytes."""
        device = self._bus.device(serial)
        if not isinstance(device.firmware, OoiFirmware):
            raise ValueError(f"{serial} has no EEPROM slots")
        with device.condition:
            device.firmware.eeprom[slot] = content

    def trigger(self, serial: str) -> None:
        """Give an edge on a device's trigger input."""
        self._bus.device(serial).fire_trigger()

    def resets(self, serial: str) -> int:
        """How often a device has been reset over USB."""
        return self._bus.device(serial).resets

    def frames(self, serial: str) -> int:
        """How many spectra a device has been asked for."""
        return self._bus.device(serial).instrument.frames


def _require(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{value!r} is not within {low:g} to {high:g}")
