"""Which data directory a command works on that reads it itself, beside a daemon or without one."""

from __future__ import annotations

from collections.abc import Callable
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
