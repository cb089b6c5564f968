"""Which data directory a command works on that reads it itself, beside a daemon or without one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from oesd.cli.errors import expected, fail

F = TypeVar("F", bound=Callable[..., Any])


def on_data(command: F) -> F:
    """The option of such a command."""
    told = "Data directory; that of the running daemon unless given."
    return click.option("--data", type=click.Path(path_type=Path), help=told)(command)


def directory_of(data: Path | None) -> Path:
    """The directory that is named, else that of the daemon that answers at its usual place."""
    from oesd.service.access import remote

    if data is not None:
        return data
    try:
        return Path(str(remote(None, None).status().get("data_dir", "")))
    except expected() as error:
        fail(f"{error}; or name the data directory with --data")
        raise


class Progress:
    """A bar on stderr for each thing that is done after the other; none where stderr is no terminal."""

    def __init__(self) -> None:
        self._doing = ""
        self._bar: Any = None

    def tell(self, doing: str, done: int, there_is: int) -> None:
        """Show how far it is."""
        if doing != self._doing:
            self.end()
            self._doing = doing
            if sys.stderr.isatty():
                self._bar = click.progressbar(length=max(there_is, 1), label=doing, file=sys.stderr)
        if self._bar is not None:
            self._bar.update(done - self._bar.pos)

    def end(self) -> None:
        """Finish the bar."""
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress for as long as it lasts."""
    shown = Progress()
    try:
        yield shown
    finally:
        shown.end()
