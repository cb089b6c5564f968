"""The store in ratios, each within one run of one machine.

    python -m tests.bench.store [SPECTRA]

Spectra of 2048 pixels with 40 lines in noise for the times; for the bytes two plasmas of the simulator, seen again and
again with fresh noise, and what the engine makes of them. Against: the same blob appended to a bare file with
fdatasync; a primary-key read of a bare table; the bytes of the blob. Medians; "p99" and "worst" of commits at 100 a
second tell what a checkpoint costs. ``--pace 600`` does that for ten minutes, and nothing else.
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
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from tests.daemon.store.making import NOW, capture, device, entry
from tests.support.plasma.cases import make

from oesd.engine.analyze import analyze_measurement
from oesd.model import Analysis, Capture, Entry, FloatArray, Kind, Measurement, Recipe, RunRecord, new_id
from oesd.processing.metadata import capture_metadata, choice_metadata
from oesd.store import Store
from oesd.store.captures import pack_capture
from oesd.store.sealing import Sealing
from oesd.store.segments import sealed_bytes
from oesd.version import __version__

PLASMAS = {"argon": 10, "three metals": 4}  # of the simulator's cases: 5 and 8 candidates a peak, 35 to 40 peaks
MISSED: list[str] = []
DEVICE = device()
RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 0, "boot")
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


def row(what: str, found: str, wanted: str = "", holds: bool | None = None) -> None:
    """Print one line of the table; a goal that is missed makes the status 1."""
    verdict = "" if holds is None else "holds" if holds else "MISSED"
    MISSED.extend([what] * (holds is False))
    print(f"{what:66} {found:>28}  {verdict:6}  {wanted}", flush=True)


def one_by_one(store: Store, directory: Path, times: int) -> None:
    """One spectrum per transaction against the bare append, in turns, so that both meet the same disk."""
    ratios, inserts, each = [], [], times // 5
    for turn in range(5):
        made = [spectrum(turn * each + k) for k in range(each)]  # as the blobs of the bare append, made before
        bare = bare_append_s(directory, each)

        def insert(k: int, made: Sequence[tuple[Capture, Entry]] = made) -> None:
            store.save_capture(*made[k], upload=True).result()

        inserts.append(median_s(insert, each))
        ratios.append(inserts[-1] / bare)
    ratio = statistics.median(ratios)
    told = f"{1e3 * statistics.median(inserts):.2f} ms, {ratio:.2f} x"
    row("durable insert, one per transaction / bare append", told, "<= 2.5 x", ratio <= 2.5)


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
    rate = spectra / (time.perf_counter() - began)
    row("grouped", f"{rate:.0f} spectra/s", ">= 2000 spectra/s", rate >= 2000)


@dataclass(frozen=True)
class Plasma:
    """Spectra of one plasma by one spectrometer, and what the engine makes of each."""

    dark: Capture
    samples: Sequence[Capture]
    analyses: Sequence[Analysis]

    @property
    def peaks(self) -> float:
        """Of a spectrum, in the mean."""
        return statistics.mean(len(found.detected_peaks) for found in self.analyses)

    @property
    def candidates(self) -> float:
        """Of a peak, in the mean."""
        return statistics.mean(len(peak.candidates) for found in self.analyses for peak in found.detected_peaks)


def plasma(number: int, exposures: int = 640) -> Plasma:
    """A plasma of the simulator: so many exposures, each with noise of its own and a little brighter or darker.

    They are more than a block of traces has: what is seen again must not look like what compresses well.
    """
    given = make(7, number, hard=False).given
    of = replace(
        DEVICE,
        wavelengths_nm=np.asarray(given["wavelengths"], dtype=np.float64),
        saturation_counts=int(given["saturation_counts"]),
        nonlinearity=(),
    )
    chance = np.random.default_rng(number)
    dark_counts = np.asarray(given["dark"], dtype=np.float64)
    light = np.maximum(np.asarray(given["sample"], dtype=np.float64) - dark_counts, 0.0)

    def taken(kind: Kind, mean: FloatArray) -> Capture:
        counts = np.rint(chance.normal(mean, np.sqrt(81.0 + mean / 4.0))).clip(0, of.saturation_counts)
        made = capture(kind, of=of, scans=1, counts_sum=counts.astype(np.uint32))
        return replace(made, saturated=counts >= of.saturation_counts)

    dark = taken(Kind.DARK, dark_counts)
    samples = [taken(Kind.SAMPLE, dark_counts + light * chance.normal(1.0, 0.02)) for _ in range(exposures)]
    recipe = Recipe(fwhm_nm=given["fwhm_hint_nm"])
    found = [analyze_measurement(Measurement.from_captures(sample, dark), recipe) for sample in samples]
    return Plasma(dark, samples, found)


def stored_plasma(store: Store, of: Plasma, spectra: int) -> list[str]:
    """Store so many spectra of a plasma with their results; returns their ids."""
    run = replace(RUN, device_name=of.dark.device.name)
    store.save_capture(of.dark, None, upload=False).result()
    ids = []
    for slot in range(spectra):
        like = of.samples[slot % len(of.samples)]
        at = NOW + timedelta(seconds=slot)
        sample = replace(like, record_id=new_id(), slot=slot, sequence=slot, taken_at_utc=at, monotonic_ns=10**9 * slot)
        made = entry(sample, of.dark)
        store.save_capture(sample, made, upload=True, run=run).result()
        found = of.analyses[slot % len(of.analyses)]
        metadata = {**capture_metadata(sample, run), **choice_metadata(made), "oesd_version": __version__}
        store.save_result(made.data_id, found, metadata).result()
        ids.append(made.data_id)
    return ids


def sizes(store: Store, of: Plasma, spectra: int, what: str) -> None:
    """Bytes per spectrum by table, air in the pages included, and of the segments."""
    query = "SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC"
    tables = [("segments/*", store.read(sealed_bytes)), *store.read(lambda db: db.execute(query).fetchall())]
    blob = statistics.mean(len(pack_capture(one).counts) for one in of.samples)
    allowed = 1.05 * blob + 45 * of.peaks
    everything = sum(size for _, size in tables) / spectra
    row(
        f"bytes of a spectrum with its result, {what}",
        f"{everything:.0f}, {everything / allowed:.2f} x",
        f"<= {allowed:.0f} (1.05 x {blob:.0f} B of blob + 45 B x {of.peaks:.1f} peaks)",
        everything <= allowed,
    )
    for name, size in sorted(tables, key=lambda table: -table[1])[:9]:
        print(f"    {name:54} {size / spectra:28.0f}")


def sealed(store: Store) -> None:
    """Let what can be go into segments, in the keeper's steps."""
    keeping, spent = Sealing(store, least_bytes=1), []
    while True:
        began = time.perf_counter()
        if not keeping.look(1 << 40, 256_000_000):
            break
        spent.append(time.perf_counter() - began)
    row("sealing: a turn takes, median / worst", f"{1e3 * statistics.median(spent):.0f} / {1e3 * max(spent):.0f} ms")


