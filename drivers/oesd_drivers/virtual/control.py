"""What a test, or the simulation, does to the virtual world: plugs, light, shutter, faults.

:class:`BusControl` acts on a bus in this process; :class:`~oesd_drivers.virtual.HostControl` has the same methods for
a bus in another one.
"""

from __future__ import annotations

from typing import get_args

from . import hostile, others
from .build import spectrometer
from .bus import VirtualBus
from .faults import Fault, FaultKind
from .instrument import LampLine
from .made import MadeFrame
from .obp import ObpFirmware
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

    def lamp_line(self, serial: str) -> bool:
        """Whether the lamp enable line is on."""
        return self._bus.device(serial).instrument.lamp_on

    def hang_on_lamp_line(self, serial: str, what: str) -> None:
        """What the lamp enable line moves: the ``lamp``, a shutter that it ``closes``, or ``nothing``."""
        known: dict[str, LampLine] = {name: name for name in get_args(LampLine)}
        if what not in known:
            raise ValueError(f"{what!r}: choose {', '.join(known)}")
        device = self._bus.device(serial)
        with device.condition:
            device.instrument.lamp_line = known[what]

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

    def strikes(self, serial: str) -> tuple[int, int]:
        """How many faults have struck a device, and when the last one did, ns of the monotonic clock."""
        faults = self._bus.device(serial).faults
        return faults.struck, faults.last_strike_ns

    def storm(self, serial: str, times: int, every_s: float) -> None:
        """Let a device leave and come back so many times, at a new address each time; returns at once."""
        _require(times, 1, 100)
        _require(every_s, 1e-3, 60.0)
        others.storm(self._bus, serial, times, every_s)

    def another_program(
        self, serial: str, integration_us: int, trigger: int, scans: int, boxcar: int, hold_s: float
    ) -> None:
        """Let another program take the device once it is free, set it, hold it for a while and leave it as it is."""
        others.another_program(self._bus.device(serial), integration_us, trigger, scans, boxcar, hold_s)

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

    def answer(self, serial: str, message: int, content: bytes, index: int = -1) -> None:
        """Overwrite what an OBP device answers to a message, or to its form for one index."""
        device = self._bus.device(serial)
        if not isinstance(device.firmware, ObpFirmware):
            raise ValueError(f"{serial} knows no messages")
        with device.condition:
            device.firmware.overwritten[message, index] = content

    def hostile(self, serial: str, variant: str) -> None:
        """Write a variant of :class:`~.hostile.Hostile` into a device's memory; an empty one puts all right again."""
        device = self._bus.device(serial)
        with device.condition:
            if variant:
                hostile.write(device.firmware, hostile.Hostile(variant))
            else:
                hostile.restore(device.firmware)

    def trigger(self, serial: str) -> None:
        """Give an edge on a device's trigger input."""
        self._bus.device(serial).fire_trigger()

    def trigger_line(self, serial: str, high: bool) -> None:
        """Set the level of a device's trigger input."""
        self._bus.device(serial).set_trigger_line(high)

    def frames_made(self, serial: str, since: int = 0) -> list[MadeFrame]:
        """The truth about a device's last frames, from an index on."""
        device = self._bus.device(serial)
        with device.condition:
            return device.instrument.made.since(since)

    def resets(self, serial: str) -> int:
        """How often a device has been reset over USB."""
        return self._bus.device(serial).resets

    def frames(self, serial: str) -> int:
        """How many spectra a device has been asked for."""
        return self._bus.device(serial).instrument.frames


def _require(value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{value!r} is not within {low:g} to {high:g}")
