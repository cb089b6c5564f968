"""Reprocessing: entries a second, by the number of workers, and the share of the one writer.

    python -m tests.bench.reprocess [ENTRIES] [--scheduler tcp://...]

Entries of 2048 pixels with some thirty lines, 2000 by default, each with a result of an older engine, so that each gets
a revision. "here" is the same without workers, in this process; "kept" is the time for storing alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path

from tests.daemon.web import spectra

from oesd.model import Entry, Kind, Recipe, new_id
from oesd.processing.cluster import Cluster
from oesd.processing.crew import Crew, Workers, cores
from oesd.processing.doing import do
from oesd.processing.keeping import keep_answers
from oesd.processing.reprocessing import Outcome, redone, tasks_of
from oesd.store import Store
from oesd.store.standing import Wanted

BATCH = 32
DISTINCT, GROUP = 50, 100


class Here:
    """Does each job at once, in this process."""

    hands = 1

    def submit(self, job: bytes) -> Future[bytes]:
        """Do it."""
        future: Future[bytes] = Future()
        future.set_result(do(job))
        return future


def fill(store: Store, entries: int) -> None:
    """Store entries with results of an older engine, without waiting for the disk each time."""
    device = spectra.device()
    samples = [spectra.capture(device, seed=seed) for seed in range(DISTINCT)]
    made = [spectra.analysis(device.wavelengths_nm, sample.counts) for sample in samples]
    dark = spectra.capture(device, Kind.DARK)
    store.save_capture(dark, None, upload=False).result()
    entries_made = []
    for number in range(entries):
        sample = spectra.capture(device, seed=number % DISTINCT, sequence=number)
        entry = Entry(new_id(), sample.record_id, dark.record_id, None, "", "", spectra.NOW)
        saved = store.save_capture(sample, entry, upload=False)
        entries_made.append(entry.data_id)
        if number % GROUP == GROUP - 1:
            saved.result()
    store.write(lambda _: None).result()
    for number, data_id in enumerate(entries_made):
        result = store.save_result(data_id, made[number % DISTINCT], {})
        if number % GROUP == GROUP - 1:
            result.result()
    store.write(lambda _: None).result()


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("entries", type=int, nargs="?", default=2000)
    arguments.add_argument("--scheduler")
    given = arguments.parse_args()
    print(f"{given.entries} entries, {cores()} cores")
    ways: list[tuple[str, AbstractContextManager[Workers]]] = [("here", nullcontext(Here()))]
    ways += [(f"{hands} workers", Crew(hands)) for hands in (1, 2, 4) if hands <= cores()]
    ways += [("cluster", Cluster(given.scheduler))] if given.scheduler else []
    for name, workers in ways:
        with tempfile.TemporaryDirectory() as directory, Store.open(Path(directory) / "data") as store:
            fill(store, given.entries)
            with workers as chosen:
                measure(name, store, chosen)


def measure(name: str, store: Store, workers: Workers) -> None:
    """Reprocess all and print one line."""
    tasks = tasks_of(store, Wanted(), Recipe()).todo
    list(redone(store, workers, tasks[:4]))  # workers that have started, tables that are read
    kept_s, began_s, cpu_s = 0.0, time.perf_counter(), time.process_time()
    for batch in batches(redone(store, workers, tasks, look_into=False)):
        kept_at_s = time.perf_counter()
        told = keep_answers(store, {outcome.task.data_id: outcome.answer for outcome in batch}, lambda _: {})
        assert not any(told.values()), told
        kept_s += time.perf_counter() - kept_at_s
    took_s = time.perf_counter() - began_s
    busy = (time.process_time() - cpu_s) / took_s
    print(
        f"{name:12} {len(tasks) / took_s:7.0f} entries/s   kept {1e3 * kept_s / len(tasks):5.2f} ms/entry   "
        f"this process {100 * busy:3.0f} % of a core   load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def batches(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    """Outcomes as the command keeps them."""
    source = iter(outcomes)
    while batch := list(islice(source, BATCH)):
        yield batch


if __name__ == "__main__":
    sys.exit(main())
