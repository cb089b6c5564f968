"""How trouble is named and how long to wait before the next try."""

from __future__ import annotations

from collections.abc import Iterator

from oesd_drivers.errors import Busy, Denied, Gone, Lost, Refused, Retry, SpectrometerError

# The first that fits names the loss; the order is from the particular to the general.
_NAMES: tuple[tuple[type[SpectrometerError], str], ...] = (
    (Gone, "device gone"),
    (Lost, "worker lost"),
    (Denied, "no permission"),
    (Busy, "device busy"),
    (Refused, "refused by device"),
    (Retry, "no trigger"),
)


def blame(error: SpectrometerError) -> str:
    """The short fixed name that stands in the ledger for a driver error."""
    return next((name for kind, name in _NAMES if isinstance(error, kind)), "usb error")


def back_off_s() -> Iterator[float]:
    """Waits before each try to reopen, in seconds: at once, then doubling to five seconds, for ever."""
    yield 0.0
    delay_s = 0.1
    while True:
        yield delay_s
        delay_s = min(5.0, 2 * delay_s)
