"""Files that a person names on the command line, read or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from oesd.cli.errors import fail

T = TypeVar("T")
LARGEST_BYTES = 64 * 1024 * 1024
LARGEST_CONTAINER_BYTES = 1024 * 1024 * 1024
HEAD_BYTES = 16
TOO_LARGE = f"more than {LARGEST_BYTES >> 20} MiB: no spectrum"
CONTAINER_TOO_LARGE = f"more than {LARGEST_CONTAINER_BYTES >> 30} GiB: import it in pieces"


def read_file(file: Path, how: Callable[[bytes, str], T]) -> T:
    """Return what ``how(data, name)`` makes of a file; one line and the end of the program where that fails."""
    from oesd.formats import FormatError
    from oesd.formats.extras import NotInstalled

    try:
        return how(_content(file), file.name)
    except (FormatError, NotInstalled) as error:
        fail(str(error))
        raise
    except OSError as error:
        fail(f"{file}: cannot be read: {error.strerror or error}")
        raise


def _content(file: Path) -> bytes:
    """What is in a file, or comes from a pipe; a device that gives without end must not fill the memory."""
    from oesd.formats.containers import begins_as_several

    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
        several = begins_as_several(head)
        largest = LARGEST_CONTAINER_BYTES if several else LARGEST_BYTES
        data = head + opened.read(largest + 1 - len(head))
    if len(data) > largest:
        raise OSError(CONTAINER_TOO_LARGE if several else TOO_LARGE)
    return data
