"""The Ocean Binary Protocol, both versions, spoken over pyseabreeze's transport with every answer checked.

pyseabreeze's own ``send`` and ``query`` swallow a refusal, do not compare the answer's message type with the
question's, and only warn of a wrong checksum. A frame, little endian (STS Data Sheet 030-00000-003)::

    c1 c0 | version u16 | flags u16 | error u16 | message u32 | regarding u32 | 6 reserved |
    checksum type u8 | immediate length u8 | immediate data 16 | remaining u32 | payload | md5 16 | c5 c4 c3 c2
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

from .capabilities import Capabilities
from .errors import Refused, Reopen
from .frames import decode

_HEADER = struct.Struct("<HHHHLL6xBB16sL")
_FOOTER = struct.Struct("<16sL")
_START, _END = 0xC0C1, 0xC2C3C4C5
_ACK, _ASK_ACK, _REFUSED = 0x0002, 0x0004, 0x0008 | 0x0010
_MD5 = 1
_LONGEST_ANSWER = 1 << 16
_EMPTY_FRAME = _HEADER.size + _FOOTER.size
_ANSWER_MS = 1000
_MOST_COEFFICIENTS = 16
_REASONS = {
    1: "unsupported protocol",
    2: "unknown message",
    3: "bad checksum",
    4: "message too large",
    5: "wrong payload length",
    6: "invalid payload",
    7: "not ready",
    12: "no such information",
    13: "internal error of the device",
}


class Nack(Exception):
    """The device understood the frame and refused it; ``code`` is its error number."""

    def __init__(self, code: int) -> None:
        super().__init__(_REASONS.get(code, f"error {code}"))
        self.code = code


@dataclass(frozen=True, slots=True)
class Messages:
    """Message numbers of a protocol version; those of coefficients are their count, one of them, all of them."""

    serial: int
    integration: int
    set_integration: int
    saturation: int
    wavelengths: tuple[int, int, int]
    nonlinearity: tuple[int, int, int]


_VERSION_2 = 0x2000
_MESSAGES_1 = Messages(
    0x00000100, 0x00110000, 0x00110010, 0x001010A0, (0x00180100, 0x00180101, 0), (0x00181100, 0x00181101, 0)
)
_MESSAGES_2 = Messages(0x00100, 0x00C00, 0x00C01, 0x11D00, (0, 0, 0x01100), (0, 0, 0x01200))
_READ_BOARD, _READ_DETECTOR = 0x00400001, 0x00420004
_SET_COOLER, _SET_SETPOINT = 0x00420010, 0x00420011
_FIRST_SENSOR = b"\0"


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
        self._reads_back = True
        self._detector_tells = capabilities.cooled
        self._board_tells = capabilities.tells_board_temperature

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
        """Set the integration time; :class:`Refused` when the device does not take it."""
        units = struct.pack("<L", integration_us // self._can.step_us)
        try:
            self._talk(self._messages.set_integration, units, _ASK_ACK)
        except Nack as error:
            raise Refused(f"the device refused an integration time of {integration_us} us: {error}") from error
        answer = self.integration_us()
        if answer is not None and answer != integration_us:
            raise Refused(f"the device was asked for {integration_us} us and tells {answer} us")

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool to a temperature in degrees Celsius, None for not at all; :class:`Refused` when it does not take it."""
        try:
            if setpoint_c is not None:
                self._talk(_SET_SETPOINT, struct.pack("<f", setpoint_c), _ASK_ACK)
            self._talk(_SET_COOLER, bytes((setpoint_c is not None,)), _ASK_ACK)
        except Nack as error:
            raise Refused(f"the device refused to cool to {setpoint_c} degrees: {error}") from error

    def scan(self, patience_us: int) -> NDArray[np.uint32]:
        """Counts of one scan, shape (pixels,); waits ``patience_us`` and a second more."""
        size = self._can.layout.size(self._can.words)
        timeout_ms = patience_us // 1000 + _ANSWER_MS
        payload = self._talk(self._can.spectrum_message, b"", 0, size=size, timeout_ms=timeout_ms)
        return decode(payload, self._can.layout, self._can.words)[: self._can.pixels]

    def detector_temperature_c(self) -> float | None:
        """Detector temperature in degrees Celsius of a cooled model; one that gives none is asked only once."""
        value_c = self._temperature(_READ_DETECTOR, b"") if self._detector_tells else None
        self._detector_tells = value_c is not None
        return value_c

    def board_temperature_c(self) -> float | None:
        """Temperature of the first sensor, the board's, in degrees Celsius; a model without it is asked only once."""
        value_c = self._temperature(_READ_BOARD, _FIRST_SENSOR) if self._board_tells else None
        self._board_tells = value_c is not None
        return value_c

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

    def _query(self, message: int, data: bytes = b"") -> bytes:
        return self._talk(message, data, 0)

    def _talk(
        self, message: int, data: bytes, flags: int, *, size: int | None = None, timeout_ms: int = _ANSWER_MS
    ) -> bytes:
        """Send one message and return the payload of its checked answer.

        A spectrum is read in one transfer of its exact size: asked for in pieces, as pyseabreeze does, the first would
        overflow on an endpoint whose packets are larger than the piece.
        """
        self._transport.write(pack(self._version, message, data, flags))
        first = None if size is None else size + _EMPTY_FRAME
        answer = bytes(self._transport.read(size=first, timeout_ms=timeout_ms))
        missing = _whole_size(answer, self._version) - len(answer)
        if missing > 0:
            answer += bytes(self._transport.read(size=missing, timeout_ms=timeout_ms))
        return unpack(answer, self._version, message)


