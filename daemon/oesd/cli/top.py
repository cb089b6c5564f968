"""``oesd top``: the daemon's state in the terminal, until q."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from oesd.cli.errors import expected, fail

if TYPE_CHECKING:
    from oesd.cli.top_view import Seen
    from oesd.client import Client

_TURN_S = 0.25
_QUIT = ("q", "Q", "\x03", "\x1b")


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to watch.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
def top(url: str | None, data: Path | None) -> None:
    """Show what the daemon does, live: spectrometers, rates, elements, losses, queue, alarms. q ends it."""
    from rich.console import Console
    from rich.live import Live

    from oesd.cli.top_view import Seen, view_of
    from oesd.client import Client
    from oesd.service.access import remote

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        fail("oesd top needs a terminal; for a file or a pipe there are oesd status and oesd watch")
    try:
        daemon = remote(url, data)
        seen = Seen(daemon.url, daemon.status())
    except expected() as error:
        fail(str(error))
        raise
    client = Client(api_key="", endpoint=daemon.url)
    threading.Thread(target=_follow, args=(client, seen), name="news", daemon=True).start()
    console = Console(highlight=False)
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while not any(key in _QUIT for key in pressed(_TURN_S)):
            live.update(view_of(seen, time.time(), console.size), refresh=True)


def _follow(client: Client, seen: Seen) -> None:
    """Note the news for as long as the program runs; what ends them is shown in their place."""
    from oesd.client import ClientError

    try:
        for event in client.live(kinds=("state", "spectrum"), points=2):
            seen.note(event, time.time())
    except ClientError as error:
        seen.trouble = str(error)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Keys as they are pressed, without Enter; ``pressed(seconds)`` waits that long for some."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(wait_s: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], wait_s)
        return os.read(descriptor, 32).decode("ascii", "replace") if ready else ""

    try:
        tty.setcbreak(descriptor)
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
