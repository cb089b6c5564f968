"""Whether the program that runs can be the program that the service starts."""

from __future__ import annotations

import stat
from pathlib import Path

from oesd.host.errors import HostError

# What ProtectHome=yes and PrivateTmp=yes of the unit hide from it.
_HIDDEN = tuple(Path(hidden) for hidden in ("/home", "/root", "/run/user", "/tmp", "/var/tmp"))  # noqa: S108  # refused
_LINES = "python3 -m venv /opt/oesd && /opt/oesd/bin/pip install oesd && /opt/oesd/bin/oesd install-service"


def check_prefix(prefix: Path) -> None:
    """See that a virtual environment is there for a service and out of reach of everybody but root.

    Raises
    ------
    HostError
        One line with the lines to type instead.
    """
    real = prefix.resolve()
    hidden = next((h for h in _HIDDEN if real.is_relative_to(h)), None)
    if hidden:
        raise HostError(f"this oesd stands in {prefix}, and {hidden} is hidden from a service; as root: {_LINES}")
    program = real / "bin" / "oesd"
    if not program.exists():
        raise HostError(f"{program} does not exist; as root: {_LINES}")
    for path in (program, *real.parents, real, real / "bin"):
        found = path.stat()
        # A sticky directory lets nobody replace what is another's.
        open_to_others = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or open_to_others:
            raise HostError(
                f"{path} can be changed by others than root, and a service started from it too; as root: {_LINES}"
            )
