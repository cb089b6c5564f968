"""Serve a virtual bus to other processes.

``python -m oesd_drivers.virtual.host --socket PATH --devices "USB2000+:OES00001,SR4:OES00002" --scene hg-ar-lamp``

Says ``ready`` on its standard output once it listens. It ends on SIGTERM or SIGINT and, when its standard input is a
pipe, when that pipe closes: it never outlives who started it. With ``--owned`` that pipe alone ends it, as the signals
that systemd sends to a whole group are its parent's business.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import stat
import sys
import time
from pathlib import Path

from .bus import VirtualBus
from .control import BusControl
from .scene import Light, scene
from .server import BusServer


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m oesd_drivers.virtual.host", description=__doc__)
    parser.add_argument("--socket", required=True, type=Path, help="path of the Unix socket to make")
    parser.add_argument("--devices", default="", help="MODEL:SERIAL,MODEL:SERIAL,...")
    parser.add_argument("--scene", default="argon-metals", help="what the devices look at")
    parser.add_argument("--seed", default=0, type=int, help="same seed, same frames")
    parser.add_argument("--owned", action="store_true", help="only the end of standard input ends it")
    return parser.parse_args(argv)


def _catch_signals(*, owned: bool) -> int:
    """From now on SIGTERM and SIGINT only write to a pipe, or do nothing where it is owned; the end to read."""
    wake_read, wake_write = os.pipe()
    if owned:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        return wake_read
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return wake_read


def _wait_for_end(wake_read: int) -> None:
    """Wait for a signal or the end of a piped standard input."""
    sources = [wake_read] + ([sys.stdin.fileno()] if _is_pipe(sys.stdin.fileno()) else [])
    while True:
        ready, _, _ = select.select(sources, [], [])
        if wake_read in ready or not os.read(sys.stdin.fileno(), 512):
            return


def _is_pipe(descriptor: int) -> bool:
    try:
        mode = os.fstat(descriptor).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def main(argv: list[str] | None = None) -> int:
    """Serve until told to end; 2 for bad arguments."""
    arguments = _arguments(argv)
    try:
        light = Light(scene(arguments.scene), time.monotonic)
        control = BusControl(bus := VirtualBus(), light, arguments.seed)
        for entry in filter(None, arguments.devices.split(",")):
            model, _, serial = entry.strip().partition(":")
            control.add(model, serial)
        server = BusServer(bus, control, arguments.socket)
        server.start()
    except (ValueError, OSError) as error:
        print(f"virtual bus: {error}", file=sys.stderr)
        return 2
    wake_read = _catch_signals(owned=arguments.owned)  # before anybody is told whom to end
    print("ready", flush=True)
    _wait_for_end(wake_read)
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
