"""Memories of spectrometers as no factory writes them: NaN, infinity, foreign digits, an axis that turns round, ...

The same variants for both protocols: OOI has text of 15 bytes in EEPROM slots, OBP floats in messages and a serial
number of any length.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from enum import StrEnum

from .obp import Obp1Firmware, ObpFirmware
from .ooi import OoiFirmware


class Hostile(StrEnum):
    """What stands in the memory."""

    NAN = "nan"
    INFINITE = "infinite"
    OVERFLOWING = "overflowing"  # 1e400 as text, the largest float as a number
    ARABIC = "arabic-digits"  # OBP: in the serial number
    NON_MONOTONIC = "non-monotonic"  # the wavelength axis turns round
    LONG_SERIAL = "long-serial"  # 4 kB where the protocol has room for it, else no end mark
    CONTROL_CHARACTERS = "control-characters"  # in the serial number: it clears terminals and ends lines

    @property
    def renames(self) -> bool:
        """Whether the serial number is changed, always or for some protocol."""
        return self in (Hostile.ARABIC, Hostile.LONG_SERIAL, Hostile.CONTROL_CHARACTERS)


_C1, _N1 = 2, 7  # slots of the second coefficients: wavelength, non-linearity
_SLOTS: dict[Hostile, Mapping[int, bytes]] = {
    Hostile.NAN: {_C1: b"nan", _N1: b"NaN"},
    Hostile.INFINITE: {_C1: b"inf", _N1: b"-Infinity"},
    Hostile.OVERFLOWING: {_C1: b"1e400", _N1: b"1e400"},
    Hostile.ARABIC: {_C1: "٠.٤٦٨".encode(), _N1: "١e-6".encode()},
    Hostile.NON_MONOTONIC: {_C1: b"4.0e-01", _C1 + 1: b"-5.0e-04"},
    Hostile.LONG_SERIAL: {0: b"A" * 15},
    Hostile.CONTROL_CHARACTERS: {0: b"\x1b[2J\r\n\x07\x08\x7f"},
}
_LARGEST = 3.4e38
_FLOATS = {Hostile.NAN: math.nan, Hostile.INFINITE: math.inf, Hostile.OVERFLOWING: _LARGEST}
_SERIALS = {
    Hostile.ARABIC: "١٢٣٤".encode(),
    Hostile.LONG_SERIAL: b"A" * 4096,
    Hostile.CONTROL_CHARACTERS: b"\x1b[2J\r\n\x07\x08\x7f\x00\xff",
}
_SERIAL, _WAVELENGTHS_2, _NONLINEARITY_2 = 0x00000100, 0x00001100, 0x00001200
_WAVELENGTH_1, _NONLINEARITY_1 = 0x00180101, 0x00181101


def write(firmware: object, variant: Hostile) -> None:
    """Write a variant into a device's memory; what was hostile before stays. Restored by :func:`restore`."""
    if isinstance(firmware, OoiFirmware):
        firmware.eeprom.update(_SLOTS[variant])
    elif isinstance(firmware, ObpFirmware):
        firmware.overwritten |= _messages(firmware, variant)


def restore(firmware: object) -> None:
    """Put back what the factory wrote."""
    if isinstance(firmware, OoiFirmware):
        firmware.write_factory_memory()
    elif isinstance(firmware, ObpFirmware):
        firmware.overwritten.clear()


def _messages(firmware: ObpFirmware, variant: Hostile) -> dict[tuple[int, int], bytes]:
    if variant in _SERIALS:
        return {(_SERIAL, -1): _SERIALS[variant]}
    c1, c2 = (0.4, -5e-4) if variant is Hostile.NON_MONOTONIC else (_FLOATS[variant], 0.0)
    if isinstance(firmware, Obp1Firmware):
        damaged = {(_WAVELENGTH_1, 1): struct.pack("<f", c1), (_WAVELENGTH_1, 2): struct.pack("<f", c2)}
        return (
            damaged
            if variant is Hostile.NON_MONOTONIC
            else {**damaged, (_NONLINEARITY_1, 1): damaged[_WAVELENGTH_1, 1]}
        )
    whole = struct.pack("<5f", 4, 190.0, c1, c2, 0.0)
    return {(_WAVELENGTHS_2, -1): whole} if c2 else {(_WAVELENGTHS_2, -1): whole, (_NONLINEARITY_2, -1): whole}
