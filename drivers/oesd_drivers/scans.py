"""One scan of a device: free-running, or begun by a trigger that may never come; and its temperatures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import calibration
from .errors import NoTrigger, Reopen
from .obp import ObpDevice
from .ooi import OoiDevice
from .pace import SLICE_NS, Clock
from .spectrometer import Exposure, Series, Trigger

Device = OoiDevice | ObpDevice

_TEMPERATURE_EVERY_NS, _SILENT_EVERY_NS, _NEVER_NS = 1_000_000_000, 60_000_000_000, 1 << 62
_SLICE_MS = SLICE_NS // 1_000_000
#: These begin an exposure of the whole time set: no frame can come earlier than that after it was asked for.
_BEGINS_WHOLE = frozenset((Trigger.EDGE, Trigger.EXTERNAL, Trigger.SINGLE))
_CLOCKS_DIFFER = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Counts of one scan and when it began."""

    counts: NDArray[np.uint32]
    started_monotonic_ns: int
    started_unix_ns: int


def free_scan(device: Device, exposure: Exposure, clock: Clock) -> Scan:
    """Take the next scan of a device that needs nobody's word."""
    monotonic_ns, unix_ns = clock.monotonic_ns(), clock.unix_ns()
    return Scan(device.scan(exposure.integration_us), monotonic_ns, unix_ns)


def triggered_scan(
    device: Device, exposure: Exposure, series: Series, clock: Clock, cancelled: Callable[[], bool]
) -> Scan | None:
    """Wait for a trigger from outside; None when it was called off, asked every 50 ms.

    The scan began, as far as can be known, one integration time before it arrived.

    Raises
    ------
    NoTrigger
        None came in time. As after None, the request may be armed still.
    Reopen
        A frame came that cannot be the one asked for: sooner than its exposure takes.
    """
    integration_ns = exposure.integration_us * 1000
    asked_ns = clock.monotonic_ns()
    until_ns = asked_ns + round(series.trigger_wait_s * 1e9) + integration_ns + SLICE_NS
    device.request()
    while True:
        counts = device.fetch(_SLICE_MS)
        now_ns = clock.monotonic_ns()
        if counts is not None:
            if exposure.trigger in _BEGINS_WHOLE and now_ns - asked_ns < _CLOCKS_DIFFER * integration_ns:
                raise Reopen("a frame came sooner than its exposure takes: it answers an older request")
            return Scan(counts, now_ns - integration_ns, clock.unix_ns() - integration_ns)
        if cancelled():
            return None
        if now_ns >= until_ns:
            raise NoTrigger(f"no trigger within {series.trigger_wait_s:g} s")


class _Sensor:
    """One thermometer of a device, and when it is to be asked again."""

    def __init__(self) -> None:
        self._celsius: float | None = None
        self._told = False
        self._next_ns: int | None = None

    def read(self, ask: Callable[[], float | None], now_ns: int) -> float | None:
        if self._next_ns is None or now_ns >= self._next_ns:
            self._celsius = calibration.sane_temperature_c(ask())
            self._told |= self._celsius is not None
            self._next_ns = now_ns + self._rest_ns()
        return self._celsius

    def _rest_ns(self) -> int:
        """An answer that does not come costs up to a second: waited for again in a minute, where it once came."""
        if self._celsius is not None:
            return _TEMPERATURE_EVERY_NS
        return _SILENT_EVERY_NS if self._told else _NEVER_NS


class Thermometers:
    """Temperatures of a device, asked for at most once a second: they are slow, spectra are not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Ask anew the next time."""
        self._detector, self._board = _Sensor(), _Sensor()

    def of(self, device: Device) -> tuple[float | None, float | None]:
        """Detector and board, degrees Celsius."""
        now_ns = self._clock.monotonic_ns()
        return (
            self._detector.read(device.detector_temperature_c, now_ns),
            self._board.read(device.board_temperature_c, now_ns),
        )
