"""Processes that forward until they are killed: ``python -m tests.support.forward_child``.

For each line ``STORE<tab>FILES<tab>URL<tab>BATCH`` on stdin a child is forked (before any thread exists; forking saves
the imports) whose id is answered on a line, and after its end its exit status.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from random import Random

import tests.support.transport  # noqa: F401  (first)
from tests.support.fault_server import KEY
from tests.support.upload_bench import render_from

from oesd.store import Store
from oesd.upload import ApiKey, Forwarder, OesApi, Pace


def forward(directory: str, files: str, url: str, batch: str) -> None:
    with Store.open(Path(directory)) as store, OesApi(url, ApiKey(KEY)) as api:

        def render(data_id: str):  # type: ignore[no-untyped-def]
            return render_from(Path(files), data_id)

        pace = Pace(chores=False, workers=1, poll_s=0.0, batch=int(batch))
        Forwarder(store, api, render, rng=Random(1), pace=pace).run(threading.Event())


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if not child:
            forward(*line.rstrip("\n").split("\t"))
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
