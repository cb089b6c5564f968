"""Faults to order: what goes wrong next on a virtual device, by name.

A device holds one queue per *point* where a fault can strike; a fault strikes once and is gone. What lasts (no
permission, busy elsewhere) is a switch of the device instead.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Point(StrEnum):
    """Where in the device a fault strikes."""

    READ = "read"  # the next bulk read
    ORDER = "order"  # the next command that sets something
    FRAME = "frame"  # the next spectrum asked for
    MESSAGE = "message"  # the next other answer


class FaultKind(StrEnum):
    """What goes wrong. ``value`` of a fault means what the comment says."""

    UNPLUG = "unplug"  # the device goes away, value s into the read
    STALL = "stall"  # pipe error, errno 32
    OVERFLOW = "overflow"  # more data than asked for, errno 75
    WEDGE = "wedge"  # the read never returns, whatever its timeout, until unplugged or the reader is killed
    HANG = "hang"  # the reading process enters C code with the interpreter's lock held, for value s
    SEGFAULT = "segfault"  # the reading process dies of SIGSEGV
    SILENT = "silent"  # no answer to the spectrum request: the read times out
    LATE = "late"  # the spectrum comes value s late; every later one queues behind it, one old, until a reset
    STUBBORN = "stubborn"  # as late, and a USB reset does not drop it: the device goes on with its exposure
    SHORT = "short"  # the spectrum ends after value bytes
    GARBLE_FRAME = "garble-frame"  # the spectrum's first two bytes are zero: a broken OBP header
    BAD_SYNC = "bad-sync"  # the last byte of the spectrum is zero: a wrong OOI sync byte, a broken OBP footer
    NACK_FRAME = "nack-frame"  # OBP: the spectrum request is refused with error code value
    GARBLE = "garble"  # first two bytes of the next answer are zero
    SHORT_ANSWER = "short-answer"  # the next answer ends after value bytes
    NACK = "nack"  # OBP: the next command is refused with error code value
    NACK_SET = "nack-set"  # OBP: the next set is refused with error code value; OOI knows no answer: it is ignored


_POINTS = {
    FaultKind.UNPLUG: Point.READ,
    FaultKind.STALL: Point.READ,
    FaultKind.OVERFLOW: Point.READ,
    FaultKind.WEDGE: Point.READ,
    FaultKind.HANG: Point.READ,
    FaultKind.SEGFAULT: Point.READ,
    FaultKind.SILENT: Point.FRAME,
    FaultKind.LATE: Point.FRAME,
    FaultKind.STUBBORN: Point.FRAME,
    FaultKind.SHORT: Point.FRAME,
    FaultKind.GARBLE_FRAME: Point.FRAME,
    FaultKind.BAD_SYNC: Point.FRAME,
    FaultKind.NACK_FRAME: Point.FRAME,
    FaultKind.GARBLE: Point.MESSAGE,
    FaultKind.SHORT_ANSWER: Point.MESSAGE,
    FaultKind.NACK: Point.MESSAGE,
    FaultKind.NACK_SET: Point.ORDER,
}


_WHOLE = (FaultKind.LATE, FaultKind.STUBBORN)


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
    """Faults in waiting, first in first out at each point. Not thread safe: the device's lock guards it.

    Attributes
    ----------
    struck, last_strike_ns : int
        How many have struck, and when the last one did, ns of the device's clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: dict[Point, deque[Fault]] = {point: deque() for point in Point}
        self.struck = 0
        self.last_strike_ns = 0

    def add(self, fault: Fault, times: int = 1) -> None:
        """Queue a fault ``times`` over."""
        self._waiting[fault.point].extend([fault] * times)

    def take(self, point: Point) -> Fault | None:
        """Remove and return the next fault of a point."""
        waiting = self._waiting[point]
        if not waiting:
            return None
        self.struck, self.last_strike_ns = self.struck + 1, round(self._clock() * 1e9)
        return waiting.popleft()

    def clear(self) -> None:
        """Forget all faults in waiting."""
        for waiting in self._waiting.values():
            waiting.clear()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))


def lateness_s(fault: Fault | None) -> float:
    """How much later than usual an answer comes, s."""
    return fault.value if fault is not None and fault.kind in _WHOLE else 0.0


def survives_reset(fault: Fault | None) -> bool:
    """Whether the spectrum comes even after a USB reset."""
    return fault is not None and fault.kind is FaultKind.STUBBORN


def harm(fault: Fault | None) -> str:
    """Name of a fault that a spectrum does not survive whole; empty for one that only makes it late, and for none."""
    return "" if fault is None or fault.kind in _WHOLE else str(fault.kind)


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
