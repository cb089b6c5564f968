"""Spectrometers of the Ocean Binary Protocol, both versions, spoken over pyseabreeze's transport."""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

from .capabilities import Capabilities
from .errors import GiveUp, Refused, Reopen
from .frames import decode
from .obp_frame import ASK_ACK, EMPTY_SIZE, Nack, pack, unpack, whole_size
from .spectrometer import Trigger

_ANSWER_MS = 1000
_MOST_COEFFICIENTS = 16


@dataclass(frozen=True, slots=True)
class Messages:
    """Message numbers of a protocol version; those of coefficients are their count, one of them, all of them."""

    serial: int
    integration: int
    set_integration: int
    trigger: int
    set_trigger: int
    saturation: int
    wavelengths: tuple[int, int, int]
    nonlinearity: tuple[int, int, int]


_VERSION_2 = 0x2000
_MESSAGES_1 = Messages(
    0x00000100,
    0x00110000,
    0x00110010,
    0x00110100,
    0x00110110,
    0x001010A0,
    (0x00180100, 0x00180101, 0),
    (0x00181100, 0x00181101, 0),
)
_MESSAGES_2 = Messages(0x00100, 0x00C00, 0x00C01, 0x00D00, 0x00D01, 0x11D00, (0, 0, 0x01100), (0, 0, 0x01200))
_READ_BOARD, _READ_DETECTOR = 0x00400001, 0x00420004
_SET_COOLER, _SET_SETPOINT = 0x00420010, 0x00420011
_FIRST_SENSOR = b"\0"
_SET_LAMP = 0x00110410
#: What version 1 can do to spectra on board: how to ask for it, how to set it, form of the value, nothing done, name.
_ON_BOARD = (
    (0x00120000, 0x00120010, "<H", 1, "scans to average"),
    (0x00121000, 0x00121010, "<B", 0, "boxcar width"),
    (0x00110280, 0x00110290, "<B", 0, "pixel binning"),
)


