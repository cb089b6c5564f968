"""Moments as integers: microseconds of UTC since 1970, exact for every datetime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Microseconds of an aware moment since 1970, UTC."""
    return (moment - EPOCH) // _MICROSECOND


_FIRST_US, _LAST_US = to_us(datetime.min.replace(tzinfo=UTC)), to_us(datetime.max.replace(tzinfo=UTC))


def from_us(microseconds: int) -> datetime:
    """Inverse of :func:`to_us`; the result is in UTC.

    What no date can be, as only a damaged disk tells it, is the first or the last there is: one row that is wrong for
    all to see, and not a list that cannot be read. Checksums are of the number itself.
    """
    return EPOCH + min(max(microseconds, _FIRST_US), _LAST_US) * _MICROSECOND


def to_us_or_none(moment: datetime | None) -> int | None:
    """:func:`to_us`, None passing through."""
    return None if moment is None else to_us(moment)


def from_us_or_none(microseconds: int | None) -> datetime | None:
    """:func:`from_us`, None passing through."""
    return None if microseconds is None else from_us(microseconds)
