"""The control of a bus in another process."""

from __future__ import annotations

import os
from typing import Any

from .made import MadeFrame
from .remote import Client, HostError
from .wire import Value, WireError


class HostControl:
    """The methods of :class:`~oesd_drivers.virtual.BusControl` on a bus in another process.

    Each raises :class:`HostError` when the host refuses or is gone.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._client = Client(path)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def add(self, model: str, serial: str) -> None:
        """Make a new device and plug it in."""
        self._call("add", model, serial)

    def plug(self, serial: str) -> None:
        """Plug a device in again, at a new address and the port it had."""
        self._call("plug", serial)

    def unplug(self, serial: str) -> None:
        """Take a device away."""
        self._call("unplug", serial)

    def shutter(self, serial: str, closed: bool) -> None:
        """Block the scene's light from one device, or let it in again; with the lamp on this is a reference."""
        self._call("shutter", serial, closed)

    def lamp(self, serial: str, on: bool) -> None:
        """Switch the halogen lamp between shutter and slit, by the lamp enable line."""
        self._call("lamp", serial, on)

    def lamp_line(self, serial: str) -> bool:
        """Whether the lamp enable line is on."""
        return bool(self._call("lamp_line", serial))

    def hang_on_lamp_line(self, serial: str, what: str) -> None:
        """What the lamp enable line moves: the ``lamp``, a shutter that it ``closes``, or ``nothing``."""
        self._call("hang_on_lamp_line", serial, what)

    def light(self, level: float, emitter: str = "") -> None:
        """Dim one emitter of the scene, or all; 0 is off, 1 as the scene has it."""
        self._call("light", level, emitter)

    def temperature(self, serial: str, board_c: float) -> None:
        """Set the temperature of a device's board, and so of an uncooled detector."""
        self._call("temperature", serial, board_c)

    def fault(self, serial: str, kind: str, value: float = 0.0, times: int = 1) -> None:
        """Queue a fault; kinds and the meaning of ``value`` are those of :class:`~.faults.FaultKind`."""
        self._call("fault", serial, str(kind), value, times)

    def clear_faults(self, serial: str) -> None:
        """Forget the faults in waiting."""
        self._call("clear_faults", serial)

    def faults_waiting(self, serial: str) -> int:
        """How many faults have not struck yet."""
        return int(self._call("faults_waiting", serial))

    def strikes(self, serial: str) -> tuple[int, int]:
        """How many faults have struck a device, and when the last one did, ns of the monotonic clock."""
        struck, last_ns = self._call("strikes", serial)
        return int(struck), int(last_ns)

    def storm(self, serial: str, times: int, every_s: float) -> None:
        """Let a device leave and come back so many times, at a new address each time; returns at once."""
        self._call("storm", serial, times, every_s)

    def another_program(
        self, serial: str, integration_us: int, trigger: int, scans: int, boxcar: int, hold_s: float
    ) -> None:
        """Let another program take the device once it is free, set it, hold it for a while and leave it as it is."""
        self._call("another_program", serial, integration_us, trigger, scans, boxcar, hold_s)

    def deny(self, serial: str, denied: bool) -> None:
        """Take away, or give back, the permission on the device node."""
        self._call("deny", serial, denied)

    def busy(self, serial: str, busy: bool) -> None:
        """Let another program hold the device, or give it back."""
        self._call("busy", serial, busy)

    def eeprom(self, serial: str, slot: int, content: bytes) -> None:
        """Overwrite an EEPROM slot of an OOI device with any 15 bytes."""
        self._call("eeprom", serial, slot, content)

    def answer(self, serial: str, message: int, content: bytes, index: int = -1) -> None:
        """Overwrite what an OBP device answers to a message, or to its form for one index."""
        self._call("answer", serial, message, content, index)

    def hostile(self, serial: str, variant: str) -> None:
        """Write a variant of :class:`~.hostile.Hostile` into a device's memory; an empty one puts all right again."""
        self._call("hostile", serial, variant)

    def trigger(self, serial: str) -> None:
        """Give an edge on a device's trigger input."""
        self._call("trigger", serial)

    def trigger_line(self, serial: str, high: bool) -> None:
        """Set the level of a device's trigger input."""
        self._call("trigger_line", serial, high)

    def frames_made(self, serial: str, since: int = 0) -> list[MadeFrame]:
        """The truth about a device's last frames, from an index on."""
        return [MadeFrame(*fields) for fields in self._call("frames_made", serial, since)]

    def resets(self, serial: str) -> int:
        """How often a device has been reset over USB."""
        return int(self._call("resets", serial))

    def frames(self, serial: str) -> int:
        """How many spectra a device has been asked for."""
        return int(self._call("frames", serial))

    def _call(self, *request: Value) -> Any:
        try:
            return self._client.call(*request)
        except WireError as error:
            raise HostError(str(error)) from error
