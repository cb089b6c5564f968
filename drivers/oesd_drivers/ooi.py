"""Spectrometers of the OOI protocol, through pyseabreeze's features and EEPROM messages."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

from . import eeprom
from .capabilities import Capabilities
from .errors import Refused, Reopen
from .frames import decode
from .spectrometer import Trigger

_READ_STATUS, _REQUEST_SPECTRUM, _SET_LAMP = 0xFE, 0x09, 0x03
_STATUS_SIZE, _TRIGGER_AT = 16, 7
_READ_BOARD, _BOARD_MARK, _BOARD_STEP_C = b"\x6c", 0x08, 0.003906
_READ_DETECTOR, _DETECTOR_STEP_C = b"\x72", 0.1
_SET_COOLER, _SET_SETPOINT = 0x71, 0x73
_TEMPERATURE_MS = 200
_ANSWER_MS, _REST_MS = 1000, 100
_UNASKED_MS, _MOST_UNASKED = 50, 8


class OoiDevice:
    """An opened OOI spectrometer.

    Parameters
    ----------
    device : pyseabreeze SeaBreezeDevice
        Open.
    capabilities : Capabilities
    """

    def __init__(self, device: Any, capabilities: Capabilities) -> None:
        self._device = device  # keeps protocol and transport alive: features hold them weakly
        self._can = capabilities
        self._feature = device.f.spectrometer
        self._protocol = self._feature.protocol
        apart = self._spectra_apart()
        self._parts = self._spectrum_parts(apart)
        self._thermometers = apart

    def serial(self) -> str:
        """Serial number as it stands; bytes that are no ASCII are shown escaped."""
        return eeprom.serial(self._protocol)

    def wavelength_coefficients(self) -> list[float | None]:
        """Coefficients c0..c3 in nm per pixel to the n; None for one that is no number."""
        return eeprom.wavelength_coefficients(self._protocol)

    def nonlinearity_coefficients(self) -> list[float | None]:
        """Coefficients c0, c1, ... of EEPROM slots 6 to 13, for models pyseabreeze does not read them from as well."""
        if self._can.nonlinearity == "none":
            return []
        return eeprom.nonlinearity_coefficients(self._protocol)

    def saturation_level(self) -> int | None:
        """Count of a full pixel where EEPROM slot 17 has it, which pyseabreeze reads at open and scales by."""
        if self._can.saturation == "none":
            return None
        scale = float(self._feature._normalization_value)  # noqa: SLF001  # nothing public tells it
        return round(self._can.full_scale / scale)

    def integration_us(self) -> int | None:
        """Integration time as the device tells it, None for models that do not."""
        status = self._status()
        return None if status is None else int(struct.unpack_from("<L", status, 2)[0])

    def set_integration(self, integration_us: int) -> None:
        """Set the integration time; the protocol knows no answer to it."""
        self._feature.set_integration_time_micros(integration_us)

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool to a temperature in degrees Celsius, None for not at all; the protocol knows no answer to it."""
        if setpoint_c is not None:
            self._protocol.send(_SET_SETPOINT, round(setpoint_c / _DETECTOR_STEP_C))
        self._protocol.send(_SET_COOLER, (setpoint_c is not None, 0))

    def set_trigger(self, trigger: Trigger) -> None:
        """Set what begins an exposure; the protocol knows no answer to it.

        Raises
        ------
        Refused
            The device tells, where it can, that it stays as it was.
        """
        code = self._can.triggers[trigger]
        before = after = self._trigger_code()
        for _ in range(2):
            self._feature.set_trigger_mode(code)
            after = self._trigger_code()
            if after is None or after == code or after != before:
                return
        raise Refused(f"the device was asked for the trigger {trigger} ({code}) and stays at {after}")

    def set_lamp(self, on: bool) -> None:
        """Set the lamp-enable line; the protocol knows no answer to it."""
        self._protocol.send(_SET_LAMP, int(on))

    def calm(self) -> int:
        """Undo averaging that another program left behind: these devices do none on board, a frame is one scan."""
        return 1

    def drain(self, integration_us: int) -> None:
        """Read spectra that nobody asked for, until none comes within the integration time and a little more.

        Answers carry no number: one that was late and outlived the reset would make every later frame one old.
        """
        for _ in range(_MOST_UNASKED):
            if self.fetch(integration_us // 1000 + _UNASKED_MS) is None:
                return
        raise Reopen("it sends spectra that nobody asked for")

    def request(self) -> None:
        """Ask for a spectrum."""
        self._protocol.send(_REQUEST_SPECTRUM)

    def fetch(self, timeout_ms: int) -> NDArray[np.uint32] | None:
        """Counts of the spectrum asked for, shape (pixels,); None when it does not begin to come in time."""
        (size, mode), *others = self._parts
        transport = self._protocol.transport
        try:
            raw = bytes(transport.read(size=size, timeout_ms=timeout_ms, mode=mode))
        except usb.core.USBTimeoutError:
            return None
        raw += self._rest(size - len(raw), mode)
        for size, mode in others:
            raw += self._rest(size, mode)
        return decode(raw, self._can.layout, self._can.words)[: self._can.pixels]

    def scan(self, patience_us: int) -> NDArray[np.uint32]:
        """Counts of one scan, shape (pixels,); waits ``patience_us`` and a second more."""
        self.request()
        counts = self.fetch(patience_us // 1000 + _ANSWER_MS)
        if counts is None:
            raise Reopen("it did not answer in time")
        return counts

    def _status(self) -> bytes | None:
        """The status answer, where the data sheet says what is in it."""
        if not self._can.tells_status:
            return None
        self._protocol.send(_READ_STATUS)
        status = bytes(self._protocol.receive(size=_STATUS_SIZE, mode="low_speed"))
        if len(status) != _STATUS_SIZE:
            raise Reopen(f"the status answer was cut after {len(status)} bytes")
        return status

    def _trigger_code(self) -> int | None:
        status = self._status()
        return None if status is None else status[_TRIGGER_AT]

    def _rest(self, size: int, mode: str | None) -> bytes:
        """What is still missing of a spectrum that has begun to come; it may have been cut by the end of a wait."""
        if size <= 0:
            return b""
        try:
            return bytes(self._protocol.transport.read(size=size, timeout_ms=_REST_MS, mode=mode))
        except usb.core.USBTimeoutError:
            return b""

    def _spectrum_parts(self, apart: bool) -> tuple[tuple[int, str | None], ...]:
        """Sizes of the parts a spectrum comes in, and pyseabreeze's names of their endpoints."""
        whole, first = self._can.layout.size(self._can.words), self._can.first_part
        if not first:
            return ((whole, self._protocol.transport._default_read_spectrum_endpoint),)  # noqa: SLF001  # nothing public
        return ((first, "high_speed_alt"), (whole - first, "high_speed")) if apart else ((whole, None),)

    def detector_temperature_c(self) -> float | None:
        """Detector temperature in degrees Celsius of a cooled model; None where there is no answer."""
        if not (self._can.cooled and self._thermometers):
            return None
        answer = self._temperature(_READ_DETECTOR, 2)
        return None if answer is None else float(struct.unpack("<h", answer)[0]) * _DETECTOR_STEP_C

    def board_temperature_c(self) -> float | None:
        """Temperature of the circuit board in degrees Celsius; None where there is no answer."""
        if not (self._can.tells_board_temperature and self._thermometers):
            return None
        answer = self._temperature(_READ_BOARD, 3)
        if answer is None or answer[0] != _BOARD_MARK:
            return None
        return float(struct.unpack("<xh", answer)[0]) * _BOARD_STEP_C

    def _temperature(self, command: bytes, size: int) -> bytes | None:
        """Answer to a command, None when it is missing or of another length."""
        transport = self._protocol.transport
        transport.write(command, timeout_ms=_TEMPERATURE_MS)
        try:
            answer = bytes(transport.read(size=64, timeout_ms=_TEMPERATURE_MS, mode="low_speed"))
        except usb.core.USBTimeoutError:
            return None
        return answer if len(answer) == size else None

    def _spectra_apart(self) -> bool:
        """Whether spectra come on an endpoint of their own; on a full-speed port some devices use one for all."""
        return str(self._protocol.transport._default_read_spectrum_endpoint) == "high_speed"  # noqa: SLF001
