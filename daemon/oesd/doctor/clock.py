"""The host's clock: right to the second is what people expect of a date; nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from oesd.doctor.finding import Finding, ok, warning
from oesd.host.asking import Answer, NoAnswer, ask

_EARLIEST_YEAR = 2026  # before this program was made
Asker = Callable[[Sequence[str]], Answer]
SET_CLOCK = "sudo timedatectl set-ntp true"


def clock(now: datetime | None = None, ask: Asker = ask) -> Iterator[Finding]:
    """Whether the clock is kept by the network, and whether its date can be true."""
    now = now or datetime.now(UTC)
    if now.year < _EARLIEST_YEAR:
        yield warning("clock", f"it says {now:%Y-%m-%d}, which is past", SET_CLOCK)
        return
    synchronised = _synchronised(ask)
    if synchronised is None:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC; systemd does not say whether the network keeps it")
    elif synchronised:
        yield ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, kept by the network")
    else:
        yield warning(
            "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC, kept by nobody: dates will drift by seconds a day", SET_CLOCK
        )


def _synchronised(ask: Asker) -> bool | None:
    try:
        said = ask(["timedatectl", "show", "--property=NTPSynchronized", "--value"]).out.strip()
    except NoAnswer:
        return None
    return said == "yes" if said in ("yes", "no") else None
