"""A worker process of the crew: jobs in, answers out, over a socket pair.

``python -m oesd.processing.worker FD`` is started by :mod:`.crew` only, and lives as long as the other end of its
socket: when that closes, also by ``kill -9`` of the parent, it ends, even in the middle of a job.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import traceback

from oesd.processing import wire
from oesd.processing.doing import do

#: A daemon on the same machine, which has to be punctual, goes before.
_NICE = 10


def main(arguments: list[str]) -> None:
    """Work until the other end closes. What a terminal sends to the whole group is the parent's business."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with socket.socket(fileno=int(arguments[0])) as channel:
        threading.Thread(target=_end_with_parent, args=(channel.fileno(),), daemon=True).start()
        try:
            while True:
                wire.send(channel, do(wire.receive(channel)))
        except (EOFError, ConnectionError):
            return
        except Exception as error:
            # The top of the process: who asked is told by its end, and names the job.
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {place.name}:{place.lineno}: {' '.join(str(error).split())[:300]}"
            print(f"oesd: a defect ended an analysis: {what}", file=sys.stderr, flush=True)
            sys.exit(1)


def _end_with_parent(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
