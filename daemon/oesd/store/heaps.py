"""Spectra that wait to be sealed: which belong into one segment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oesd.store.database import Connection

SEEN_AT_ONCE = 1000
_DAY_US = 86_400_000_000


@dataclass(slots=True)
class Heap:
    """Spectra of a spectrometer that are not sealed: those after one entry up to another."""

    device_name: str
    after: int
    upto: int
    day: int | None = None
    size_bytes: int = 0

    def grow(self, rows: Sequence[tuple[int, int, int]], least_bytes: int, segment_bytes: int) -> bool:
        """Take in entries (number, day, bytes) until it is enough for a segment; whether it is."""
        for entry_no, day, size_bytes in rows:
            if self.ends_before(day, least_bytes, segment_bytes):
                return True
            self.upto, self.size_bytes = entry_no, self.size_bytes + size_bytes
            self.day = day if self.day is None else self.day
        return False

    def ends_before(self, day: int, least_bytes: int, segment_bytes: int) -> bool:
        """Whether it is enough for a segment, and does not take in what comes next, of this day."""
        other_day = self.day not in (None, day) and self.size_bytes >= least_bytes
        return other_day or self.size_bytes >= segment_bytes


def next_of(heap: Heap, connection: Connection) -> list[tuple[int, int, int]]:
    """The next entries of a spectrometer: number, day, bytes of the sample's blobs and results."""
    rows = connection.execute(
        "SELECT e.entry_no, e.taken_at_us, length(c.counts) + length(c.saturated) + coalesce(length(c.spread), 0) "
        "+ coalesce((SELECT sum(length(r.payload)) FROM results r WHERE r.entry_no = e.entry_no), 0) "
        "FROM entries e JOIN captures c ON c.capture_no = e.sample_no "
        "WHERE e.device_name = ? AND e.entry_no > ? ORDER BY e.entry_no LIMIT ?",
        (heap.device_name, heap.upto, SEEN_AT_ONCE),
    )
    return [(int(number), int(at_us) // _DAY_US, int(size)) for number, at_us, size in rows]


def entries_of(heap: Heap, after: int, limit: int, connection: Connection) -> list[tuple[int, int | None, int | None]]:
    """Number, sample and shorter exposure of the next entries of a heap."""
    return connection.execute(
        "SELECT entry_no, sample_no, short_no FROM entries "
        "WHERE device_name = ? AND entry_no > ? AND entry_no <= ? ORDER BY entry_no LIMIT ?",
        (heap.device_name, after, heap.upto, limit),
    ).fetchall()
