"""Spectrometers of the OOI protocol, through pyseabreeze's features and EEPROM messages."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

from . import eeprom
from .capabilities import Capabilities
from .frames import decode

_READ_STATUS = 0xFE
_READ_BOARD, _BOARD_MARK, _BOARD_STEP_C = b"\x6c", 0x08, 0.003906
_READ_DETECTOR, _DETECTOR_STEP_C = b"\x72", 0.1
_SET_COOLER, _SET_SETPOINT = 0x71, 0x73
_TEMPERATURE_MS = 200


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
        self._board_tells = capabilities.tells_board_temperature and apart
        self._detector_tells = capabilities.cooled and apart

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
        if not self._can.tells_integration:
            return None
        self._protocol.send(_READ_STATUS)
        status = bytes(self._protocol.receive(size=16, mode="low_speed"))
        return int(struct.unpack_from("<L", status, 2)[0])

    def set_integration(self, integration_us: int) -> None:
        """Set the integration time; the protocol knows no answer to it."""
        self._feature.set_integration_time_micros(integration_us)

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool to a temperature in degrees Celsius, None for not at all; the protocol knows no answer to it."""
        if setpoint_c is not None:
            self._protocol.send(_SET_SETPOINT, round(setpoint_c / _DETECTOR_STEP_C))
        self._protocol.send(_SET_COOLER, (setpoint_c is not None, 0))

    def scan(self, patience_us: int) -> NDArray[np.uint32]:
        """Counts of one scan, shape (pixels,); waits ``patience_us`` and a second more."""
        # pyseabreeze makes its timeout of this number, which it sets itself to the time set last. A device that still
        # ends an older, longer exposure needs more.
        self._feature._integration_time = patience_us  # noqa: SLF001
        raw = self._feature._get_spectrum_raw()  # noqa: SLF001  # the only way to the sync byte and the raw counts
        return decode(raw.tobytes(), self._can.layout, self._can.words)[: self._can.pixels]

    def detector_temperature_c(self) -> float | None:
        """Detector temperature in degrees Celsius of a cooled model; one that gives no answer is asked only once."""
        if not self._detector_tells:
            return None
        answer = self._temperature(_READ_DETECTOR, 2)
        self._detector_tells = answer is not None
        return None if answer is None else float(struct.unpack("<h", answer)[0]) * _DETECTOR_STEP_C

    def board_temperature_c(self) -> float | None:
        """Temperature of the circuit board in degrees Celsius; a device that gives no answer is asked only once."""
        if not self._board_tells:
            return None
        answer = self._temperature(_READ_BOARD, 3)
        self._board_tells = answer is not None and answer[0] == _BOARD_MARK
        return float(struct.unpack("<xh", answer)[0]) * _BOARD_STEP_C if answer and self._board_tells else None

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
