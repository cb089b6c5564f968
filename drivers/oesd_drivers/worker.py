"""The child process: one spectrometer at a time behind a socket pair.

``python -m oesd_drivers.worker FD`` is started by :mod:`.child` only; it says that it is ready, then waits to be told
which device to open. It lives as long as the other end of its socket: when that closes, also by ``kill -9`` of the
parent, it ends, even in the middle of a transfer. (``PR_SET_PDEATHSIG`` would kill it when the *thread* that started it
ends.) Signals that a terminal or systemd sends to the whole group are the parent's business.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

from . import wire
from .errors import Refused
from .ocean import OceanSpectrometer
from .outlet import Outlet
from .spectrometer import Address, Exposure, Series, Trigger

_GRACE_S = 0.2
#: The thread that sends frames gives way to the one that asks for them within this time, not within 5 ms.
_SWITCH_S = 0.0005
_NOWHERE = Address(0, 0, 0, 0)
_TRIGGERS = frozenset(trigger.value for trigger in Trigger)


def main(arguments: list[str]) -> None:
    """Say that all is imported, then serve until the other end of the socket closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.setswitchinterval(_SWITCH_S)
    _come_first()
    descriptor = int(arguments[0])
    with socket.socket(fileno=descriptor) as channel:
        threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
        with contextlib.suppress(ConnectionError):
            wire.send(channel, {"ready": True})
            serve(channel)


def _come_first() -> None:
    """Be woken before ordinary processes when a frame is due, where the system allows it (``LimitRTPRIO=1`` or root).

    Else a process that computes on every core delays a start by a slice of the scheduler, 3 ms and more. The kernel
    leaves a twentieth of each core to the others, whatever a worker does: its parent can always kill it.
    """
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def serve(channel: socket.socket) -> None:
    """Answer requests until the other end closes."""
    spectrometer = OceanSpectrometer(_NOWHERE)
    held: dict[str, Any] | None = None
    while True:
        try:
            request, held = held or wire.receive(channel)[0], None
            match request:
                case {"call": "take", "number": int(number)}:
                    held = _stream(channel, spectrometer, request, number)
                case {"call": "cancel" | "more"}:  # of a series that has ended meanwhile
                    pass
                case {
                    "call": "open",
                    "backend": str(backend),
                    "address": [int(bus), int(at), int(made), int(product)],
                }:
                    spectrometer = _moved(spectrometer, Address(bus, at, made, product), backend)
                    wire.send(channel, *_answer(spectrometer, request))
                case _:
                    wire.send(channel, *_answer(spectrometer, request))
        except (EOFError, ConnectionError):
            spectrometer.close()
            return


def _moved(spectrometer: OceanSpectrometer, address: Address, backend: str) -> OceanSpectrometer:
    """The spectrometer at an address: the one that is there already, with what it knows, or another, closed."""
    if address == spectrometer.address:
        return spectrometer
    spectrometer.close()
    return OceanSpectrometer(address, backend)


def _stream(
    channel: socket.socket, spectrometer: OceanSpectrometer, request: dict[str, Any], number: int
) -> dict[str, Any] | None:
    """Send the frames of a series while the next ones are taken, then how it ended; returns what called it off."""
    end: dict[str, Any] = {}
    ear = _Ear(channel, number)
    try:
        series = _series(request)
        with Outlet(channel, number, series.period_ns) as outlet:
            for frame in spectrometer.take(series, ear, ear.more):
                outlet.put(frame)
    except Exception as error:  # the top of the process: whatever it is, the parent must hear of it
        end = wire.pack_error(error)
    wire.send(channel, {**end, "number": number, "end": True, "exposing_us": spectrometer.exposing_us})
    return ear.other


class _Ear:
    """What the parent says during a series: that frames are added to it; anything else calls it off.

    Attributes
    ----------
    other : dict or None
        What called it off, to be answered next.
    """

    def __init__(self, channel: socket.socket, number: int) -> None:
        self._channel, self._number = channel, number
        self._added = 0
        self._closed = False
        self.other: dict[str, Any] | None = None
        self._heard = select.poll()
        self._heard.register(channel, select.POLLIN)

    def __call__(self) -> bool:
        """Whether the series is called off."""
        while self.other is None and not self._closed and self._heard.poll(0):
            self._listen()
        return self._closed or self.other is not None

    def more(self) -> int:
        """Frames added since this was asked last."""
        self()
        added, self._added = self._added, 0
        return added

    def _listen(self) -> None:
        try:
            said, _ = wire.receive(self._channel)
        except (EOFError, ConnectionError):  # met again by who receives next
            self._closed = True
            return
        match said:
            case {"call": "more", "number": self._number, "count": int(count)}:
                self._added += max(0, count)
            case _:
                self.other = said


def _series(request: dict[str, Any]) -> Series:
    match request:
        case {"count": int(count), "first_due_ns": int(first_ns), "period_ns": int(period_ns), "wait_s": float(wait_s)}:
            return Series(count, first_ns, period_ns, wait_s)
        case _:
            raise Refused(f"unknown series {request!r:.120}")


def _answer(spectrometer: OceanSpectrometer, request: dict[str, Any]) -> tuple[dict[str, Any], wire.Arrays]:
    try:
        header, arrays = _perform(spectrometer, request)
    except Exception as error:  # the top of the process: whatever it is, the parent must hear of it
        header, arrays = wire.pack_error(error), {}
    return {**header, "exposing_us": spectrometer.exposing_us}, arrays


def _perform(spectrometer: OceanSpectrometer, request: dict[str, Any]) -> tuple[dict[str, Any], wire.Arrays]:
    match request:
        case {"call": "open", "address": [_, _, _, _]}:
            return wire.pack_description(spectrometer.open())
        case {"call": "set_exposure", "integration_us": int(us), "scans": int(scans), "trigger": str(trigger)} if (
            trigger in _TRIGGERS
        ):
            spectrometer.set_exposure(Exposure(us, scans, Trigger(trigger)))
        case {"call": "set_cooling", "setpoint_c": (float() | None) as setpoint_c}:
            spectrometer.set_cooling(setpoint_c)
        case {"call": "set_lamp", "on": bool(on)}:
            spectrometer.set_lamp(on)
        case {"call": "close"}:
            spectrometer.close()
        case _:
            raise Refused(f"unknown request {request!r:.120}")
    return {}, {}


def _end_with_parent(descriptor: int) -> None:
    """Wait until the other end closes; a worker that is idle then ends by itself, a busy one is ended here."""
    hangup = select.poll()
    hangup.register(descriptor, 0)
    hangup.poll()
    time.sleep(_GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
