"""The command line. Nothing is imported before a worker of ``oesd run`` is on its way, click included."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oesd_drivers.launch import Launched


def main() -> None:
    """Entry point of the ``oesd`` command: errors of the user's world are one line and status 2."""
    # Before numpy is loaded, for us and our children: its thread pool costs memory and is never used.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    first = _worker() if _measures(sys.argv[1:]) else None
    from oesd.cli.commands import cli
    from oesd.cli.errors import as_one_line

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a sign that a terminal lacks ends no command
    with as_one_line():
        sys.exit(cli.main(standalone_mode=False, obj=first) or 0)


def _measures(arguments: list[str]) -> bool:
    """Whether this is ``oesd run`` itself, not one of its commands; who writes it otherwise measures a little later."""
    match arguments:
        case ["run"] | ["run", "--config", _]:
            return True
        case ["run", text]:
            return text.startswith("--config=")
        case _:
            return False


def _worker() -> Launched | None:
    """Its imports take longest and run beside ours: the first spectrometer is opened so much sooner."""
    from oesd_drivers.launch import launch

    with suppress(OSError):  # whoever needs a worker starts it again, and says why that cannot be done
        return launch({})
    return None
