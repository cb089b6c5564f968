"""The store in ratios, each within one run of one machine.

    python -m tests.bench.store [SPECTRA]

Spectra of 2048 pixels with 40 lines in noise, stored with their entries and results of 40 peaks. Against: the same blob
appended to a bare file with fdatasync; a primary-key read of a bare table; the bytes of the blob. Medians; "p99" and
"worst" of commits at 100 a second tell what a checkpoint costs.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from tests.daemon.store.making import NOW, analysis, capture, device, entry

from oesd.model import Capture, Entry, Kind, RunRecord, new_id
from oesd.store import Store
from oesd.store.captures import pack_capture

PEAKS = 40
DEVICE = device()
RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 0, "boot")
LINES_NM = tuple(round(205.0 + 16.0 * k, 4) for k in range(PEAKS))
MADE = [capture(seed=seed, of=DEVICE, scans=1) for seed in range(16)]
BLOBS = [packed.counts for packed in map(pack_capture, MADE)]


def spectrum(slot: int) -> tuple[Capture, Entry]:
    """A new spectrum with its entry."""
    sample = replace(MADE[slot % len(MADE)], record_id=new_id(), slot=slot, sequence=slot)
    return sample, entry(sample)


def median_s(work: Callable[[int], object], times: int) -> float:
    """Median time of a piece of work."""
    spent = []
    for k in range(times):
        began = time.perf_counter()
        work(k)
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


def bare_append_s(directory: Path, times: int) -> float:
    """Median of a bare append of a blob with fdatasync."""
    descriptor = os.open(directory / "bare", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def append(k: int) -> None:
        os.write(descriptor, BLOBS[k % len(BLOBS)])
        os.fdatasync(descriptor)

    try:
        return median_s(append, times)
    finally:
        os.close(descriptor)


def row(what: str, found: str, wanted: str) -> None:
    """Print one line of the table."""
    print(f"{what:58} {found:>28}   {wanted}")


def one_by_one(store: Store, directory: Path, times: int) -> None:
    """One spectrum per transaction against the bare append, in turns, so that both meet the same disk."""
    ratios, inserts, slot = [], [], 0

    def insert(k: int) -> None:
        store.save_capture(*spectrum(slot + k), upload=True).result()

    for _ in range(5):
        bare = bare_append_s(directory, times // 5)
        inserts.append(median_s(insert, times // 5))
        ratios.append(inserts[-1] / bare)
        slot += times // 5
    told = f"{1e3 * statistics.median(inserts):.2f} ms, {statistics.median(ratios):.2f} x"
    row("durable insert, one per transaction / bare append", told, "<= 2.5 x")


def in_groups(store: Store, spectra: int) -> None:
    """As fast as they come."""
    made = [spectrum(10_000 + k) for k in range(spectra)]
    waiting: list[Future[None]] = []
    began = time.perf_counter()
    for sample, of in made:
        waiting.append(store.save_capture(sample, of, upload=True))
        if len(waiting) > 1000:
            waiting.pop(0).result()
    for future in waiting:
        future.result()
    row("grouped", f"{spectra / (time.perf_counter() - began):.0f} spectra/s", ">= 2000 spectra/s")


def analysed(store: Store, data_ids: Sequence[str]) -> None:
    """Give entries their results."""
    for k, data_id in enumerate(data_ids):
        measured = store.measurement(data_id)
        assert measured is not None
        found = analysis(measured, tuple(nm + 0.003 * (k % 3) for nm in LINES_NM))
        peaks = [replace(p, intensity=p.intensity + k, area=p.area + k) for p in found.detected_peaks]
        store.save_result(data_id, replace(found, detected_peaks=tuple(peaks)), {}).result()


def sizes(store: Store, spectra: int) -> None:
    """Bytes per spectrum by table, air in the pages included."""
    query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
    tables = [(name, size / spectra) for name, size in store.read(lambda db: db.execute(query).fetchall())]
    blob = statistics.mean(map(len, BLOBS))
    allowed = 1.05 * blob + 45 * PEAKS
    everything = sum(size for _, size in tables)
    row(
        "bytes of a spectrum with its result",
        f"{everything:.0f}, {everything / allowed:.2f} x",
        f"<= {allowed:.0f} (1.05 blob + 45 B per peak)",
    )
    for name, size in tables[:12]:
        print(f"    {name:54} {size:28.0f}")


def reads(store: Store, directory: Path) -> None:
    """The latest entry against a bare read by primary key; a trace of 5,000 points."""
    bare = sqlite3.connect(directory / "bare.sqlite")
    bare.execute("CREATE TABLE spectra (number INTEGER PRIMARY KEY, blob BLOB)")
    bare.executemany("INSERT INTO spectra VALUES (?, ?)", [(k, BLOBS[k % len(BLOBS)]) for k in range(20_000)])
    bare.commit()

    def by_key(k: int) -> object:
        bare.execute("BEGIN")
        found = bare.execute("SELECT number FROM spectra WHERE number = ?", (k,)).fetchone()
        bare.rollback()
        return found

    by_key_s = median_s(by_key, 2000)
    latest_s = median_s(lambda _: store.latest_entry("chamber-a"), 2000)
    bare.close()
    row(
        "latest entry of a spectrometer / bare read by key",
        f"{1e6 * latest_s:.0f} us, {latest_s / by_key_s:.1f} x",
        "<= 5 x",
    )
    points = len(store.trace("chamber-a", LINES_NM[7], 0.2).area)
    row(
        f"trace of {points} points",
        f"{1e3 * median_s(lambda _: store.trace('chamber-a', LINES_NM[7], 0.2), 21):.2f} ms",
        "<= 5 ms for 5000",
    )


def at_a_pace(store: Store, seconds: float, per_second: float) -> None:
    """Commits at a steady pace."""
    spent, began = [], time.monotonic()
    for k in range(round(seconds * per_second)):
        time.sleep(max(0.0, began + k / per_second - time.monotonic()))
        sample, of = spectrum(1_000_000 + k)
        start = time.perf_counter()
        store.save_capture(sample, of, upload=True).result()
        spent.append(time.perf_counter() - start)
    spent.sort()
    half, most = spent[len(spent) // 2], spent[int(0.99 * len(spent))]
    told = f"{1e3 * half:.2f} / {1e3 * most:.2f} / {1e3 * spent[-1]:.1f} ms"
    row(
        f"commit at {per_second:.0f} a second for {seconds:.0f} s: median / p99 / worst",
        told,
        "p99 <= 3 x median + a checkpoint",
    )


def main(spectra: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("OESD_BENCH_DIR")) as folder:
        directory = Path(folder)
        with Store.open(directory / "data") as store:
            store.begin_run(RUN).result()
            store.save_capture(capture(Kind.DARK, 99, DEVICE), None, upload=False).result()
            one_by_one(store, directory, 500)
            in_groups(store, spectra)
            at_a_pace(store, 10, 100)
        with Store.open(directory / "results") as store:
            store.begin_run(RUN).result()
            made = [spectrum(k) for k in range(spectra)]
            for sample, of in made:
                store.save_capture(sample, of, upload=True).result()
            analysed(store, [of.data_id for _, of in made])
            reads(store, directory)
            sizes(store, spectra)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
