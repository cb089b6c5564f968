"""The EEPROM of OOI spectrometers: 17-byte answers with a number or a name as text, read strictly.

Slots: 0 serial number, 1-4 wavelength coefficients, 6-13 non-linearity coefficients, 14 their order. Python's ``float``
takes ``nan``, ``1e400`` and digits of any script; a calibration made of those looks right and is not.
"""

from __future__ import annotations

import math
import re
from typing import Any

from .errors import Reopen

_GET_INFO = 0x05
_ANSWER_SIZE = 17
_NUMBER = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_LARGEST = 1e12
_SERIAL_SLOT, _FIRST_WAVELENGTH_SLOT, _FIRST_NONLINEARITY_SLOT, _ORDER_SLOT = 0, 1, 6, 14
_MOST_ORDERS = 7


def number(text: bytes) -> float | None:
    """Finite decimal number of plain ASCII digits, else None."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) and abs(value) < _LARGEST else None


def read_slot(protocol: Any, slot: int) -> bytes:
    """Text of a slot up to its NUL, without blanks around it; :class:`Reopen` when it is cut or of another slot."""
    protocol.send(_GET_INFO, slot)
    answer = bytes(protocol.receive(size=_ANSWER_SIZE, mode="low_speed"))
    if answer[:2] != bytes((_GET_INFO, slot)):
        raise Reopen(f"EEPROM slot {slot}: the answer is not for this question: {answer[:4].hex()!r}")
    text, end, _ = answer[2:].partition(b"\0")
    if not end and len(answer) != _ANSWER_SIZE:
        raise Reopen(f"EEPROM slot {slot}: the answer was cut after {len(answer)} bytes")
    return text.strip(b" \t\r\n")


def serial(protocol: Any) -> str:
    """Serial number as it stands; bytes that are no ASCII are shown escaped."""
    return read_slot(protocol, _SERIAL_SLOT).decode("ascii", "backslashreplace")


def wavelength_coefficients(protocol: Any) -> list[float | None]:
    """Coefficients c0..c3 in nm per pixel to the n; None for each that is no number."""
    return [number(read_slot(protocol, _FIRST_WAVELENGTH_SLOT + power)) for power in range(4)]


def nonlinearity_coefficients(protocol: Any) -> list[float | None]:
    """Coefficients c0, c1, ... of the order slot 14 tells; empty when it tells none."""
    order = number(read_slot(protocol, _ORDER_SLOT))
    if order is None or order not in range(_MOST_ORDERS + 1):
        return []
    return [number(read_slot(protocol, _FIRST_NONLINEARITY_SLOT + power)) for power in range(int(order) + 1)]
