"""Requests made at random from the API's own description, against a whole simulated daemon, until the time is over.

    python -m tests.bench.schema [SECONDS]

schemathesis asks everything but GET /events, which has no end; what it finds is printed. The exit code is its own: 0
when nothing was a server error and every answer was as described. CI runs the same in short (``test_openapi``).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.daemon.web.test_openapi import fuzz
from tests.support.daemons import Daemon, until

from oesd.service.directory import local_token


def main(seconds: int) -> int:
    words = ("--for", f"{seconds + 120}s")
    with tempfile.TemporaryDirectory() as place, Daemon.simulated(Path(place) / "data", *words) as daemon:
        url = daemon.url()
        until(lambda: daemon.tally()["processed"] > 3)
        phases = ("--phases", "coverage,fuzzing", "--max-time", str(seconds))
        ran = fuzz(url, local_token(daemon.data), Path(place), *phases)
        lines = (line[:200] for line in ran.stdout.splitlines())
        print("\n".join(lines))
        return ran.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
