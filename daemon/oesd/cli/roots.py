"""The option that has a command work on another root directory than this system's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def _resolved(_context: click.Context, _option: click.Parameter, given: str) -> Path:
    """The directory with links and dots followed, so that each spelling of ``/`` is this system."""
    if not given.strip():
        raise click.BadParameter("is empty: name a directory, such as /mnt")
    try:
        # POSIX keeps two slashes at the front, and so does pathlib.
        root = Path("/" + str(Path(given).resolve()).lstrip("/"))
        other = root.exists() and not root.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: links in a circle
        raise click.BadParameter(f"cannot be used: {getattr(error, 'strerror', None) or error}") from None
    if other:
        raise click.BadParameter(f"{root} is no directory")
    return root


def root_option(command: Any) -> Any:
    """Add ``--root DIR``."""
    return click.option("--root", default="/", metavar="DIR", callback=_resolved, help="Another root directory.")(
        command
    )
