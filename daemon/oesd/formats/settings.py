"""The header lines of any vendor as settings in our units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from oesd.formats.moments import moment

T = TypeVar("T")
_MICROSECONDS = {"usec": 1, "us": 1, "µs": 1, "μs": 1, "msec": 1_000, "ms": 1_000, "sec": 1_000_000, "s": 1_000_000}
_UNIT = re.compile(r"[(\[]\s*([a-zµμ]+)\s*[)\]]", re.IGNORECASE)
_LEADING_NUMBER = re.compile(r"\s*([0-9]+(?:[.,][0-9]+)?(?:[eE][+-]?[0-9]+)?)")
_SCANS = re.compile(
    r"spectra averaged|scans to average|averag\w* (?:nr|number)|average number|promedi|mittel|moyenn", re.IGNORECASE
)
_BOXCAR = re.compile(r"boxcar|smoothing nr|suavizado", re.IGNORECASE)
_INTEGRATION = re.compile(r"int[ei]g", re.IGNORECASE)
_SERIAL = re.compile(
    r"spectrometers?$|spectrometer serial number|data measured with spectrometer|e?spe[ck]tr[oó]met[^\W_]+$",
    re.IGNORECASE,
)
_DATE = re.compile(r"date$|fecha$|datum$", re.IGNORECASE)


class Settings(NamedTuple):
    """What a header says of the exposure; None and "" when it does not.

    ``boxcar_half_width_px`` is what the software *has applied* to the numbers in the file.
    """

    integration_us: int | None
    scans: int | None
    boxcar_half_width_px: int | None
    serial: str
    taken_at: str

    def as_metadata(self) -> dict[str, str]:
        """Return what is known under our own names, lower case with units, as text."""
        return {name: str(value) for name, value in self._asdict().items() if value not in (None, "")}


def settings(header: Mapping[str, str]) -> Settings:
    """Settings out of header lines, whatever the vendor, unit or (often) language."""
    return Settings(
        integration_us=_first(_integration_us(key, value) for key, value in header.items()),
        scans=_first(_count(value) for value in _values(header, _SCANS)),
        boxcar_half_width_px=_first(_count(value) for value in _values(header, _BOXCAR)),
        serial=_first(value for value in _values(header, _SERIAL) if value) or "",
        taken_at=_first(moment(value) for value in _values(header, _DATE)) or "",
    )


def _values(header: Mapping[str, str], names: re.Pattern[str]) -> Iterator[str]:
    return (value.strip() for key, value in header.items() if names.search(key))


def _first(found: Iterable[T | None]) -> T | None:
    return next((value for value in found if value is not None), None)


def _integration_us(key: str, value: str) -> int | None:
    """``Integration Time (sec): 2.0E-2`` and the like; only with its unit in the key."""
    unit = _UNIT.search(key)
    factor = _MICROSECONDS.get(unit.group(1).lower()) if unit and _INTEGRATION.search(key) else None
    amount = _LEADING_NUMBER.match(value)
    if factor is None or amount is None:
        return None
    return round(min(float(amount.group(1).replace(",", ".")) * factor, 1e15)) or None


def _count(value: str) -> int | None:
    amount = re.match(r"[0-9]{1,9}", value)
    return int(amount.group()) if amount else None
