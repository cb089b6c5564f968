"""Kills migrations; ``python -m tests.daemon.store.migration_killer``.

For each line ``DATABASE BYTES`` on stdin a child is forked that brings the database to the present version and is
killed by the kernel when it writes past so many bytes of any file; then ``killed`` or ``done`` is printed.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from pathlib import Path

from oesd.store.schema import prepare


def migrate(path: Path, size_bytes: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
    prepare(path)
    os._exit(0)


def serve() -> None:
    for line in sys.stdin:
        path, size_bytes = line.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            migrate(Path(path), int(size_bytes))
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "done", flush=True)


if __name__ == "__main__":
    serve()
