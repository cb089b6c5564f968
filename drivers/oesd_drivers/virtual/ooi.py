"""The OOI protocol: one-byte commands, little endian, text in EEPROM slots (USB2000 to Maya, NIRQuest and QE65000)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from .exposed import Exposed
from .faults import FaultKind, FaultQueue, Point, damage, harm, lateness_s, survives_reset
from .firmware import Answer
from .instrument import Instrument

_SYNC = b"\x69"
_FPGA_VERSION_REGISTER = 0x04
_AUTONULLING_SLOT = 17
_BOARD_K_PER_COUNT = 0.003906
_COOLER = frozenset((0x71, 0x72, 0x73))
_BLOCK = 64


def eeprom_of(instrument: Instrument) -> dict[int, bytes]:
    """Return the EEPROM slots as the factory writes them: text, but for the autonulling block in slot 17."""
    detector = instrument.model.detector
    order = len(detector.nonlinearity) - 1
    texts = {0: instrument.serial, 5: "0.0", 14: str(order), 15: "1 0 25", 16: instrument.model.name}
    texts |= {1 + i: f"{c:.6e}" for i, c in enumerate(instrument.optics.wavelength_coefficients)}
    texts |= {6 + i: "0.000000e+00" for i in range(8)}
    texts |= {6 + i: f"{c:.6e}" for i, c in enumerate(detector.nonlinearity)}
    slots = {slot: text.encode()[:14] for slot, text in texts.items()}
    if instrument.model.wire.saturation_slot:
        slots[_AUTONULLING_SLOT] = struct.pack(instrument.model.wire.saturation_slot, detector.saturation_counts)
    return slots


class OoiFirmware:
    """Firmware of an OOI device.

    Attributes
    ----------
    eeprom : dict of int to bytes
        At most 15 bytes each; tests write hostile ones.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.write_factory_memory()
        self._registers: dict[int, int] = {}
        self._low_speed = instrument.model.wire.in_endpoints[0][0]
        self._queries: dict[int, Callable[[bytes, float], bytes]] = {
            0x05: self._slot, 0x6B: self._register, 0x6C: self._board_temperature, 0x72: self._detector_temperature,
            0xFE: self._status,
        }  # fmt: skip
        self._orders: dict[int, Callable[[bytes, float], None]] = {
            0x01: self._initialize, 0x02: self._set_integration, 0x03: self._set_lamp, 0x0A: self._set_trigger,
            0x6A: self._set_register, 0x71: self._set_cooler, 0x73: self._set_setpoint,
        }  # fmt: skip
        unknown = instrument.model.wire.unanswered | (frozenset() if instrument.model.detector.cooled else _COOLER)
        for command in unknown:
            self._queries.pop(command, None)
            self._orders.pop(command, None)

    def write_factory_memory(self) -> None:
        """Every slot as the factory wrote it."""
        self.eeprom: dict[int, bytes] = eeprom_of(self.instrument)

    def power_on(self, now_s: float) -> None:
        """Settings after plugging in."""
        self.instrument.power_on(now_s)
        self._registers = {}

    def usb_reset(self) -> None:
        """Forget spectra that wait for a trigger."""
        self.instrument.triggers.forget()

    def receive(self, data: bytes, now_s: float, faults: FaultQueue) -> list[Answer]:
        """One command a write; unknown or incomplete ones are ignored, as the firmware does."""
        command, rest = data[:1], data[1:].ljust(4, b"\0")
        if command == b"\x09":
            return self._spectrum(self.instrument.request(now_s), faults)
        code = command[0] if command else 0
        if code in self._queries:
            return [
                Answer(self._low_speed, damage(self._queries[code](rest, now_s), faults.take(Point.MESSAGE)), now_s)
            ]
        if code in self._orders and faults.take(Point.ORDER) is None:
            self._orders[code](rest, now_s)
        return []

    def trigger(self, now_s: float, faults: FaultQueue) -> list[Answer]:
        """An edge begins, or ends, the spectrum that waits for it."""
        return self._spectrum(self.instrument.fire(now_s), faults)

    def trigger_line(self, high: bool, now_s: float, faults: FaultQueue) -> list[Answer]:
        """A level: spectra that wait for it begin."""
        exposed = self.instrument.trigger_level(high, now_s)
        return [answer for each in exposed for answer in self._spectrum(each, faults)]

    def _spectrum(self, exposed: Exposed | None, faults: FaultQueue) -> list[Answer]:
        if exposed is None:
            return []
        fault = faults.take(Point.FRAME)
        self.instrument.made.add(exposed, harm(fault), lateness_s(fault))
        if fault is not None and fault.kind is FaultKind.SILENT:
            return []
        ready_s = exposed.ready_s + lateness_s(fault)
        left = damage(self._bytes(exposed), fault)
        answers = []
        for endpoint, size in self.instrument.model.wire.spectrum_parts:
            part, left = (left[:size], left[size:]) if size else (left, b"")
            answers.append(Answer(endpoint, part, ready_s, survives_reset=survives_reset(fault)))
        return [answer for answer in answers if answer.data]

    def _bytes(self, exposed: Exposed) -> bytes:
        """Counts as this model sends them."""
        wire = self.instrument.model.wire
        counts = np.pad(exposed.counts, (0, wire.padding_words), constant_values=round(wire.padding_words / 2))
        words = (counts.astype(np.uint16) ^ np.uint16(wire.flip)) | np.uint16(wire.stray_bits)
        sent = words.astype(np.dtype("<u2")).view(np.uint8)
        if wire.interleaved:
            sent = sent.reshape(-1, _BLOCK, 2).transpose(0, 2, 1)
        return sent.tobytes() + (_SYNC if wire.sync else b"")

    def _slot(self, rest: bytes, now_s: float) -> bytes:
        return bytes((0x05, rest[0])) + self.eeprom.get(rest[0], b"")[:15].ljust(15, b"\0")

    def _register(self, rest: bytes, now_s: float) -> bytes:
        major, minor, patch = self.instrument.model.wire.fpga
        version = major << 12 | minor << 4 | patch
        value = version if rest[0] == _FPGA_VERSION_REGISTER else self._registers.get(rest[0], 0)
        return struct.pack("<BH", rest[0], value)

    def _board_temperature(self, rest: bytes, now_s: float) -> bytes:
        return struct.pack("<Bh", 0x08, round(self.instrument.board_temperature_c / _BOARD_K_PER_COUNT))

    def _detector_temperature(self, rest: bytes, now_s: float) -> bytes:
        return struct.pack("<h", round(self.instrument.detector_temperature_c(now_s) * 10))

    def _status(self, rest: bytes, now_s: float) -> bytes:
        instrument = self.instrument
        return struct.pack(
            "<HLBBBBBBBBBB", instrument.model.detector.pixels, self._steps(instrument.ordered_integration_s),
            instrument.lamp_on, instrument.triggers.mode & 0xFF, 0, 8, 0, 0, 0, 0, 0x80, 0x55,
        )  # fmt: skip

    def _initialize(self, rest: bytes, now_s: float) -> None:
        self.instrument.triggers.set_mode(0)

    def _set_integration(self, rest: bytes, now_s: float) -> None:
        wire = self.instrument.model.wire
        steps = int.from_bytes(rest[: wire.step_bytes], "little")
        self.instrument.set_integration(steps * wire.step_us, now_s)

    def _steps(self, integration_s: float) -> int:
        return round(integration_s * 1e6 / self.instrument.model.wire.step_us)

    def _set_lamp(self, rest: bytes, now_s: float) -> None:
        self.instrument.lamp_on = struct.unpack_from("<H", rest)[0] != 0

    def _set_trigger(self, rest: bytes, now_s: float) -> None:
        self.instrument.triggers.set_mode(struct.unpack_from("<H", rest)[0])

    def _set_register(self, rest: bytes, now_s: float) -> None:
        register, value = struct.unpack_from("<BH", rest)
        self._registers[register] = value

    def _set_cooler(self, rest: bytes, now_s: float) -> None:
        self.instrument.cool(now_s, on=rest[0] != 0)

    def _set_setpoint(self, rest: bytes, now_s: float) -> None:
        self.instrument.cool(now_s, setpoint_c=struct.unpack_from("<h", rest)[0] / 10)