class ObpDevice:
    """An opened OBP spectrometer.

    Parameters
    ----------
    transport : pyseabreeze transport
        Open; ``write(bytes)`` and ``read(size, timeout_ms)``.
    version : int
        0x1100 or 0x2000.
    capabilities : Capabilities
    """

    def __init__(self, transport: Any, version: int, capabilities: Capabilities) -> None:
        self._transport = transport
        self._version = version
        self._can = capabilities
        self._messages = _MESSAGES_2 if version == _VERSION_2 else _MESSAGES_1
        self._reads_back = self._tells_trigger = True

    def serial(self) -> str:
        """Serial number as it stands; bytes that are no ASCII are shown escaped."""
        return self._query(self._messages.serial).rstrip(b"\0 ").decode("ascii", "backslashreplace")

    def wavelength_coefficients(self) -> list[float | None]:
        """Coefficients c0, c1, ... in nm per pixel to the n."""
        return self._coefficients(*self._messages.wavelengths)

    def nonlinearity_coefficients(self) -> list[float | None]:
        """Coefficients c0, c1, ...; empty when the device has none."""
        if self._can.nonlinearity == "none":
            return []
        try:
            return self._coefficients(*self._messages.nonlinearity)
        except (Nack, usb.core.USBTimeoutError):
            return []

    def saturation_level(self) -> int | None:
        """Count at which pixels saturate, where the device tells it: a QE-PRO's pixels are full below full scale."""
        try:
            return int.from_bytes(self._query(self._messages.saturation)[:4], "little")
        except (Nack, usb.core.USBTimeoutError):
            return None

    def integration_us(self) -> int | None:
        """Integration time as the device tells it, None when it does not answer that question."""
        if not self._reads_back:
            return None
        try:
            (units,) = struct.unpack("<L", self._query(self._messages.integration))
        except (Nack, usb.core.USBTimeoutError, struct.error):
            self._reads_back = False
            return None
        return int(units) * self._can.step_us

    def set_integration(self, integration_us: int) -> None:
        """Set the integration time, and forget spectra of the old one that the device keeps.

        Raises
        ------
        Refused
            The device does not take it.
        """
        units = struct.pack("<L", integration_us // self._can.step_us)
        self._order(self._messages.set_integration, units, f"an integration time of {integration_us} us")
        answer = self.integration_us()
        if answer is not None and answer != integration_us:
            raise Refused(f"the device was asked for {integration_us} us and tells {answer} us")
        if self._can.clear_message:
            with contextlib.suppress(Nack):  # known from libseabreeze only: firmware without it has no buffer
                self._talk(self._can.clear_message, b"", ASK_ACK)

    def set_trigger(self, trigger: Trigger) -> None:
        """Set what begins an exposure; :class:`Refused` when the device does not take it."""
        code = self._can.triggers[trigger]
        self._order(self._messages.set_trigger, bytes((code,)), f"the trigger {trigger}")
        answer = self._told(self._messages.trigger, "<B") if self._tells_trigger else None
        self._tells_trigger = answer is not None
        if answer not in (None, code):
            raise Refused(f"the device was asked for the trigger {trigger} ({code}) and tells {answer}")

    def set_lamp(self, on: bool) -> None:
        """Set the lamp-enable line; :class:`Refused` when the device does not take it."""
        if self._version == _VERSION_2:
            raise Refused(f"no command for the lamp line of the {self._can.name} is known")
        self._order(_SET_LAMP, bytes((on,)), "to switch its lamp line")

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool to a temperature in degrees Celsius, None for not at all; :class:`Refused` when it does not take it."""
        if setpoint_c is not None:
            self._order(_SET_SETPOINT, struct.pack("<f", setpoint_c), f"to cool to {setpoint_c} degrees")
        self._order(_SET_COOLER, bytes((setpoint_c is not None,)), "to switch its cooler")

    def calm(self) -> int:
        """Undo averaging, boxcar and binning that another program left behind; scans the frame now running may take.

        Raises
        ------
        GiveUp
            The device goes on with it.
        """
        if self._version == _VERSION_2:
            return 1
        left = [self._undo(*processing) for processing in _ON_BOARD]
        return max(1, left[0])

    def _undo(self, message: int, order: int, form: str, nothing: int, name: str) -> int:
        """Set one way of processing on board to nothing; the value it was left at."""
        left = self._told(message, form)
        if left is None or left == nothing:
            return nothing
        self._order(order, struct.pack(form, nothing), f"to leave its {name}")
        if self._told(message, form) != nothing:
            raise GiveUp(f"the {name} that another program left at {left} cannot be undone: unplug the device once")
        return left

    def request(self) -> None:
        """Ask for a spectrum."""
        self._transport.write(pack(self._version, self._can.spectrum_message, b"", 0))

    def fetch(self, timeout_ms: int) -> NDArray[np.uint32] | None:
        """Counts of the spectrum asked for, shape (pixels,); None when it does not begin to come in time.

        It is read in one transfer of its exact size: asked for in pieces, as pyseabreeze does, the first would overflow
        on an endpoint whose packets are larger than the piece.
        """
        size = self._can.layout.size(self._can.words)
        try:
            beginning = bytes(self._transport.read(size=size + EMPTY_SIZE, timeout_ms=timeout_ms))
        except usb.core.USBTimeoutError:
            return None
        payload = unpack(self._whole(beginning), self._version, self._can.spectrum_message)
        return decode(payload, self._can.layout, self._can.words)[: self._can.pixels]

    def scan(self, patience_us: int) -> NDArray[np.uint32]:
        """Counts of one scan, shape (pixels,); waits ``patience_us`` and a second more."""
        self.request()
        counts = self.fetch(patience_us // 1000 + _ANSWER_MS)
        if counts is None:
            raise Reopen("it did not answer in time")
        return counts

    def detector_temperature_c(self) -> float | None:
        """Detector temperature in degrees Celsius of a cooled model; None where there is no answer."""
        return self._temperature(_READ_DETECTOR, b"") if self._can.cooled else None

    def board_temperature_c(self) -> float | None:
        """Temperature of the first sensor, the board's, in degrees Celsius; None where there is no answer."""
        return self._temperature(_READ_BOARD, _FIRST_SENSOR) if self._can.tells_board_temperature else None

    def _temperature(self, message: int, sensor: bytes) -> float | None:
        try:
            return float(struct.unpack("<f", self._query(message, sensor))[0])
        except (Nack, usb.core.USBTimeoutError):
            return None

    def _coefficients(self, count: int, single: int, together: int) -> list[float | None]:
        if together:
            payload = self._query(together)
            return _finite(struct.unpack(f"<{len(payload) // 4}f", payload)[1:])  # the first float is their number
        (many,) = struct.unpack("<B", self._query(count))
        answers = [self._query(single, bytes((index,))) for index in range(min(many, _MOST_COEFFICIENTS))]
        return _finite(struct.unpack(f"<{len(answers)}f", b"".join(answers)))

    def _told(self, message: int, form: str) -> int | None:
        """Value that the device tells, None when it does not know the question."""
        try:
            (value,) = struct.unpack(form, self._query(message))
        except (Nack, usb.core.USBTimeoutError, struct.error):
            return None
        return int(value)

    def _order(self, message: int, data: bytes, what: str) -> None:
        """Give an order; one that is refused is given once more, then :class:`Refused`."""
        try:
            self._talk(message, data, ASK_ACK)
        except Nack:
            try:
                self._talk(message, data, ASK_ACK)
            except Nack as error:
                raise Refused(f"the device refused {what}: {error}") from error

    def _query(self, message: int, data: bytes = b"") -> bytes:
        return self._talk(message, data, 0)

    def _talk(self, message: int, data: bytes, flags: int) -> bytes:
        """Send one message and return the payload of its checked answer."""
        self._transport.write(pack(self._version, message, data, flags))
        beginning = bytes(self._transport.read(size=None, timeout_ms=_ANSWER_MS))
        return unpack(self._whole(beginning), self._version, message)

    def _whole(self, beginning: bytes) -> bytes:
        """One whole frame, of which this has come."""
        missing = whole_size(beginning, self._version) - len(beginning)
        return (
            beginning + bytes(self._transport.read(size=missing, timeout_ms=_ANSWER_MS)) if missing > 0 else beginning
        )


def _finite(values: tuple[float, ...]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values]
