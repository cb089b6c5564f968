"""The store in ratios, each within one run of one machine.

    python -m tests.bench.store [SPECTRA]

Spectra of 2048 pixels with 40 lines in noise, stored with their entries and results of 40 peaks, each with three or
seven candidates (an analysis of a real spectrum has seven) and numbers of its own. Against: the same blob appended to a
bare file with fdatasync; a primary-key read of a bare table; the bytes of the blob. Medians; "p99" and "worst" of
commits at 100 a second tell what a checkpoint costs. ``--pace 600`` does that for ten minutes, and nothing else.
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
from datetime import timedelta
from pathlib import Path

import numpy as np
from tests.daemon.store.making import NOW, analysis, capture, device, entry

from oesd.model import Candidate, Capture, Entry, Kind, Peak, RunRecord, new_id
from oesd.store import Store
from oesd.store.captures import pack_capture
from oesd.store.sealing import Sealing
from oesd.store.segments import sealed_bytes

PEAKS = 40
SYMBOLS = ("Fe", "Ar", "Ga", "Cu", "Ti", "Cr", "Ni", "Mn", "Al", "O", "N", "H", "W", "Ca", "Na", "Si")
DEVICE = device()
RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 0, "boot")
LINES_NM = tuple(round(205.0 + 16.0 * k, 4) for k in range(PEAKS))
MADE = [capture(seed=seed, of=DEVICE, scans=1) for seed in range(16)]
BLOBS = [packed.counts for packed in map(pack_capture, MADE)]


def spectrum(slot: int) -> tuple[Capture, Entry]:
    """A new spectrum with its entry."""
    at = NOW + timedelta(seconds=slot)
    sample = replace(MADE[slot % len(MADE)], record_id=new_id(), slot=slot, sequence=slot, taken_at_utc=at)
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


def analysed(store: Store, data_ids: Sequence[str], candidates: int) -> None:
    """Give entries their results."""
    chance = np.random.default_rng(1)
    for data_id in data_ids:
        measured = store.measurement(data_id)
        assert measured is not None
        peaks = tuple(peak_at(nm, f"p{k}", candidates, chance) for k, nm in enumerate(LINES_NM, start=1))
        store.save_result(data_id, replace(analysis(measured), detected_peaks=peaks), {}).result()


def peak_at(line_nm: float, peak_id: str, candidates: int, chance: np.random.Generator) -> Peak:
    """A peak as the engine gives it: every number its own, to as many decimals as the engine rounds to."""
    nm = round(line_nm + chance.normal(0, 0.01), 4)
    shares = np.sort(chance.dirichlet(np.full(candidates, 0.5)))[::-1]
    offs = chance.normal(0, 0.3, candidates)
    near = [
        Candidate(f"{symbol}_{nm + off:.1f}", symbol, int(chance.integers(1, 3)), round(nm + off, 4), round(share, 4))
        for symbol, off, share in zip(chance.choice(SYMBOLS, candidates), offs, shares, strict=True)
    ]
    return Peak(
        peak_id=peak_id,
        wavelength_nm=nm,
        wavelength_sigma_nm=round(float(chance.gamma(2, 0.01)), 5),
        center_px=round((nm - 200) / 0.33 + float(chance.normal(0, 0.01)), 4),
        fwhm_nm=round(float(chance.normal(1.2, 0.05)), 4),
        snr=round(float(chance.lognormal(4, 1)), 2),
        intensity=round(float(chance.lognormal(7, 1)), 3),
        area=round(float(chance.lognormal(7, 1)), 3),
        element=near[0].element,
        probability=near[0].probability,
        manual=False,
        candidates=tuple(near),
    )


def sizes(store: Store, spectra: int, what: str) -> None:
    """Bytes per spectrum by table, air in the pages included, and of the segments."""
    query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
    tables = [("segments/*", store.read(sealed_bytes)), *store.read(lambda db: db.execute(query).fetchall())]
    blob = statistics.mean(map(len, BLOBS))
    allowed = 1.05 * blob + 45 * PEAKS
    everything = sum(size for _, size in tables) / spectra
    row(
        f"bytes of a spectrum with its result, {what}",
        f"{everything:.0f}, {everything / allowed:.2f} x",
        f"<= {allowed:.0f} (1.05 blob + 45 B per peak)",
    )
    for name, size in sorted(tables, key=lambda table: -table[1])[:9]:
        print(f"    {name:54} {size / spectra:28.0f}")


def sealed(store: Store) -> None:
    """Let what can be go into segments, in the keeper's steps."""
    keeping, spent = Sealing(store), []
    while True:
        began = time.perf_counter()
        if not keeping.look(1 << 40, 256_000_000):
            break
        spent.append(time.perf_counter() - began)
    row(
        "sealing: a turn takes, median / worst", f"{1e3 * statistics.median(spent):.0f} / {1e3 * max(spent):.0f} ms", ""
    )


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
        for candidates in (3, 7):
            with Store.open(directory / f"results-{candidates}") as store:
                of_results(store, directory, spectra, candidates)


def of_results(store: Store, directory: Path, spectra: int, candidates: int) -> None:
    """Analysed spectra: how fast they are read, what they take, before they are sealed and after."""
    store.begin_run(RUN).result()
    made = [spectrum(k) for k in range(spectra)]
    for sample, of in made:
        store.save_capture(sample, of, upload=True).result()
    analysed(store, [of.data_id for _, of in made], candidates)
    if candidates == 3:
        reads(store, directory)
    sizes(store, spectra, f"{candidates} candidates")
    store.save_capture(*spectrum(86_400 * 2), upload=True).result()  # the day is over
    sealed(store)
    sizes(store, spectra, f"{candidates} candidates, sealed")


def paced(seconds: float) -> None:
    """Commits at 100 a second, for longer."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("OESD_BENCH_DIR")) as folder:
        with Store.open(Path(folder) / "data") as store:
            store.begin_run(RUN).result()
            at_a_pace(store, seconds, 100)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--pace"]:
        paced(float(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
