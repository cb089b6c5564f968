"""Dates as spectrometer software writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}
# Abbreviations with one meaning. CST, IST, BST and the like have several: their times stay local.
_ZONE_HOURS = {"GMT": 0, "UTC": 0, "Z": 0, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "JST": 9}
_CLOCK = r"(\d{1,2}:\d\d:\d\d)"
_AFTER = r"(?:[.,](\d{1,6})\d*)?(?: ?([AP]M)\b)?(?: ?(Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d))?"
"""What may follow a clock: a part of a second, which half of the day, how far from UTC."""
_FLAGS = re.ASCII | re.IGNORECASE
_OFFSET = re.compile(r"(?:GMT)?([+-])(\d\d):?(\d\d)", _FLAGS)
_JAVA = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?: (GMT[+-]\d\d:\d\d|[A-Z]{1,5}))? (\d{4})", _FLAGS)
_YEAR_FIRST = re.compile(rf"(\d{{4}})[-/](\d{{1,2}})[-/](\d{{1,2}}),?[ T]+{_CLOCK}{_AFTER}", _FLAGS)
_MONTH_FIRST = re.compile(rf"(\d{{1,2}})[-/](\d{{1,2}})[-/](\d{{4}}),? +{_CLOCK}{_AFTER}", _FLAGS)


def moment(text: str) -> str | None:
    """ISO 8601 of a date in a file's header: with an offset when its zone is certain, without one when not; else None.

    Reads ``Mon Jan 14 17:36:35 GMT 2008`` (SpectraSuite, OceanView, Jaz), ``2022-03-17 08:46:42`` (BWSpec),
    ``2022/3/2, 8:41:14``, ``2026/11/22 12:00:00.25 +0100`` (JCAMP-DX) and ``03-23-2011, 12:15:51`` (OOIBase32, month
    first), the last three also with ``AM`` or ``PM``, beside an hour of 24, too (``13:05:00 PM``), where they agree.
    """
    try:
        return _iso(text.strip())
    except (ValueError, OverflowError):
        return None


def moment_of_timestamp(seconds: float) -> str | None:
    """ISO 8601 in UTC of a Unix time; None when it is out of range."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _iso(text: str) -> str | None:
    if java := _JAVA.match(text):
        month, day, clock, zone, year = java.groups()
        local = _local(year, _MONTHS.get(month.lower(), 0), day, clock)
        return local.replace(tzinfo=_zone(zone or "")).isoformat()
    if found := _YEAR_FIRST.match(text):
        year, month, day, *rest = found.groups()
    elif found := _MONTH_FIRST.match(text):
        month, day, year, *rest = found.groups()
    else:
        return None
    clock, part, half, offset = rest
    return _local(year, month, day, clock, part or "0", half or "").replace(tzinfo=_zone(offset or "")).isoformat()


def _local(year: str, month: str | int, day: str, clock: str, part: str = "0", half: str = "") -> datetime:
    hour, minute, second = map(int, clock.split(":"))
    if half:
        hour = _of_the_day(hour, half.upper())
    return datetime(int(year), int(month), int(day), hour, minute, second, int(part.ljust(6, "0")))


def _of_the_day(hour: int, half: str) -> int:
    """Hour of the day of one of its half; a clock of 24 hours with its half beside it (``13:05 PM``) says it twice."""
    if (half == "PM" and 13 <= hour <= 23) or (half == "AM" and hour == 0):
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no hour of that half of the day")
    return hour % 12 + (12 if half == "PM" else 0)


def _zone(text: str) -> timezone | None:
    """Zone of an abbreviation with one meaning, or of an offset; None for any other."""
    if found := _OFFSET.fullmatch(text):
        away = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(away if found[1] == "+" else -away)
    hours = _ZONE_HOURS.get(text.upper())
    return None if hours is None else timezone(timedelta(hours=hours))
