"""Kills sealing at a call of the disk; ``python -m tests.daemon.store.sealing_killer``.

For each line ``DIRECTORY CALL`` on stdin a child is forked that seals all there is to seal in the data directory, and
is killed before it asks the disk for the call of that number; then the number of calls that it came to is printed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from tests.support.recording_disk import RecordingDisk
from tests.support.recording_vfs import OK, Event, recorded

from oesd.store import Store
from oesd.store.sealing import GRACE_S, Sealing

LEAST_BYTES = 500


def seal(directory: Path, call: int, told: int) -> None:
    calls = 0

    def count(_: Event) -> int:
        nonlocal calls
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return OK

    now_s = 0.0
    with recorded() as recorder, Store.open(directory) as store:
        recorder.refuse = count
        sealing = Sealing(store, disk=RecordingDisk(recorder), monotonic_s=lambda: now_s, least_bytes=LEAST_BYTES)
        for _ in range(3):
            while sealing.look(10**9, 10**9):
                pass
            now_s += GRACE_S
    os.write(told, str(calls).encode())
    os._exit(0)


def serve() -> None:
    for line in sys.stdin:
        directory, call = line.rsplit(maxsplit=1)
        read, told = os.pipe()
        child = os.fork()
        if child == 0:
            seal(Path(directory), int(call), told)
        os.close(told)
        os.waitpid(child, 0)
        print(os.read(read, 20).decode() or "killed", flush=True)
        os.close(read)


if __name__ == "__main__":
    serve()
