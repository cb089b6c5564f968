"""The port over a worker process: whatever hangs or crashes in USB or C code is killed by deadline, and only that."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from . import wire
from .calibration import detector_goal_c
from .child import Child
from .errors import GiveUp, Gone, Reopen, Retry, SpectrometerError
from .incoming import Incoming
from .spare import Spare
from .spectrometer import ONE, Address, Description, Exposure, Frame, Series, no_more
from .usb import find

#: Transfer and readout of one scan beyond its exposure: 4 kB at USB full speed take 4-17 ms.
_READOUT_S = 0.03
_CLOSE_DEADLINE_S = 2.0


class IsolatedSpectrometer:
    """A spectrometer in a child process; implements :class:`oesd_drivers.spectrometer.Spectrometer`.

    Parameters
    ----------
    address : Address
    backend : {"libusb", "virtual"}
    open_deadline_s : float
        For opening the device, seconds; starting the child has its own.
    margin_s : float
        What a call may take beyond the exposures it waits for, seconds; more than the one second after which the
        worker itself gives up a silent device.
    env : mapping, optional
        Environment variables for the child besides this process's own.
    spare : Spare, optional
        Where the child comes from and goes to, instead of ``env``; without, it is started and ended each time.
    """

    def __init__(
        self,
        address: Address,
        backend: str = "libusb",
        *,
        open_deadline_s: float = 10.0,
        margin_s: float = 2.0,
        env: Mapping[str, str] | None = None,
        spare: Spare | None = None,
    ) -> None:
        self._address, self._backend = address, backend
        self._open_deadline_s, self._margin_s = open_deadline_s, margin_s
        self._spare = spare or Spare(env)
        if spare is None:
            self._spare.close()
        self._child: Child | None = None
        self._in_place = True
        self._pixels = 0
        self._exposure: Exposure | None = None
        self._number = 0

    @property
    def pid(self) -> int | None:
        """Process id of the child, None when there is none."""
        return self._child.pid if self._child is not None and self._child.alive else None

    def open(self) -> Description:
        """Open the device, in a new child if need be. Also recovers, in two steps.

        The first time after a good frame, a child that still answers closes and opens the device itself: no process is
        started. When that does not do, and until the next good frame, each opening ends the child and takes another.
        For a device that the bus does not show any more no process is started.

        Raises
        ------
        SpectrometerError
            What :class:`~oesd_drivers.ocean.OceanSpectrometer` raises; :class:`Lost` when the child did not answer.
        """
        if self.pid is not None and self._in_place:
            self._in_place = False
            try:
                return self._opened()
            except Gone:
                raise
            except Reopen:  # a fresh child is the next step
                pass
        self._end()
        self._see_that_it_is_there()
        self._child = self._spare.take(self._address)
        return self._opened()

    def set_exposure(self, exposure: Exposure) -> None:
        """Set integration time and trigger, then discard one frame: the next one never shows an older exposure."""
        request = {
            "call": "set_exposure",
            "integration_us": int(exposure.integration_us),
            "scans": int(exposure.scans),
            "trigger": str(exposure.trigger),
        }
        # A device that ignores it is asked once more: what it has been told is then refused, not killed.
        waiting_s = 2 * (self._living().exposing_us + exposure.integration_us) * 1e-6
        self._ask(request, waiting_s + self._margin_s + self._settling_s())
        self._exposure = exposure

    def take(
        self,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        """Take frames of the exposure set last, each begun when it is due by the child's own clock; see the port.

        ``more`` is asked when half of what was asked for last is there: what it adds reaches the child before the rest
        is taken, and this process may be kept from its turn for that long without a frame lost to it.
        ``cancelled`` is asked every 50 ms while a frame is waited for. An iterator that is closed before its end calls
        its series off and waits for the frame at hand; a child that does not end the series by then is killed. One
        that is neither run to its end nor closed ends with the next call.
        """
        child = self._living()
        if series.period_ns and not series.first_due_ns:
            series = replace(series, first_due_ns=time.monotonic_ns())
        self._number = number = self._number + 1
        with self._gone_if_it_is():  # a child that ended since cannot even be asked
            incoming = Incoming(child, number, series, self._pixels, self._frame_s(series), self._settling_s())
        try:
            while not incoming.ended and number == self._number:
                for frame in self._heard(incoming, cancelled, more):
                    self._in_place = True
                    yield frame
        finally:
            if number == self._number:
                incoming.close()

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool the detector to a temperature in degrees Celsius, or switch its cooler off (None)."""
        goal_c = detector_goal_c(setpoint_c)
        self._ask({"call": "set_cooling", "setpoint_c": goal_c}, self._margin_s + self._settling_s())

    def set_lamp(self, on: bool) -> None:
        """Set the device's own lamp-enable (strobe) line."""
        self._ask({"call": "set_lamp", "on": bool(on)}, self._margin_s + self._settling_s())

    def close(self) -> None:
        """Release the device and let go of the child; harmless when it is closed or gone."""
        child = self._let_go()
        if child is not None:
            self._spare.give(child)

    def _end(self) -> None:
        """Close, and end the child: what is in doubt is not to be used again."""
        child = self._let_go()
        if child is not None and child.alive:
            child.end(kill=False)

    def _let_go(self) -> Child | None:
        """Close the device; returns the child, which may have ended of it."""
        self._number += 1
        child, self._child = self._child, None
        self._exposure = None
        if child is not None and child.alive:
            with contextlib.suppress(SpectrometerError):
                child.ask({"call": "close"}, _CLOSE_DEADLINE_S)
        return child

    def _opened(self) -> Description:
        """Open the device in the child; when that fails, the child is let go of."""
        self._exposure = None
        try:
            with self._gone_if_it_is():
                self._number += 1
                header, arrays = self._living().open(self._address, self._backend, self._open_deadline_s)
            with self._living().checked("open"):
                description = wire.unpack_description(header, arrays)
        except SpectrometerError:
            self.close()
            raise
        self._pixels = len(description.wavelengths_nm)
        return description

    @contextlib.contextmanager
    def _gone_if_it_is(self) -> Iterator[None]:
        """A device that the bus does not show any more is :class:`Gone`, whatever its loss looked like at first."""
        try:
            yield
        except Gone:
            raise
        except Reopen as error:
            try:
                self._see_that_it_is_there()
            except Gone as gone:
                raise gone from error
            raise

    def _see_that_it_is_there(self) -> None:
        """Ask the bus, by descriptors alone; :class:`Gone` when it is not. What cannot be asked the child finds out."""
        with contextlib.suppress(GiveUp, Retry):
            find(self._address, self._backend)

    def _heard(self, incoming: Incoming, cancelled: Callable[[], bool], more: Callable[[], int]) -> list[Frame]:
        with self._gone_if_it_is():
            return incoming.frames(cancelled, more)

    def _ask(self, request: Mapping[str, Any], within_s: float) -> tuple[dict[str, Any], wire.Arrays]:
        self._number += 1
        with self._gone_if_it_is():
            return self._living().ask(request, within_s)

    def _living(self) -> Child:
        if self._child is None or not self._child.alive:
            raise Reopen(f"the spectrometer at {self._address} is not open")
        return self._child

    def _frame_s(self, series: Series) -> float:
        """By when a frame must be here after it was due, seconds."""
        scans = self._exposure.scans if self._exposure else 1
        waits = self._exposure is not None and self._exposure.trigger.waits
        trigger_s = max(0.0, series.trigger_wait_s) if waits else 0.0
        return scans * (self._living().exposing_us * 1e-6 + _READOUT_S + trigger_s) + self._margin_s

    def _settling_s(self) -> float:
        """What a call may take beyond, because a trigger that never came has left a request behind, seconds."""
        if self._exposure is None or not self._exposure.trigger.waits:
            return 0.0
        return self._open_deadline_s + 2 * self._exposure.integration_us * 1e-6