def pack(version: int, message: int, data: bytes, flags: int) -> bytes:
    """Frame of a message to the device; ``data`` of at most 16 bytes."""
    header = _HEADER.pack(_START, version, flags, 0, message, 0, 0, len(data), data, _FOOTER.size)
    return header + _FOOTER.pack(b"", _END)


def unpack(answer: bytes, version: int, message: int) -> bytes:
    """Payload of an answer.

    Raises
    ------
    Nack
        The device refused.
    Reopen
        The frame is broken, or answers something else: where the next one begins is not known any more.
    """
    size = _whole_size(answer, version)
    if len(answer) != size:
        raise Reopen(f"an answer of {len(answer)} bytes came where {size} were due")
    _, _, flags, error, kind, _, checksum, immediate, data, _ = _HEADER.unpack_from(answer)
    digest, end = _FOOTER.unpack(answer[-_FOOTER.size :])
    if end != _END:
        raise Reopen("the end mark of an answer is missing")
    if checksum == _MD5 and digest != hashlib.md5(answer[: -_FOOTER.size], usedforsecurity=False).digest():
        raise Reopen("the checksum of an answer is wrong")
    if flags & _REFUSED:
        raise Nack(error)
    if kind != message:
        raise Reopen(f"an answer to message 0x{kind:08x} came where 0x{message:08x} was asked")
    return bytes(data[: min(immediate, 16)]) if immediate else answer[_HEADER.size : -_FOOTER.size]


def _whole_size(answer: bytes, version: int) -> int:
    """Size of the frame its header announces, in bytes."""
    if len(answer) < _HEADER.size:
        raise Reopen(f"an answer of {len(answer)} bytes is shorter than its header")
    start, spoken, *_, remaining = _HEADER.unpack_from(answer)
    if start != _START or spoken != version:
        raise Reopen(f"an answer does not begin like one: {answer[:4].hex()!r}")
    if not _FOOTER.size <= remaining <= _LONGEST_ANSWER:
        raise Reopen(f"an answer announces {remaining} bytes more")
    return int(_HEADER.size + remaining)


def _finite(values: tuple[float, ...]) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values]
