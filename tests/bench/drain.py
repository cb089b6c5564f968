"""A week offline, then the network is back: ``python -m tests.bench.drain [--records 604800] [--batch 500]``.

So many records wait; each second another one is stored. Told are the time to start with that backlog, the pace of the
draining, the growth of memory, and how long the live records took to be confirmed. The server (the tests' own, in a
process of its own) does nothing slowly on purpose: the pace is bounded by it. With ``--kilobytes 125`` the files are as
large as those of 2,048 pixels; then with some thousand records, as the server keeps all.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tests.support.fault_server import KEY, FaultServer

from oesd.model import new_id
from oesd.store import Store
from oesd.upload import ApiKey, Forwarder, OesApi, Pace, RenderedFile

RUN_COLUMNS = "data_id, dark_reason, reference_reason, created_at_us, taken_at_us, device_name, model, simulated"


def main() -> None:
    asked = _arguments()
    if asked.serve:
        serve()
        return
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.drain", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    try:
        with tempfile.TemporaryDirectory() as place:
            measure(Path(place) / "data", url, asked)
    finally:
        server.communicate()


def serve() -> None:
    """Serve until the other end closes."""
    with FaultServer() as made:
        made.process = False
        print(made.url, flush=True)
        sys.stdin.read()


def measure(directory: Path, url: str, asked: argparse.Namespace) -> None:
    with Store.open(directory) as store:
        for first in range(0, asked.records, 20_000):
            add(store, min(20_000, asked.records - first))
    began = time.perf_counter()
    with Store.open(directory) as store, OesApi(url, ApiKey(KEY)) as api:
        pace = Pace(workers=4, batch=asked.batch, results=False, chores=False, newest_first=asked.newest_first)
        forwarder = Forwarder(store, api, rendering(asked.kilobytes), pace=pace)
        store.outbox.due(forwarder._clock.now(), 32, fresh=asked.batch == 1)
        start_s = time.perf_counter() - began
        print(f"start with {asked.records} records waiting: {start_s:.2f} s {verdict(start_s <= 2)} (<= 2)")
        drain(store, forwarder, asked)


def drain(store: Store, forwarder: Forwarder, asked: argparse.Namespace) -> None:
    stop, live = threading.Event(), Live(store, forwarder)
    threads = [threading.Thread(target=forwarder.run, args=(stop,)), threading.Thread(target=live.run, args=(stop,))]
    before_kb, began = rss_kb(), time.monotonic()
    for thread in threads:
        thread.start()
    most_kb = before_kb
    while store.outbox.counts().get("processed", 0) < asked.records:
        time.sleep(1.0)
        most_kb = max(most_kb, rss_kb())
    took_s = time.monotonic() - began
    stop.set()
    for thread in threads:
        thread.join()
    print(f"drained in {took_s:.0f} s: {asked.records / took_s:.0f} records/s")
    grown_mb, most_s = (most_kb - before_kb) * 1.024e-3, max(live.took_s, default=0.0)
    print(f"memory +{grown_mb:.0f} MB {verdict(grown_mb < 50)} (< 50)")
    print(f"{len(live.took_s)} live records confirmed after at most {most_s:.1f} s {verdict(most_s <= 10)} (<= 10)")


def verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"


class Live:
    """Stores a record a second, and sees when each is confirmed."""

    def __init__(self, store: Store, forwarder: Forwarder) -> None:
        self._store = store
        self._forwarder = forwarder
        self.took_s: list[float] = []

    def run(self, stop: threading.Event) -> None:
        waiting: dict[str, float] = {}
        due = time.monotonic()
        while not stop.wait(0.1):
            if time.monotonic() >= due:
                due += 1.0
                waiting[add(self._store, 1)[0]] = time.monotonic()
                self._forwarder.wake()
            for data_id, since in list(waiting.items()):
                item = self._store.outbox.item(data_id)
                if item is not None and item.state.value in ("confirmed", "processed"):
                    self.took_s.append(time.monotonic() - since)
                    del waiting[data_id]
        self.took_s += [time.monotonic() - since for since in waiting.values()]


def add(store: Store, number: int) -> list[str]:
    """Entries that are ready to go; without captures, as only the queue is measured."""
    ids = [new_id() for _ in range(number)]

    def insert(db):  # type: ignore[no-untyped-def]
        for data_id in ids:
            row = db.execute(f"INSERT INTO entries ({RUN_COLUMNS}) VALUES (?, '', '', 0, 0, '', '', 0)", (data_id,))
            db.execute("INSERT INTO outbox (entry_no, ready) VALUES (?, 1)", (row.lastrowid,))

    store.write(insert).result()
    return ids


def rendering(kilobytes: int) -> Callable[[str], RenderedFile]:
    """Files of a size: a column of numbers, which packs to a third as spectra do, another piece of it for each."""
    digits = "\n".join(f"{x:.2f}" for x in np.random.default_rng(5).normal(3000, 400, 200_000)).encode()

    def render(data_id: str) -> RenderedFile:
        start = zlib.crc32(data_id.encode()) % (len(digits) // 2)
        data = data_id.encode() + digits[start : start + kilobytes * 1000]
        return RenderedFile(f"{data_id}.txt", data, hashlib.sha256(data).hexdigest(), None)

    return render


def rss_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=604_800)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--kilobytes", type=int, default=1, help="of a record's file; a spectrum of 2,048 pixels: 125")
    parser.add_argument("--newest-first", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
