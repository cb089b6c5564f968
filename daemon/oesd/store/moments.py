"""Moments as integers: microseconds of UTC since 1970, exact for every datetime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds of an aware moment since 1970, UTC."""
    return (moment - EPOCH) // _MICROSECOND


def from_us(microseconds: int) -> datetime:
    """Inverse of :func:`to_us`; the result is in UTC."""
    return EPOCH + microseconds * _MICROSECOND


def to_us_or_none(moment: datetime | None) -> int | None:
    """:func:`to_us`, None passing through."""
    return None if moment is None else to_us(moment)


def from_us_or_none(microseconds: int | None) -> datetime | None:
    """:func:`from_us`, None passing through."""
    return None if microseconds is None else from_us(microseconds)
