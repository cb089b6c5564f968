"""Faults to order: what goes wrong next on a virtual device, by name.

A device holds one queue per *point* where a fault can strike; a fault strikes once and is gone. What lasts (no
permission, busy elsewhere) is a switch of the device instead.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class Point(StrEnum):
    """Where in the device a fault strikes."""

    READ = "read"  # the next bulk read
    FRAME = "frame"  # the next spectrum asked for
    MESSAGE = "message"  # the next other answer


class FaultKind(StrEnum):
    """What goes wrong. ``value`` of a fault means what the comment says."""

    UNPLUG = "unplug"  # the device goes away, value s into the read
    STALL = "stall"  # pipe error, errno 32
    OVERFLOW = "overflow"  # more data than asked for, errno 75
    WEDGE = "wedge"  # the read never returns, whatever its timeout, until unplugged or the reader is killed
    SILENT = "silent"  # no answer to the spectrum request: the read times out
    LATE = "late"  # the spectrum comes value s late
    SHORT = "short"  # the spectrum ends after value bytes
    GARBLE_FRAME = "garble-frame"  # the spectrum's first two bytes are zero: a broken OBP header
    BAD_SYNC = "bad-sync"  # the last byte of the spectrum is zero: a wrong OOI sync byte, a broken OBP footer
    NACK_FRAME = "nack-frame"  # OBP: the spectrum request is refused with error code value
    GARBLE = "garble"  # first two bytes of the next answer are zero
    SHORT_ANSWER = "short-answer"  # the next answer ends after value bytes
    NACK = "nack"  # OBP: the next command is refused with error code value


_POINTS = {
    FaultKind.UNPLUG: Point.READ,
    FaultKind.STALL: Point.READ,
    FaultKind.OVERFLOW: Point.READ,
    FaultKind.WEDGE: Point.READ,
    FaultKind.SILENT: Point.FRAME,
    FaultKind.LATE: Point.FRAME,
    FaultKind.SHORT: Point.FRAME,
    FaultKind.GARBLE_FRAME: Point.FRAME,
    FaultKind.BAD_SYNC: Point.FRAME,
    FaultKind.NACK_FRAME: Point.FRAME,
    FaultKind.GARBLE: Point.MESSAGE,
    FaultKind.SHORT_ANSWER: Point.MESSAGE,
    FaultKind.NACK: Point.MESSAGE,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; what ``value`` means stands with its kind."""

    kind: FaultKind
    value: float = 0.0

    @property
    def point(self) -> Point:
        """Where it strikes."""
        return _POINTS[self.kind]


class FaultQueue:
    """Faults in waiting, first in first out at each point. Not thread safe: the device's lock guards it."""

    def __init__(self) -> None:
        self._waiting: dict[Point, deque[Fault]] = {point: deque() for point in Point}

    def add(self, fault: Fault, times: int = 1) -> None:
        """Queue a fault ``times`` over."""
        self._waiting[fault.point].extend([fault] * times)

    def take(self, point: Point) -> Fault | None:
        """Remove and return the next fault of a point."""
        waiting = self._waiting[point]
        return waiting.popleft() if waiting else None

    def clear(self) -> None:
        """Forget all faults in waiting."""
        for waiting in self._waiting.values():
            waiting.clear()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))


def damage(data: bytes, fault: Fault | None) -> bytes:
    """Apply a fault of content to an answer; other kinds leave it whole."""
    if fault is None:
        return data
    if fault.kind in (FaultKind.SHORT, FaultKind.SHORT_ANSWER):
        return data[: int(fault.value)]
    if fault.kind in (FaultKind.GARBLE, FaultKind.GARBLE_FRAME):
        return b"\0\0" + data[2:]
    if fault.kind is FaultKind.BAD_SYNC:
        return data[:-1] + b"\0"
    return data
