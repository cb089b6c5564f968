"""Trouble with a spectrometer: how it is named, what is said of it, when the next try is due."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from oesd.acquisition.clock import Clock
from oesd_drivers.errors import Busy, Denied, Gone, Lost, NoTrigger, Refused, SpectrometerError

log = logging.getLogger(__name__)

_LATEST_S = 5.0
"""For a device that is there. One that is gone comes back elsewhere, where the discovery sees it at once."""

# The first that fits names the loss; the order is from the particular to the general.
_NAMES: tuple[tuple[type[SpectrometerError], str], ...] = (
    (Gone, "device gone"),
    (Lost, "worker lost"),
    (Denied, "no permission"),
    (Busy, "device busy"),
    (Refused, "refused by device"),
    (NoTrigger, "no trigger"),
)


def blame(error: SpectrometerError) -> str:
    """The short fixed name that stands in the ledger for a driver error."""
    return next((name for kind, name in _NAMES if isinstance(error, kind)), "usb error")


def back_off_s() -> Iterator[float]:
    """Waits before each try to reopen, in seconds: at once, then doubling to a minute, for ever."""
    yield 0.0
    delay_s = 0.1
    while True:
        yield delay_s
        delay_s = min(60.0, 2 * delay_s)


class Trouble:
    """What is wrong with one spectrometer; logged when it begins, when it changes its name and when it ends.

    Parameters
    ----------
    name : str
    clock : Clock
    serial : str
        Of the spectrometer, for the log.

    Attributes
    ----------
    reason, detail : str
        The ledger's name and a sentence, "" when all is well.
    reopen : bool
        The device has to be opened before it can be used.
    retry_ns : int
        Monotonic time of the next try.
    """

    def __init__(self, name: str, clock: Clock, serial: str = "") -> None:
        self._name = name
        self._serial = serial
        self._clock = clock
        self._delays_s = back_off_s()
        self.reason = self.detail = ""
        self.reopen = False
        self.retry_ns = 0

    def note(self, error: SpectrometerError) -> None:
        """The device failed: it has to be opened again, each try later than the one before."""
        self._say(blame(error), str(error))
        self.reopen = True
        delay_s = next(self._delays_s)
        if not isinstance(error, Gone):
            delay_s = min(delay_s, _LATEST_S)
        self.retry_ns = self._clock.monotonic_ns() + round(delay_s * 1e9)

    def light(self, detail: str) -> None:
        """The light could not be switched; the device is well."""
        self._say("light switch", detail)

    def failed(self, detail: str) -> None:
        """Our own thread failed."""
        self.reason, self.detail = "defect in oesd", detail

    def reopened(self) -> None:
        """The device is open again; whether it works, the next frame shows."""
        self.reopen = False

    def over(self) -> None:
        """A frame came: all is well."""
        if self.reason:
            log.info("%s: works again after %s", self._name, self.reason, extra=self._fields("works again"))
            self._delays_s = back_off_s()
            self.reason = self.detail = ""

    def _say(self, reason: str, detail: str) -> None:
        if reason != self.reason:
            log.warning("%s: %s: %s", self._name, reason, detail, extra=self._fields(reason))
        self.reason, self.detail = reason, detail

    def _fields(self, event: str) -> dict[str, str]:
        return {"oesd_serial": self._serial, "oesd_event": event}
