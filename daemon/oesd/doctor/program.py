"""The program itself: Python, where it stands, what it was installed with."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from oesd.doctor.finding import Finding, ok, warning
from oesd.host import HostError, check_prefix
from oesd.version import __version__


def program() -> Iterator[Finding]:
    """Version, and whether a service may be started from here."""
    yield ok("program", f"oesd {__version__} on Python {platform.python_version()}, in {sys.prefix}")
    try:
        check_prefix(Path(sys.prefix))
    except HostError as error:
        what, _, do = str(error).partition("; as root: ")
        yield warning("program", f"{what}: good for trying out, not for a service", do)
