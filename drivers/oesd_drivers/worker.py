"""The child process: one spectrometer behind a socket pair.

``python -m oesd_drivers.worker FD BACKEND BUS ADDRESS VENDOR PRODUCT`` is started by :mod:`.isolated` only. It
lives as long as the other end of its socket: when that closes, also by ``kill -9`` of the parent, it ends, even in the
middle of a transfer. (``PR_SET_PDEATHSIG`` would kill it when the *thread* that started it ends.) Signals that a
terminal or systemd sends to the whole group are the parent's business.
"""

from __future__ import annotations

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
from .spectrometer import Address, Exposure

_GRACE_S = 0.2


def main(arguments: list[str]) -> None:
    """Serve one spectrometer until the other end of the socket closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    descriptor, backend = int(arguments[0]), arguments[1]
    spectrometer = OceanSpectrometer(_address(arguments[2:6]), backend)
    with socket.socket(fileno=descriptor) as channel:
        threading.Thread(target=_end_with_parent, args=(descriptor,), daemon=True).start()
        serve(channel, spectrometer)
    spectrometer.close()


def serve(channel: socket.socket, spectrometer: OceanSpectrometer) -> None:
    """Answer requests until the other end closes."""
    while True:
        try:
            request, _ = wire.receive(channel)
            wire.send(channel, *_answer(spectrometer, request))
        except (EOFError, ConnectionError):
            return


def _address(arguments: list[str]) -> Address:
    bus, address, vendor_id, product_id = map(int, arguments)
    return Address(bus, address, vendor_id, product_id)


def _answer(spectrometer: OceanSpectrometer, request: dict[str, Any]) -> tuple[dict[str, Any], wire.Arrays]:
    try:
        header, arrays = _perform(spectrometer, request)
    except Exception as error:  # the top of the process: whatever it is, the parent must hear of it
        header, arrays = wire.pack_error(error), {}
    return {**header, "exposing_us": spectrometer.exposing_us}, arrays


def _perform(spectrometer: OceanSpectrometer, request: dict[str, Any]) -> tuple[dict[str, Any], wire.Arrays]:
    match request:
        case {"call": "open"}:
            return wire.pack_description(spectrometer.open())
        case {"call": "set_exposure", "integration_us": int(integration_us), "scans": int(scans)}:
            spectrometer.set_exposure(Exposure(integration_us, scans))
        case {"call": "set_cooling", "setpoint_c": (float() | None) as setpoint_c}:
            spectrometer.set_cooling(setpoint_c)
        case {"call": "read"}:
            return wire.pack_frame(spectrometer.read())
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
