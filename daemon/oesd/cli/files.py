"""Files that a person names on the command line, read or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from oesd.cli.errors import fail

T = TypeVar("T")


def read_file(file: Path, how: Callable[[bytes, str], T]) -> T:
    """Return what ``how(data, name)`` makes of a file; one line and the end of the program where that fails."""
    from oesd.formats import FormatError
    from oesd.formats.extras import NotInstalled

    try:
        return how(file.read_bytes(), file.name)
    except (FormatError, NotInstalled) as error:
        fail(str(error))
        raise
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror}")
        raise
