"""The Ocean Binary Protocol, versions 1.1 (STS, QE-PRO, HDX) and 2 (SR, HR, ST): framed messages with MD5.

A frame: 44 bytes header, payload, 16 bytes checksum, 4 bytes footer. Up to 16 bytes of data travel in the header.
Layout and flags as in seabreeze 2.11 (``pyseabreeze/protocol.py``).
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from .exposed import Exposed
from .faults import FaultKind, FaultQueue, Point, damage, harm, lateness_s, survives_reset
from .firmware import Answer
from .instrument import Instrument

_HEADER = struct.Struct("<HHHHLL6sBB16sL")
_FOOTER = struct.Struct("<16sL")
_START, _END = 0xC0C1, 0xC2C3C4C5
_RESPONSE, _ACK, _WANTS_ACK, _NACK = 0x0001, 0x0002, 0x0004, 0x0008
_MD5 = 1
_UNKNOWN_MESSAGE = 2
_LONGEST_COMMAND = 4096
_COARSEST = 3

Query = Callable[[bytes, float], bytes]
Order = Callable[[bytes, float], None]


def frame(version: int, message: int, data: bytes, flags: int, error: int = 0, regarding: int = 0) -> bytes:
    """Build one message to the host."""
    immediate, payload = (data, b"") if len(data) <= 16 else (b"", data)
    header = _HEADER.pack(
        _START, version, flags, error, message, regarding, b"", _MD5, len(immediate), immediate,
        len(payload) + _FOOTER.size,
    )  # fmt: skip
    body = header + payload
    return body + _FOOTER.pack(hashlib.md5(body, usedforsecurity=False).digest(), _END)


class ObpFirmware:
    """Firmware of an OBP device; ``version`` 0x1100 or 0x2000 and the message numbers come from a subclass.

    Attributes
    ----------
    overwritten : dict of (message, index) to bytes
        Answers that tests put in the place of honest ones; index -1 for every one.
    """

    version = 0x1100

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.serial = instrument.serial.encode()
        self.overwritten: dict[tuple[int, int], bytes] = {}
        self.queries: dict[int, Query] = {}
        self.orders: dict[int, Order] = {}
        self._received = bytearray()

    def power_on(self, now_s: float) -> None:
        """Settings after plugging in."""
        self._received.clear()
        self.instrument.power_on(now_s)

    def usb_reset(self) -> None:
        """Forget half a command and spectra that wait for a trigger."""
        self._received.clear()
        self.instrument.triggers.forget()

    def receive(self, data: bytes, now_s: float, faults: FaultQueue) -> list[Answer]:
        """Take bytes and answer every complete message in them."""
        self._received += data
        answers: list[Answer] = []
        while len(self._received) >= _HEADER.size:
            header = _HEADER.unpack_from(self._received)
            total = _HEADER.size + header[10]
            if header[0] != _START or not _HEADER.size + _FOOTER.size <= total <= _LONGEST_COMMAND:
                self._received.clear()
                break
            if len(self._received) < total:
                break
            payload = bytes(self._received[_HEADER.size : total - _FOOTER.size])
            del self._received[:total]
            answers += self._answer(header, payload or header[9][: header[8]], now_s, faults)
        return answers

    def trigger(self, now_s: float, faults: FaultQueue) -> list[Answer]:
        """An edge begins, or ends, the spectrum that waits for it."""
        exposed = self.instrument.fire(now_s)
        return self._spectrum(exposed, faults) if exposed is not None else []

    def trigger_line(self, high: bool, now_s: float, faults: FaultQueue) -> list[Answer]:
        """A level: spectra that wait for it begin."""
        exposed = self.instrument.trigger_level(high, now_s)
        return [answer for each in exposed for answer in self._spectrum(each, faults)]

    def _answer(self, header: tuple[Any, ...], data: bytes, now_s: float, faults: FaultQueue) -> list[Answer]:
        flags, message, regarding = header[2], header[4], header[5]
        if message == self.instrument.model.wire.spectrum_message:
            exposed = self.instrument.request(now_s)
            return self._spectrum(exposed, faults) if exposed is not None else []
        fault = faults.take(Point.MESSAGE)
        if fault is None and message in self.orders:
            fault = faults.take(Point.ORDER)
        if fault is not None and fault.kind in (FaultKind.NACK, FaultKind.NACK_SET):
            return [self._to_host(self._nack(message, int(fault.value), regarding), now_s)]
        answer = self._reply(message, data, flags, regarding, now_s)
        return [self._to_host(damage(answer, fault), now_s)] if answer else []

    def _reply(self, message: int, data: bytes, flags: int, regarding: int, now_s: float) -> bytes:
        if message in self.instrument.model.wire.unanswered:
            return self._nack(message, _UNKNOWN_MESSAGE, regarding)
        if message in self.queries:
            return frame(self.version, message, self._told(message, data, now_s), _RESPONSE, 0, regarding)
        if message not in self.orders:
            return self._nack(message, _UNKNOWN_MESSAGE, regarding)
        self.orders[message](data.ljust(4, b"\0"), now_s)
        return frame(self.version, message, b"", _RESPONSE | _ACK, 0, regarding) if flags & _WANTS_ACK else b""

    def _told(self, message: int, data: bytes, now_s: float) -> bytes:
        """What the memory says, or what a test wrote there."""
        honest = self.queries[message](data, now_s)
        for index in (data[0] if data else -1, -1):
            if (message, index) in self.overwritten:
                return self.overwritten[message, index]
        return honest

    def _nack(self, message: int, error: int, regarding: int) -> bytes:
        return frame(self.version, message, b"", _RESPONSE | _NACK, error, regarding)

    def _spectrum(self, exposed: Exposed, faults: FaultQueue) -> list[Answer]:
        fault = faults.take(Point.FRAME)
        self.instrument.made.add(exposed, harm(fault), lateness_s(fault))
        if fault is not None and fault.kind is FaultKind.SILENT:
            return []
        message = self.instrument.model.wire.spectrum_message
        if fault is not None and fault.kind is FaultKind.NACK_FRAME:
            return [self._to_host(self._nack(message, int(fault.value), 0), exposed.ready_s)]
        answer = damage(frame(self.version, message, self._payload(exposed), _RESPONSE), fault)
        parts = self._to_host(answer, exposed.ready_s + lateness_s(fault))
        return [replace(parts, survives_reset=survives_reset(fault))]

    def _payload(self, exposed: Exposed) -> bytes:
        """Metadata (frame number, exposure) where the model sends any, then the counts."""
        wire = self.instrument.model.wire
        pixels = exposed.counts.size >> self.instrument.binning
        binned = exposed.counts[: pixels << self.instrument.binning].reshape(pixels, -1).mean(axis=1)
        counts: bytes = np.rint(binned).astype(np.dtype(f"<u{wire.count_bytes}")).tobytes()
        if not wire.metadata_bytes:
            return counts
        microseconds = round(exposed.integration_s * 1e6)
        metadata = struct.pack(
            "<LQLL", exposed.index & 0xFFFFFFFF, int(exposed.ready_s * 1e6), microseconds, self.instrument.triggers.mode
        )
        return metadata.ljust(wire.metadata_bytes, b"\0") + counts

    def _to_host(self, data: bytes, ready_s: float) -> Answer:
        return Answer(self.instrument.model.wire.spectrum_parts[0][0], data, ready_s)

    def _integration(self) -> bytes:
        """The time ordered last, also while a frame of the one before still runs."""
        steps = self.instrument.ordered_integration_s * 1e6 / self.instrument.model.wire.step_us
        return struct.pack("<L", round(steps))

    def _set_integration(self, data: bytes, now_s: float) -> None:
        steps = struct.unpack_from("<L", data)[0]
        self.instrument.set_integration(steps * self.instrument.model.wire.step_us, now_s)

    def _set_trigger(self, data: bytes, now_s: float) -> None:
        self.instrument.triggers.set_mode(data[0])


def _nth(values: tuple[float, ...], index: int) -> bytes:
    return struct.pack("<f", values[index] if index < len(values) else 0.0)


class Obp1Firmware(ObpFirmware):
    """STS, Spark, QE-PRO, HDX, Ventana."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        wavelengths = instrument.optics.wavelength_coefficients
        nonlinearity = instrument.model.detector.nonlinearity
        self.queries = {
            0x00000100: lambda data, now_s: self.serial,
            0x00000101: lambda data, now_s: bytes((len(self.serial) & 0xFF,)),
            0x00180100: lambda data, now_s: bytes((len(wavelengths),)),
            0x00180101: lambda data, now_s: _nth(wavelengths, data[0] if data else 0),
            0x00181100: lambda data, now_s: bytes((len(nonlinearity),)),
            0x00181101: lambda data, now_s: _nth(nonlinearity, data[0] if data else 0),
            0x001010A0: lambda data, now_s: struct.pack("<L", instrument.model.detector.saturation_counts),
            0x00110000: lambda data, now_s: self._integration(),
            0x00110100: lambda data, now_s: bytes((instrument.triggers.mode & 0xFF,)),
            0x00110280: lambda data, now_s: bytes((instrument.binning,)),
            0x00110400: lambda data, now_s: bytes((instrument.lamp_on,)),
            0x00120000: lambda data, now_s: struct.pack("<H", instrument.scans),
            0x00121000: lambda data, now_s: bytes((instrument.boxcar,)),
            0x00400001: lambda data, now_s: struct.pack("<f", instrument.board_temperature_c),
        }
        self.orders = {
            0x00110010: self._set_integration, 0x00110110: self._set_trigger, 0x00110410: self._set_lamp,
            0x00110290: self._set_binning, 0x00120010: self._set_scans, 0x00121010: self._set_boxcar,
        }  # fmt: skip
        if instrument.model.detector.cooled:
            self._add_cooler()

    def _set_lamp(self, data: bytes, now_s: float) -> None:
        self.instrument.lamp_on = data[0] != 0

    def _set_scans(self, data: bytes, now_s: float) -> None:
        self.instrument.set_averaging(scans=struct.unpack_from("<H", data)[0])

    def _set_boxcar(self, data: bytes, now_s: float) -> None:
        self.instrument.set_averaging(boxcar=data[0])

    def _set_binning(self, data: bytes, now_s: float) -> None:
        self.instrument.binning = min(data[0], _COARSEST)

    def _add_cooler(self) -> None:
        self.queries[0x00420004] = self._cooler_temperature
        self.orders |= {0x00420010: self._set_cooler, 0x00420011: self._set_setpoint}

    def _cooler_temperature(self, data: bytes, now_s: float) -> bytes:
        return struct.pack("<f", self.instrument.detector_temperature_c(now_s))

    def _set_cooler(self, data: bytes, now_s: float) -> None:
        self.instrument.cool(now_s, on=data[0] != 0)

    def _set_setpoint(self, data: bytes, now_s: float) -> None:
        self.instrument.cool(now_s, setpoint_c=struct.unpack_from("<f", data)[0])


class Obp2Firmware(ObpFirmware):
    """SR, HR, ST: whole coefficient lists in one answer, their number first."""

    version = 0x2000

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        detector = instrument.model.detector
        self.queries = {
            0x00000100: lambda data, now_s: self.serial,
            0x00001100: lambda data, now_s: _floats(instrument.optics.wavelength_coefficients),
            0x00001200: lambda data, now_s: _floats(detector.nonlinearity),
            0x00000C00: lambda data, now_s: self._integration(),
            0x00000D00: lambda data, now_s: bytes((instrument.triggers.mode & 0xFF,)),
            0x00001D00: lambda data, now_s: struct.pack("<H", detector.adc_max),
            0x00011D00: lambda data, now_s: struct.pack("<H", detector.saturation_counts),
        }
        self.orders = {0x00000C01: self._set_integration, 0x00000D01: self._set_trigger}


def _floats(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(values) + 1}f", len(values), *values)
