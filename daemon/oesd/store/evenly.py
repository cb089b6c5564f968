"""A few entries of a spectrometer spread over a time, without reading those between."""

from __future__ import annotations

from datetime import datetime

from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us

_NEXT = (
    "SELECT entry_no, taken_at_us, data_id FROM entries WHERE device_name = ? AND entry_no >= ? "
    "ORDER BY entry_no LIMIT 1"
)  # fmt: skip


def spread_entries(
    connection: Connection, device_name: str, since: datetime, until: datetime, most: int
) -> list[tuple[str, datetime]]:
    """Entries taken in [since, until), in the order of storing: data id and when it was taken.

    Entries are numbered as they are stored, so their times are sorted but for a step of the clock; what such a step
    puts outside the interval is left out. The chosen numbers are multiples of a power of two: asked again a little
    later, most of the entries are the same.

    Parameters
    ----------
    most : int
        How many at most, 1 or more.
    """
    since_us, until_us = to_us(since), to_us(until)
    first, end = (_first_from(connection, device_name, moment_us) for moment_us in (since_us, until_us))
    stride = 1
    while (end - first) // stride >= most:
        stride *= 2
    found: dict[str, datetime] = {}
    for number in range(first - first % stride, end, stride):
        row = connection.execute(_NEXT, (device_name, number)).fetchone()
        if row is not None and row[0] < end and since_us <= row[1] < until_us:
            found[row[2]] = from_us(row[1])
    return list(found.items())


def _first_from(connection: Connection, device_name: str, moment_us: int) -> int:
    """Number of the first entry taken at a moment or later, by bisection; one past the last when there is none."""
    (newest,) = connection.execute("SELECT coalesce(max(entry_no), 0) FROM entries").fetchone()
    low, high = 1, newest + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(_NEXT, (device_name, middle)).fetchone()
        if row is None or row[1] >= moment_us:
            high = middle
        else:
            low = row[0] + 1
    return int(low)
