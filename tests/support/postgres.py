"""A PostgreSQL server of the tests' own: in a temporary directory, on a socket there, for as long as it is asked for.

The server refuses to run as root: then it runs as the user ``nobody``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: int(place.parent.name), reverse=True)
_PORT = "5432"
_USER = "oesd"


def programs() -> Path | None:
    """Where Debian, or whoever installed it, put the server's programs; None when there is no server."""
    found = shutil.which("initdb")
    places = [*_PLACES, *([Path(found).resolve().parent] if found else [])]
    return next((place for place in places if (place / "postgres").exists()), None)


class Cluster:
    """A server, running from the beginning on; :meth:`remove` when done.

    Not in pytest's own directories: those are closed to all other users, and the server is one.
    """

    def __init__(self) -> None:
        found = programs()
        assert found is not None, "no PostgreSQL server is installed"
        self._programs = found
        self.directory = Path(tempfile.mkdtemp(prefix="oesd-pg-"))
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "nobody")
        self._data = str(self.directory / "data")
        self._run("initdb", "-D", self._data, "-A", "trust", "-U", _USER, "--no-locale", "-E", "UTF8", "-N")
        self.start()

    def start(self) -> None:
        """Start the server; returns when it takes connections."""
        sockets = f"-c listen_addresses= -c unix_socket_directories={self.directory}"
        # After a kill the server syncs its directory: by one call, not file by file over every database of a run.
        small = "-c shared_buffers=32MB -c max_connections=60 -c max_wal_size=64MB -c recovery_init_sync_method=syncfs"
        self._control("-w", "-l", str(self.directory / "log"), "-o", f"{sockets} {small}", "start")

    def stop(self, mode: str = "immediate") -> None:
        """End the server: ``immediate`` as a power cut would end it, ``fast`` in order."""
        self._control("-w", "-m", mode, "stop")

    def remove(self) -> None:
        """End the server and take its directory away."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def create(self, name: str, template: str = "template0") -> str:
        """Make a database; returns its URL."""
        self._run("createdb", "-h", str(self.directory), "-p", _PORT, "-U", _USER, "-T", template, name)
        return self.url(name)

    def url(self, name: str) -> str:
        """URL of a database."""
        return f"postgresql://{_USER}@/{name}?host={self.directory}"

    def _control(self, *words: str) -> None:
        self._run("pg_ctl", "-D", self._data, *words)

    def _run(self, program: str, *words: str) -> None:
        as_nobody: Sequence[str] = ("runuser", "-u", "nobody", "--") if os.geteuid() == 0 else ()
        command = [*as_nobody, str(self._programs / program), *words]
        # No pipe: the server would hold it open for as long as it runs.
        done = subprocess.run(
            command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(command)} ended with {done.returncode}"
