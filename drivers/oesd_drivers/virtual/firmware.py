"""What a protocol is to the USB side of a device: bytes in, answers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .faults import FaultQueue
from .instrument import Instrument


@dataclass(slots=True)
class Answer:
    """One transfer to the host: ready at ``ready_s`` of the device's clock, read from ``offset`` on.

    One that ``survives_reset`` is not there yet when the host resets the device, and comes all the same.
    """

    endpoint: int
    data: bytes
    ready_s: float
    offset: int = 0
    survives_reset: bool = False


class Firmware(Protocol):
    """A protocol's behaviour, free of USB."""

    instrument: Instrument

    def power_on(self, now_s: float) -> None:
        """State after plugging in."""
        ...

    def usb_reset(self) -> None:
        """A port reset: half-received commands are forgotten, settings stay."""
        ...

    def receive(self, data: bytes, now_s: float, faults: FaultQueue) -> list[Answer]:
        """A bulk write came in."""
        ...

    def trigger(self, now_s: float, faults: FaultQueue) -> list[Answer]:
        """An edge on the trigger input."""
        ...

    def trigger_line(self, high: bool, now_s: float, faults: FaultQueue) -> list[Answer]:
        """A level on the trigger input."""
        ...
