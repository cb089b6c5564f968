"""Many daemons, one hub: ``python -m tests.bench.hub [--daemons 200] [--seconds 30] [--batch 10] [--kills 0]``.

With ``--postgresql`` its tables are in PostgreSQL, on a server of its own that shares the machine, too.

Each simulated daemon makes a spectrum a second and uploads them ten by ten, at a moment of its own. An upload is the
presign, the PUT and the completing call: when it ends the hub has acknowledged the bytes. Afterwards every record that
was acknowledged is looked for. The senders share the machine with the hub.
"""

from __future__ import annotations

import argparse
import random
import signal
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import numpy as np
from tests.support.hub_load import Batch, HubProcess, Told, batches, two_free_ports, upload
from tests.support.postgres import Cluster

SENDERS = 48


def main() -> None:
    asked = _arguments()
    need = round(asked.daemons * asked.seconds / asked.batch)
    print(f"making {need} files of {asked.batch} spectra")
    files = list(islice(batches(asked.batch), need))
    with tempfile.TemporaryDirectory() as place, ExitStack() as after:
        words: tuple[str, ...] = ()
        if asked.postgresql:
            server = Cluster()
            after.callback(server.remove)
            config = Path(place) / "hub.toml"
            config.write_text(f'[store]\nurl = "{server.create("oesd")}"\n')
            words = ("--config", str(config))
        run = Run(Path(place) / "hub", asked, files, words)
        run.send()
        run.report()


def verdict(holds: bool) -> str:
    return "holds" if holds else "MISSED"


class Run:
    def __init__(self, data: Path, asked: argparse.Namespace, files: list[Batch], words: tuple[str, ...]) -> None:
        self._data = data
        self._words = words
        self._asked = asked
        self._files = files
        self._port = two_free_ports()
        self._told = Told()
        self._late_s: list[float] = []
        self._hub = HubProcess(data, self._port, *words)
        self._hub.wait()
        self._busy = threading.Event()
        self._rss_kb = 0

    def send(self) -> None:
        """Send each batch at its moment, and again until it is acknowledged."""
        chance = random.Random(3)
        every_s = self._asked.batch
        phases = [chance.uniform(0, every_s) for _ in range(self._asked.daemons)]
        rounds = -(-len(self._files) // self._asked.daemons)
        moments = sorted(p + k * every_s for k in range(rounds) for p in phases)[: len(self._files)]
        began = time.monotonic()
        with ThreadPoolExecutor(SENDERS) as pool:
            for moment, file in zip(moments, self._files, strict=True):
                time.sleep(max(0.0, began + moment - time.monotonic()))
                pool.submit(self._until_told, file, began + moment)
                if self._asked.kills and not self._busy.is_set():
                    self._busy.set()
                    threading.Thread(target=self._kill, daemon=True).start()
        self._took_s = time.monotonic() - began
        self._rss_kb = max(self._rss_kb, self._hub_rss_kb())

    def _until_told(self, file: Batch, due: float) -> None:
        self._late_s.append(time.monotonic() - due)
        while True:
            with self._hub.api() as api:
                if upload(api, file, self._told):
                    return
            time.sleep(0.2)

    def _kill(self) -> None:
        for _ in range(self._asked.kills):
            time.sleep(random.Random(time.monotonic()).uniform(1.0, 4.0))
            self._hub.end(signal.SIGKILL)
            self._hub = HubProcess(self._data, self._port, *self._words)
            self._hub.wait()

    def _hub_rss_kb(self) -> int:
        status = Path(f"/proc/{self._hub.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

    def report(self) -> None:
        told = self._told
        ms = np.array(told.took_s) * 1e3
        spectra = len(told.records)
        took_s, late_ms = self._took_s, max(self._late_s) * 1e3
        print(f"{spectra} spectra of {self._asked.daemons} daemons in {took_s:.1f} s: {spectra / took_s:.0f}/s")
        p99_ms = float(np.percentile(ms, 99))
        told_p99 = f"p99 {p99_ms:.0f} ms {verdict(p99_ms < 1000)} (< 1000)"
        print(f"ingest of {self._asked.batch}: p50 {np.percentile(ms, 50):.0f} ms, {told_p99}")
        print(f"greatest {ms.max():.0f} ms; begun late by at most {late_ms:.0f} ms; tries that failed {told.failed}")
        began = time.monotonic()
        lost, waiting = self._look()
        while waiting and time.monotonic() - began < 600:
            time.sleep(1.0)
            lost, waiting = self._look()
        print(f"all are entries with results {time.monotonic() - began:.0f} s later; lost {len(lost)} "
              f"{verdict(not lost)} (0), hub at most {self._rss_kb / 1024:.0f} MiB")  # fmt: skip
        self._hub.end(signal.SIGTERM)
        if lost or waiting:
            raise SystemExit(f"lost {len(lost)}, without a result {len(waiting)}")

    def _look(self) -> tuple[set[str], set[str]]:
        lost, waiting = set(), set()
        with self._hub.api() as api:
            for batch in self._files:
                name = batch.name.partition(".")[0]
                states = {
                    t.partition(".")[0]: e.pipeline_status for e in api.find_entries(keywords=name) for t in e.texts
                }
                waiting |= {record for record in batch.records if states.get(record) != "success"}
                if name not in states:
                    lost |= set(batch.records)
                if len(waiting) > 50:
                    break
        return lost, waiting


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--daemons", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--postgresql", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
