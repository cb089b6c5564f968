"""``oesd top``: the daemon's state in the terminal, until q."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.errors import fail
from oesd.cli.watch import listened

if TYPE_CHECKING:
    from rich.console import Console

    from oesd.cli.top_view import Seen
    from oesd.client import Client

_TURN_S = 0.25
_END_OF_INPUT = "\x04"  # Ctrl-D, and a terminal that has gone: to be read without end, and never anything
_QUIT = ("q", "Q", "\x03", _END_OF_INPUT)
_ESCAPE = "\x1b"
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to watch.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
def top(url: str | None, data: Path | None) -> None:
    """Show what the daemon does, live: spectrometers, rates, elements, losses, queue, alarms. q ends it."""
    from rich.console import Console

    from oesd.cli.top_view import Seen

    console = Console(highlight=False)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("oesd top needs a terminal; for a file or a pipe there are oesd status and oesd watch")
    if console.is_dumb_terminal or not console.is_terminal:
        fail("oesd top draws, which this terminal cannot (TERM): there are oesd status and oesd watch")
    with listened(url, data) as (client, status):
        seen = Seen(client.endpoint.rstrip("/"), status, time.monotonic())
        threading.Thread(target=_follow, args=(client, seen), name="news", daemon=True).start()
        _show(seen, console)


def _show(seen: Seen, console: Console) -> None:
    """Draw what is seen until a key ends it."""
    from rich.live import Live

    from oesd.cli.top_view import view_of

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not in UTF-8 has no ellipsis
    with _ended_by_signals(), _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while not ends(pressed(_TURN_S)):
            if seen.broken is not None:
                raise seen.broken
            live.update(view_of(seen, time.monotonic(), console.size), refresh=True)


def ends(keys: str) -> bool:
    """Whether keys that were pressed end it; arrows and a mouse's wheel, which begin with an escape, do not."""
    return keys == _ESCAPE or (_ESCAPE not in keys and any(key in _QUIT for key in keys))


def _follow(client: Client, seen: Seen) -> None:
    """Note the news for as long as the program runs; what ends them is shown in their place."""
    from oesd.client import ClientError

    try:
        for event in client.live(kinds=("state", "spectrum"), points=2):
            seen.note(event, time.monotonic())
    except ClientError as error:
        seen.trouble = str(error)
    except Exception as error:
        seen.broken = error  # the top of the thread: told by the one that draws


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Signals that end a program leave the terminal as it was."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Keys as they are pressed, without Enter; ``pressed(seconds)`` waits that long for some."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(wait_s: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], wait_s)
        return os.read(descriptor, 32).decode("ascii", "replace") or _END_OF_INPUT if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        with suppress(termios.error):  # a terminal that has gone
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
