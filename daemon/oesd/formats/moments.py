"""Dates as spectrometer software writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {name: i for i, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)}
# Abbreviations with one meaning. CST, IST, BST and the like have several: their times stay local.
_ZONE_HOURS = {"GMT": 0, "UTC": 0, "Z": 0, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "JST": 9}
_JAVA = re.compile(r"\w{3} (\w{3}) +(\d{1,2}) (\d\d:\d\d:\d\d)(?: ([A-Za-z]{1,5}))? (\d{4})", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2}),?[ T]+(\d{1,2}:\d\d:\d\d)", re.ASCII)
_MONTH_FIRST = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/](\d{4}),? +(\d{1,2}:\d\d:\d\d)", re.ASCII)


def moment(text: str) -> str | None:
    """ISO 8601 of a date in a file's header: with an offset when its zone is certain, without one when not; else None.

    Reads ``Mon Jan 14 17:36:35 GMT 2008`` (SpectraSuite, OceanView, Jaz), ``2022-03-17 08:46:42`` (BWSpec),
    ``2022/3/2, 8:41:14`` and ``03-23-2011, 12:15:51`` (OOIBase32, month first).
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
        hours = _ZONE_HOURS.get((zone or "").upper())
        return (local if hours is None else local.replace(tzinfo=timezone(timedelta(hours=hours)))).isoformat()
    if found := _YEAR_FIRST.match(text):
        return _local(*found.groups()).isoformat()
    if found := _MONTH_FIRST.match(text):
        month, day, year, clock = found.groups()
        return _local(year, month, day, clock).isoformat()
    return None


def _local(year: str, month: str | int, day: str, clock: str) -> datetime:
    hour, minute, second = map(int, clock.split(":"))
    return datetime(int(year), int(month), int(day), hour, minute, second)
