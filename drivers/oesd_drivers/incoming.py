"""A series as its parent sees it: frames that come from the child, each with the time by which it must be here."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from . import wire
from .child import Child
from .errors import SpectrometerError
from .spectrometer import Frame, Series, no_more

_STOPPED_S = 0.5


class Incoming:
    """The frames of one series; asks for it at once.

    Parameters
    ----------
    child : Child
    number : int
        Of this series: what still comes of an older one is passed over.
    series : Series
        With the time at which its first frame is due, where there is a grid.
    pixels : int
    frame_s : float
        By when a frame must be here after it was due, seconds.
    settling_s : float
        Beyond that for the first frame, which may find the device in need of opening.

    Attributes
    ----------
    ended : bool
        The child has told that nothing more comes.
    """

    def __init__(
        self, child: Child, number: int, series: Series, pixels: int, frame_s: float, settling_s: float
    ) -> None:
        self._child, self._number, self._series, self._pixels = child, number, series, pixels
        self._frame_s, self._settling_s = frame_s, settling_s
        self._index, self._count, self._asked = 0, series.count, series.count
        self._called_off = self.ended = False
        request = {"call": "take", "number": number, "count": series.count, "wait_s": float(series.trigger_wait_s)}
        child.say(request | {"first_due_ns": series.first_due_ns, "period_ns": series.period_ns}, frame_s)

    def frames(self, cancelled: Callable[[], bool], more: Callable[[], int] = no_more) -> list[Frame]:
        """Wait for the next frames, several when they are fast; none at the end of the series, or by chance.

        When no more than half of what was asked for last is still to come, ``more`` is asked how many to add.

        Raises
        ------
        SpectrometerError
            What ended the series; :class:`Lost` when nothing came in time.
        """
        within_s = self._within_s()
        deadline_s = time.monotonic() + within_s
        turn_s = time.monotonic()
        while True:
            if not self._called_off and cancelled():
                self._call_off()
                within_s = self._within_s()
                deadline_s = time.monotonic() + within_s
            # A turn takes 50 ms: what is much longer we were stopped for, and so perhaps was the child.
            before_s, turn_s = turn_s, time.monotonic()
            deadline_s += max(0.0, turn_s - before_s - _STOPPED_S)
            if self._child.heard(deadline_s):
                frames = self._received(deadline_s, within_s)
                self._prolong(more)
                return frames

    def close(self) -> None:
        """Call off what is left of the series and wait for its end; the child is killed when that takes too long."""
        with contextlib.suppress(SpectrometerError):
            if not self.ended and self._child.alive and not self._called_off:
                self._call_off()
            while not self.ended and self._child.alive:
                self.frames(lambda: False)

    def _prolong(self, more: Callable[[], int]) -> None:
        if self._called_off or self.ended or 2 * (self._count - self._index) > self._asked:
            return
        added = more()
        if added > 0:
            self._count, self._asked = self._count + added, added
            self._child.say({"call": "more", "number": self._number, "count": added}, self._frame_s)

    def _call_off(self) -> None:
        self._called_off = True
        self._child.say({"call": "cancel"}, self._frame_s)

    def _within_s(self) -> float:
        """How long the next message may take from now on, seconds."""
        if self._called_off:
            return self._frame_s + self._settling_s
        due_ns = self._series.first_due_ns + self._index * self._series.period_ns
        return max(0.0, due_ns * 1e-9 - time.monotonic()) + self._frame_s + self._settling_s

    def _received(self, deadline_s: float, within_s: float) -> list[Frame]:
        with self._child.checked("take", within_s):
            header, arrays = self._child.hear(deadline_s)
            if header["number"] != self._number:
                return []
            self.ended = "end" in header
            if self.ended:
                self._child.judge(header)
                return []
            frames = wire.unpack_frames(header, arrays, self._pixels)
        self._index, self._settling_s = frames[-1].index + 1, 0.0
        return frames
