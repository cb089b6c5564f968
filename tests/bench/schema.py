"""Requests made at random from the APIs' own descriptions, against a whole simulated daemon and the hub beside it.

    python -m tests.bench.schema [SECONDS]

schemathesis goes through all its phases (examples, coverage, fuzzing, sequences of calls), each of the two for so many
seconds at most. It asks everything but GET /events, which has no end; what it finds is printed. The exit code is its
own: 0 when nothing was a server error and every answer was as described. CI runs the same in short (``test_openapi``,
``test_hub_described``).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.daemon.web.test_openapi import fuzz
from tests.support.daemons import Daemon, until

from oesd.service.directory import local_token
from oesd.upload import load_key


def main(seconds: int) -> int:
    words = ("--for", f"{2 * seconds + 240}s")
    with tempfile.TemporaryDirectory() as place, Daemon.simulated(Path(place) / "data", *words) as daemon:
        url = daemon.url()
        until(lambda: daemon.tally()["processed"] > 3)
        hub = str(daemon.get("/status")["hub"])
        servers = ((url, local_token(daemon.data)), (hub, load_key(daemon.data / "hub" / "api-key").reveal()))
        codes = [_fuzzed(Path(place), seconds, *server) for server in servers]
        return max(codes)


def _fuzzed(place: Path, seconds: int, url: str, key: str) -> int:
    ran = fuzz(url, key, place, "--phases", "examples,coverage,fuzzing,stateful", "--max-time", str(seconds))
    print("\n".join(line[:200].replace(key, "***") for line in ran.stdout.splitlines()))
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300))
