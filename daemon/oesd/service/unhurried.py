"""A service that cannot start says why at once, then takes its time before systemd starts it again.

A bad file or a full disk would else have it started, and its programs read, every three seconds for ever. systemd's
own back-off (``RestartSteps=``, version 254) is no help: it counts every restart since somebody stopped the unit by
hand, so that the eighth crash of a year would wait a minute. Here only starts that were refused in a row count; a
crash or a hang is restarted as quickly as ever, and so is a daemon whose room failed, unless that comes again and again
within minutes. The count stands in ``RUNTIME_DIRECTORY``, which the units set;
without it nobody waits.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oesd.health import notify

_LONGEST_S = 60.0  # as RestartMaxDelaySec= would be: what a person who has mended it from afar waits at most
_SERIES_S = 180.0  # refusals further apart than the longest wait and a slow start do not belong together
_STEPS = 6  # 1, 2, 4 ... 64 s
_TURN_S = 0.2
_ENDINGS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def unhurried() -> Iterator[None]:
    """What ends with a status other than 0 in here does so only after a while: none at first, a minute at last.

    Told to stop meanwhile it ends at once and forgets the count.
    """
    try:
        yield
    except SystemExit as refusal:
        place = os.environ.get("RUNTIME_DIRECTORY", "")
        if place and refusal.code:
            counter = Path(place, "refused")
            _wait(wait_s(counter, time.time()), counter)
        raise


def wait_s(counter: Path, now_s: float) -> float:
    """Count one more refusal; returns how long to wait after it: 0, 1, 2, 4 ... 60 s.

    Parameters
    ----------
    counter : Path
        Where the count of this series stands; what cannot be read or written counts as none.
    now_s : float
        The host's clock, as the file's times go by it.
    """
    before = 0
    with suppress(OSError, ValueError):
        if now_s - counter.stat().st_mtime < _SERIES_S:
            before = min(max(int(counter.read_text()), 0), _STEPS + 1)
    with suppress(OSError):
        counter.write_text(str(before + 1))
    return min(2.0 ** (before - 1), _LONGEST_S) if before else 0.0


def _wait(seconds: float, counter: Path) -> None:
    told: list[int] = []
    for number in _ENDINGS:
        signal.signal(number, lambda number, _: told.append(number))
    notify(f"STATUS=did not start, the log says why; ends, and is started again, in {seconds:.0f} s")
    end_s = time.monotonic() + seconds
    while not told and time.monotonic() < end_s:
        time.sleep(_TURN_S)  # briefly: another thread may have been given the signal
    if told:
        counter.unlink(missing_ok=True)
