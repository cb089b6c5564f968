"""The interpreter's setting for a process in which many threads wait for one that computes."""

from __future__ import annotations

import sys

_TURN_S = 0.001


def take_short_turns() -> None:
    """Have a thread that computes let the others in each millisecond, not each five.

    Handing over the next slots takes a unit several turns. With 5 ms each, and a thread that never waits, the slots of
    a 50 Hz run between two series come too late: 1 of 50 (``tests/bench/pacing.py``).
    """
    sys.setswitchinterval(_TURN_S)
