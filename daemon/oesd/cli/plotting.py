"""``--plot FILE``: the spectrum and what was found in it, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from oesd.cli.errors import fail

F = TypeVar("F", bound=Callable[..., Any])


def plot_option(command: F) -> F:
    """Give a command ``--plot``."""
    text = "Draw it: spectrum, baseline, names, evidence; oesd[plot]."
    return click.option("--plot", type=click.Path(path_type=Path), metavar="OUT.html|OUT.png", help=text)(command)


def draw(file: Path, document: Mapping[str, Any], explained: Mapping[str, Any], name: str) -> None:
    """Write the picture; ends the command with one line when it cannot be made.

    Parameters
    ----------
    document, explained : mapping
        As GET /oes and GET /oes/{data_id}/evidence have them.
    name : str
        What it is a picture of.
    """
    from oesd.pictures import PictureError, picture

    try:
        data = picture(file.suffix, document, explained, name)
        file.write_bytes(data)
    except PictureError as error:
        fail(str(error))
        raise
    except OSError as error:
        fail(f"{file}: cannot be written: {error.strerror}")
        raise
    click.echo(f"{file}: {len(data) // 1000} kB", err=True)