def reads(store: Store, directory: Path, line_nm: float) -> None:
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
    ratio = latest_s / by_key_s
    told = f"{1e6 * latest_s:.0f} us, {ratio:.1f} x"
    row("latest entry of a spectrometer / bare read by key", told, "<= 5 x", ratio <= 5)
    points = len(store.trace("chamber-a", line_nm, 0.2).area)
    trace_ms = 1e3 * median_s(lambda _: store.trace("chamber-a", line_nm, 0.2), 21)
    row(f"trace of {points} points", f"{trace_ms:.2f} ms", "<= 5 ms for 5000", trace_ms <= 5 * max(1.0, points / 5000))


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
    checkpoint_s = _checkpoint_s(store)
    told = f"{1e3 * half:.2f} / {1e3 * most:.2f} / {1e3 * spent[-1]:.1f} ms"
    row(
        f"commit at {per_second:.0f} a second for {seconds:.0f} s: median / p99 / worst",
        told,
        f"p99 <= 3 x median + a checkpoint ({1e3 * checkpoint_s:.1f} ms)",
        most <= 3 * half + checkpoint_s,
    )


def _checkpoint_s(store: Store) -> float:
    """What working the log of a thousand pages into the file takes, as it is done then; the median of five."""
    spent = []
    for slots in range(2_000_000, 2_000_300, 60):
        other = sqlite3.connect(store.database)
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        for slot in range(slots, slots + 60):
            store.save_capture(*spectrum(slot), upload=True).result()
        began = time.perf_counter()
        other.execute("PRAGMA wal_checkpoint(PASSIVE)")
        spent.append(time.perf_counter() - began)
        other.close()
    return statistics.median(spent)


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
        for name, number in PLASMAS.items():
            with Store.open(directory / name) as store:
                of_results(store, directory, spectra, plasma(number), name)


def of_results(store: Store, directory: Path, spectra: int, of: Plasma, name: str) -> None:
    """Analysed spectra: how fast they are read, what they take, before they are sealed and after."""
    stored_plasma(store, of, spectra)
    if name == next(iter(PLASMAS)):
        reads(store, directory, of.analyses[0].detected_peaks[7].wavelength_nm)
    what = f"{name}, {of.candidates:.1f} candidates a peak"
    sizes(store, of, spectra, what)
    later = replace(of.samples[0], record_id=new_id(), slot=200_000, taken_at_utc=NOW + timedelta(days=2))
    store.save_capture(later, entry(later, of.dark), upload=True).result()  # the day is over
    sealed(store)
    sizes(store, of, spectra, f"{what}, sealed")


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
    sys.exit(1 if MISSED else 0)
