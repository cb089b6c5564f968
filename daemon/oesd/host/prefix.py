"""Whether the program that runs can be the program that the service starts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from oesd.host.errors import HostError

# What ProtectHome=yes and PrivateTmp=yes of the unit hide from it.
_HIDDEN = tuple(Path(hidden) for hidden in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108  # refused
_LINES = "python3 -m venv /opt/oesd && /opt/oesd/bin/pip install oesd && /opt/oesd/bin/oesd install-service"


def check_prefix(prefix: Path, hidden: Sequence[Path] = _HIDDEN) -> None:
    """See that a virtual environment is there for a service and out of reach of everybody but root.

    Looked at is all that a service started from it runs: the environment, oesd in it, the interpreter behind it.

    Parameters
    ----------
    prefix : Path
        The virtual environment.
    hidden : sequence of Path
        Folders that a service does not see.

    Raises
    ------
    HostError
        One line with the lines to type instead.
    """
    real = prefix.resolve()
    interpreter = (real / "bin" / "python3").resolve()
    for path in (real, interpreter):
        away = next((folder for folder in hidden if path.is_relative_to(folder)), None)
        if away:
            raise HostError(f"this oesd stands in {path}, and {away} is hidden from a service; as root: {_LINES}")
    for needed in (real / "bin" / "oesd", interpreter):
        if not needed.exists():
            raise HostError(f"{needed} does not exist; as root: {_LINES}")
    if not any(real.glob("lib/python*/site-packages/oesd/__init__.py")):
        raise HostError(f"{real} runs an oesd that stands elsewhere, editable; as root: {_LINES}")
    try:
        loose = next(_loose(real, interpreter), None)
    except OSError as error:
        raise HostError(f"{error.filename} cannot be looked at: {error.strerror}") from None
    if loose:
        raise HostError(
            f"{loose} can be changed by others than root, and a service started from it too; as root: {_LINES}"
        )


def _loose(real: Path, interpreter: Path) -> Iterator[Path]:
    """What others than root can change."""
    for path in (*real.parents, *interpreter.parents):
        # A sticky folder on the way lets nobody replace what is another's.
        if _is_loose(path, spared=stat.S_ISVTX):
            yield path
    yield from (path for path in (real, interpreter) if _is_loose(path))
    for folder, folders, files in os.walk(real):
        yield from (path for path in map(Path(folder).joinpath, (*folders, *files)) if _is_loose(path))


def _is_loose(path: Path, spared: int = 0) -> bool:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):  # its own mode says nothing; who may write its folder is asked of that
        return found.st_uid != 0
    writable = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & spared
    return found.st_uid != 0 or bool(writable)
