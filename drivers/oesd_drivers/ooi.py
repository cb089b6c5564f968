"""Spectrometers of the OOI protocol, through pyseabreeze's features and EEPROM messages."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import usb.core
from numpy.typing import NDArray

from . import eeprom
from .frames import Layout, decode

_READ_STATUS, _READ_BOARD_TEMPERATURE = 0xFE, b"\x6c"
_BOARD_MARK, _BOARD_STEP_C = 0x08, 0.003906
_BOARD_ANSWER_MS = 200
#: Data sheets of these name command 0x6C, and their spectra come on other endpoints than its answer: nothing can mix.
_BOARD_TELLS = {"USB2000PLUS", "FLAMES", "USB4000", "HR2000PLUS", "HR4000", "QE65000", "MAYA2000PRO", "TORUS"}
#: Data sheets of these give the integration time in us in the status answer.
_STATUS_TELLS_US = _BOARD_TELLS - {"QE65000"}


class OoiDevice:
    """An opened OOI spectrometer.

    Parameters
    ----------
    device : pyseabreeze SeaBreezeDevice
        Open.
    model : str
        pyseabreeze's name of it.
    layout, pixels
        Form of a spectrum.
    """

    def __init__(self, device: Any, model: str, layout: Layout, pixels: int) -> None:
        self._device = device  # keeps protocol and transport alive: features hold them weakly
        self._feature = device.f.spectrometer
        self._cooler = device.f.thermo_electric
        self._protocol = self._feature.protocol
        self._layout, self._pixels = layout, pixels
        self._status_tells = model in _STATUS_TELLS_US
        self._board_tells = model in _BOARD_TELLS and self._spectra_apart()

    def serial(self) -> str:
        """Serial number as it stands; bytes that are no ASCII are shown escaped."""
        return eeprom.serial(self._protocol)

    def wavelength_coefficients(self) -> list[float | None]:
        """Coefficients c0..c3 in nm per pixel to the n; None for one that is no number."""
        return eeprom.wavelength_coefficients(self._protocol)

    def nonlinearity_coefficients(self) -> list[float | None]:
        """Coefficients c0, c1, ... of EEPROM slots 6 to 13, for models pyseabreeze does not read them from as well."""
        return eeprom.nonlinearity_coefficients(self._protocol)

    def saturation_level(self) -> None:
        """Not asked for: pyseabreeze reads it from EEPROM slot 17 at open and scales by it."""

    def integration_us(self) -> int | None:
        """Integration time as the device tells it, None for models that do not."""
        if not self._status_tells:
            return None
        self._protocol.send(_READ_STATUS)
        status = bytes(self._protocol.receive(size=16, mode="low_speed"))
        return int(struct.unpack_from("<L", status, 2)[0])

    def set_integration(self, integration_us: int) -> None:
        """Set the integration time; the protocol knows no answer to it."""
        self._feature.set_integration_time_micros(integration_us)

    def scan(self, patience_us: int) -> NDArray[np.uint32]:
        """Counts of one scan, shape (pixels,); waits ``patience_us`` and a second more."""
        # pyseabreeze makes its timeout of this number, which it sets itself to the time set last. A device that still
        # ends an older, longer exposure needs more.
        self._feature._integration_time = patience_us  # noqa: SLF001
        raw = self._feature._get_spectrum_raw()  # noqa: SLF001  # the only way to the sync byte and the raw counts
        return decode(raw.tobytes(), self._layout, self._pixels)

    def detector_temperature_c(self) -> float | None:
        """Detector temperature in degrees Celsius, where pyseabreeze can read it."""
        return None if self._cooler is None else float(self._cooler.read_temperature_degrees_celsius())

    def board_temperature_c(self) -> float | None:
        """Temperature of the circuit board in degrees Celsius; a device that gives no answer is asked only once."""
        if not self._board_tells:
            return None
        self._protocol.transport.write(_READ_BOARD_TEMPERATURE, timeout_ms=_BOARD_ANSWER_MS)
        try:
            answer = bytes(self._protocol.transport.read(size=64, timeout_ms=_BOARD_ANSWER_MS, mode="low_speed"))
        except usb.core.USBTimeoutError:
            answer = b""
        if len(answer) != 3 or answer[0] != _BOARD_MARK:
            self._board_tells = False
            return None
        return float(struct.unpack("<h", answer[1:])[0]) * _BOARD_STEP_C

    def _spectra_apart(self) -> bool:
        """Whether spectra come on an endpoint of their own; on a full-speed port some devices use one for all."""
        return str(self._protocol.transport._default_read_spectrum_endpoint) == "high_speed"  # noqa: SLF001
