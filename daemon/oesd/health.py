"""Beats of the threads, and what systemd is told of them."""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable

_SHOWN_EACH_S = 2.0


class Health:
    """Knows of each thread by when it has promised to call again.

    Parameters
    ----------
    monotonic_s : callable
        Clock, injected by tests.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._promises_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def beat(self, name: str, within_s: float) -> None:
        """A thread is alive and will call again within this time."""
        with self._lock:
            self._promises_s[name] = self._monotonic_s() + within_s

    def retire(self, name: str) -> None:
        """A thread has ended as it should; nothing more is expected of it."""
        with self._lock:
            self._promises_s.pop(name, None)

    def late(self) -> list[str]:
        """Names of the threads that have broken their promise."""
        now_s = self._monotonic_s()
        with self._lock:
            return sorted(name for name, promised_s in self._promises_s.items() if promised_s < now_s)


def notify(*lines: str) -> None:
    """Tell systemd (sd_notify(3)); nothing happens without it.

    ``RELOADING=1`` gets the monotonic time that systemd 253 and later wait for. What is told of a device may hold any
    character: a line stays one line, so that no serial number can say ``STOPPING=1``.
    """
    target = os.environ.get("NOTIFY_SOCKET", "")
    if not target:
        return
    if "RELOADING=1" in lines:
        lines = (*lines, f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
    address = "\0" + target[1:] if target.startswith("@") else target
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.sendto("\n".join(" ".join(line.split()) for line in lines).encode("utf-8", "replace"), address)
        except OSError:
            return  # systemd's end is gone: the watchdog, not an exception in the supervisor, has the last word


class Watchdog:
    """Tells systemd that all is well, at twice the pace that it asks for, and only while every beat is fresh.

    People are told more often, also when nothing is well: what ``systemctl status`` shows is two seconds old at most.

    Parameters
    ----------
    health : Health
        Knows the beats.
    monotonic_s : callable
        Clock, injected by tests.
    """

    def __init__(self, health: Health, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        limit_us = os.environ.get("WATCHDOG_USEC", "")
        self._period_s = int(limit_us) / 2e6 if limit_us.isdigit() else math.inf  # none: it is not asked for
        self._heard = bool(os.environ.get("NOTIFY_SOCKET"))
        self._health = health
        self._monotonic_s = monotonic_s
        self._fed_s = self._shown_s = -math.inf

    def feed(self, status: Callable[[], str]) -> None:
        """Call several times a second; ``status`` gives the line that ``systemctl status`` shows."""
        if not self._heard:
            return
        now_s, late, lines = self._monotonic_s(), self._health.late(), []
        if not late and now_s >= self._fed_s + self._period_s:
            self._fed_s = now_s
            lines.append("WATCHDOG=1")
        if now_s >= self._shown_s + _SHOWN_EACH_S:
            self._shown_s = now_s
            lines.append(f"STATUS={f'no sign of life from {late[0]}; ' if late else ''}{status()}")
        if lines:
            notify(*lines)
