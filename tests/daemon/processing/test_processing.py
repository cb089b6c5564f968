"""Capture -> stored -> analysed -> rendered, on a real store with the real engine."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from tests.support.daemons import until
from tests.support.stores import rot

from oesd.engine.analyze import analyze_measurement
from oesd.formats import read_spectrum
from oesd.model import Capture, Device, Entry, Kind, Loss, Recipe, RunRecord, new_id
from oesd.processing import Processing
from oesd.processing.losses import Losses, reason_of
from oesd.processing.runs import Runs
from oesd.processing.trouble import Trouble
from oesd.store import HostTime, Store, StoreBusy, StoreDamaged, StoreError, StoreFull, UnknownEntry

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MERCURY_NM = (365.015, 404.656, 435.833, 546.075, 576.96, 579.07)
DEVICE = Device("LAMP-1", "LAMP-1", "USB2000+", np.linspace(340.0, 800.0, 1024), 65535, simulated=True)
RUN = RunRecord("01a20125-5bd0-7604-9d98-2edaf42b34de", "LAMP-1", 1_000_000, True, START, 1, "boot")


def capture(kind: Kind, *, seconds: float = 0.0, integration_us: int = 100_000, slot: int = 0) -> Capture:
    rng = np.random.default_rng(7 + int(seconds))
    light = 1500.0 + rng.normal(0.0, 8.0, DEVICE.pixels)
    if kind is Kind.SAMPLE:
        for line_nm in MERCURY_NM:
            light += 9000.0 * np.exp(-0.5 * ((DEVICE.wavelengths_nm - line_nm) / 0.6) ** 2)
    return Capture(
        record_id=new_id(),
        device=DEVICE,
        kind=kind,
        run_id="01a20125-5bd0-7604-9d98-2edaf42b34de",
        sequence=slot,
        slot=slot,
        taken_at_utc=START + timedelta(seconds=seconds),
        monotonic_ns=RUN.monotonic_ns + round(seconds * 1e9),
        boot_id="boot",
        integration_us=integration_us,
        scans=4,
        boxcar_half_width_px=0,
        counts_sum=np.rint(4 * light).astype(np.uint32),
        saturated=np.zeros(DEVICE.pixels, dtype=np.bool_),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "data") as opened:
        yield opened


def room(store: Store) -> Processing:
    return Processing(store, Recipe(), upload=True, beat=lambda _name, _within_s: None)


def accepted(processing: Processing, store: Store, taken: Capture) -> str:
    """Data id of the entry of a sample, once it is stored."""
    assert processing.accept(taken) == ""
    return str(until(lambda: next((e.data_id for e in store.entries(50) if e.sample_id == taken.record_id), None)))


def judged(processing: Processing, store: Store, *darks: Capture) -> None:
    """Hand darks over to a room that runs, and wait until they may serve."""
    for dark in darks:
        assert processing.accept(dark) == ""
    until(lambda: all(store.library.verdict(dark.record_id) for dark in darks) and processing.idle())


def test_a_sample_gets_the_best_dark_of_its_exposure_with_the_reason(store: Store) -> None:
    processing = room(store)
    processing.start()
    early, late = capture(Kind.DARK), capture(Kind.DARK, seconds=50)
    other = capture(Kind.DARK, seconds=60, integration_us=200_000)
    judged(processing, store, early, late, other)
    entry = store.entry(accepted(processing, store, capture(Kind.SAMPLE, seconds=62)))
    assert entry is not None
    assert entry.dark_id == late.record_id
    assert entry.dark_reason.startswith("dark of 12:00 UTC, same 100 ms, temperature not known, ")
    assert (entry.reference_id, entry.reference_reason) == (None, "no reference at 100 ms")
    processing.stop()


def test_darks_of_an_earlier_process_serve(store: Store) -> None:
    first = room(store)
    first.start()
    dark = capture(Kind.DARK)
    judged(first, store, dark)
    first.stop()
    entry = store.entry(accepted(room(store), store, capture(Kind.SAMPLE, seconds=5)))
    assert entry is not None
    assert entry.dark_id == dark.record_id


def test_what_is_stored_is_analysed_and_can_be_rendered(store: Store) -> None:
    processing = room(store)
    data_id = accepted(processing, store, taken := capture(Kind.SAMPLE, seconds=1))
    before = processing.render(data_id, "columns")
    assert before.revision is None
    processing.start()
    until(processing.idle)
    processing.stop()
    result = store.result(data_id)
    assert result is not None
    assert [found.element for found in result.analysis.elements] == ["Hg"]
    assert result.metadata["simulated"] is True
    for form in ("columns", "json"):
        rendered = processing.render(data_id, form)  # type: ignore[arg-type]
        assert rendered == processing.render(data_id, form)  # type: ignore[arg-type]
        assert rendered.revision == 1
        assert rendered.name.startswith(taken.record_id)
        back = read_spectrum(rendered.data, rendered.name)
        assert np.array_equal(back.measurement.sample, taken.counts)
        assert back.record_id == taken.record_id


@pytest.mark.parametrize("form", ["columns", "json"])
def test_a_damaged_dark_and_reference_keep_no_sample_from_being_forwarded(
    tmp_path: Path, form: Literal["columns", "json"]
) -> None:
    """A day of spectra refers to one dark: what cannot be measured again is the sample."""
    dark, reference, sample = capture(Kind.DARK), capture(Kind.REFERENCE, seconds=1), capture(Kind.SAMPLE, seconds=2)
    entry = Entry(new_id(), sample.record_id, dark.record_id, reference.record_id, "the last", "the only", START)
    with Store.open(tmp_path / "store") as store:
        for calibration in (dark, reference):
            store.save_capture(calibration, None, upload=False).result(10)
        store.save_capture(sample, entry, upload=True).result(10)
        store.save_result(entry.data_id, analyze_measurement(store.measurement(entry.data_id), Recipe()), {}).result(10)
        whole = room(store).render(entry.data_id, form)
    rot(tmp_path / "store", "UPDATE captures SET counts = zeroblob(99) WHERE kind != 'sample'")
    with Store.open(tmp_path / "store") as store:
        rendered = room(store).render(entry.data_id, form)
        back = read_spectrum(rendered.data, rendered.name)
    assert np.array_equal(back.measurement.sample, sample.counts)
    assert (back.measurement.dark, back.measurement.reference) == (None, None)
    assert (rendered.name, rendered.revision, rendered.labels) == (whole.name, None, whole.labels)
    assert f"capture {dark.record_id} is damaged".encode() in rendered.data
    assert b"the last" not in rendered.data


def test_a_damaged_sample_is_not_forwarded(tmp_path: Path) -> None:
    sample = capture(Kind.SAMPLE)
    entry = Entry(new_id(), sample.record_id, None, None, "", "", START)
    with Store.open(tmp_path / "store") as store:
        store.save_capture(sample, entry, upload=True).result(10)
    rot(tmp_path / "store", "UPDATE captures SET counts = zeroblob(99)")
    with Store.open(tmp_path / "store") as store, pytest.raises(StoreDamaged):
        room(store).render(entry.data_id, "columns")


def test_what_a_crash_left_without_a_result_is_analysed_at_the_next_start(store: Store) -> None:
    first = room(store)
    left = [accepted(first, store, capture(Kind.SAMPLE, seconds=n, slot=n)) for n in range(3)]
    second = room(store)
    second.start()
    until(second.idle)
    second.stop()
    assert all(store.result(data_id) is not None for data_id in left)


def test_reprocessing_without_news_makes_no_revision_and_another_recipe_does(store: Store) -> None:
    processing = room(store)
    data_id = accepted(processing, store, capture(Kind.SAMPLE))
    first = processing.process(data_id)
    again = processing.process(data_id)
    assert first is not None
    assert again is not None
    assert again.revision == first.revision == 1
    processing.use(replace(Recipe(), fwhm_nm=1.4))
    other = processing.process(data_id)
    assert other is not None
    assert other.revision == 2
    with pytest.raises(UnknownEntry):
        processing.process(new_id())
    with pytest.raises(UnknownEntry):
        processing.render(new_id(), "json")


def test_a_closed_store_refuses_with_a_short_reason(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data")
    processing = room(store)
    taken = capture(Kind.SAMPLE)
    processing.accept(capture(Kind.SAMPLE, seconds=1))
    store.close()
    processing.accept(taken)
    assert processing.unrecorded() == {"not stored": 1}


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StoreFull("x"), "disk full"), (StoreBusy("x"), "store too slow"), (StoreError("x"), "not stored")],
)
def test_errors_of_the_store_have_short_names(error: StoreError, reason: str) -> None:
    assert reason_of(error) == reason


def _loss(device: str, slot: int, slots: int = 1, reason: str = "overrun") -> Loss:
    return Loss(device, "01a20125-5bd0-7604-9d98-2edaf42b34de", Kind.SAMPLE, slot, slots, reason, "", START)


def test_months_of_losses_stay_small_while_the_ledger_cannot_be_written(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data")
    losses = Losses(store, Trouble(), Runs(store, Trouble()))
    store.close()
    for slot in range(5_000):
        for device in ("a", "b", "c"):
            losses.add(_loss(device, slot))
    losses.add(_loss("a", 5_000, reason="device gone"))
    losses.flush()
    assert losses.pending() == {"overrun": 15_000, "device gone": 1}
    with Store.open(tmp_path / "data") as opened:
        assert opened.tally().lost == {}


def test_losses_are_written_in_full(store: Store) -> None:
    losses = Losses(store, Trouble(), Runs(store, Trouble()))
    losses.add(_loss("a", 0, 3))
    losses.add(_loss("b", 0))
    losses.add(_loss("a", 3, 2))
    losses.add(_loss("a", 9))
    losses.flush()
    assert losses.pending() == {}
    assert store.tally().lost == {"overrun": 7}
    assert [(loss.device_name, loss.first_slot, loss.slots) for loss in store.losses()][::-1] == [
        ("a", 0, 5),
        ("b", 0, 1),
        ("a", 9, 1),
    ]


FULL_DISK = """
import resource, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.daemon.processing.test_processing import capture, room
from oesd.model import Kind
from oesd.store import Store
with Store.open(Path(sys.argv[1])) as store:
    processing = room(store)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    for slot in range(400):
        assert processing.accept(capture(Kind.SAMPLE, seconds=slot, slot=slot)) == ""
    while store.waiting:
        time.sleep(0.01)
    time.sleep(0.2)
    stored, lost = store.tally().stored, sum(processing.unrecorded().values())
    assert 0 < stored < 400 and stored + lost == 400, (stored, lost)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert processing.accept(capture(Kind.SAMPLE, seconds=400, slot=400)) == ""
    while store.tally().stored == stored:
        time.sleep(0.01)
    processing.stop()
    tally = store.tally()
    print(tally.captured, tally.stored, sum(tally.lost.values()))
"""


def test_a_full_disk_loses_nothing_without_a_name_and_is_recovered_from(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "data"), str(root)],
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
    )
    assert done.returncode == 0, done.stderr
    captured, stored, lost = map(int, done.stdout.split())
    assert captured == 401
    assert stored + lost == 401
    assert lost > 0


KILLED_ON_A_FULL_DISK = """
import os, resource, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.daemon.processing.test_processing import RUN, capture, room
from oesd.model import Kind
from oesd.store import Store
store = Store.open(Path(sys.argv[1]))
processing = room(store)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
full_from_the_start = sys.argv[3] == "start"
if full_from_the_start:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
processing.begin_run(RUN)
while store.waiting:
    time.sleep(0.01)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
for slot in range(400):
    processing.accept(capture(Kind.SAMPLE, seconds=slot, slot=slot))
while store.waiting:
    time.sleep(0.01)
time.sleep(0.2)
print(store.tally().stored, sum(processing.unrecorded().values()), flush=True)
os._exit(9)
"""


@pytest.mark.parametrize("full_from", ["start", "later"])
def test_losses_that_a_full_disk_kept_from_the_ledger_are_found_by_the_next_daemon(
    tmp_path: Path, full_from: str
) -> None:
    words = [sys.executable, "-c", KILLED_ON_A_FULL_DISK, tmp_path / "data", Path(__file__).parents[3], full_from]
    no_core = (resource.RLIMIT_CORE, (0, 0))
    done = subprocess.run(
        [*map(str, words)],
        capture_output=True,
        text=True,
        timeout=100,
        preexec_fn=lambda: resource.setrlimit(*no_core),
    )
    assert done.returncode == 9, done.stderr
    stored, unrecorded = map(int, done.stdout.split())
    assert stored and unrecorded and stored + unrecorded == 400
    with Store.open(tmp_path / "data") as store:
        processing = room(store)
        processing.settle(HostTime(START, RUN.monotonic_ns + 500 * RUN.period_us * 1000, RUN.boot_id))
        (account,) = store.run_accounts()
        assert (account.slots.stored, account.slots.due) == (stored, 500)
        assert account.slots.lost.keys() <= {"daemon down", "not stored"}


def test_an_end_waits_for_what_was_lost_before_it(store: Store) -> None:
    processing = room(store)
    processing.begin_run(RUN)
    processing.accept(capture(Kind.SAMPLE))
    processing.lose(replace(_loss("LAMP-1", 1, 4), run_id=RUN.run_id))
    processing.end_run(replace(RUN, ended_at_utc=START + timedelta(seconds=5), slots=5))
    processing.stop()
    (account,) = store.run_accounts()
    assert (account.slots.stored, account.slots.lost) == (1, {"overrun": 4})
    assert account.run.slots == 5
    assert store.settle_runs(HostTime(START, RUN.monotonic_ns + 10**12, RUN.boot_id)).result(10) == 0


def test_a_damaged_run_does_not_stop_the_start(store: Store) -> None:
    store.begin_run(RUN).result(10)
    rot = "DROP TRIGGER runs_no_update; UPDATE runs SET began_at_us = 1 << 62"
    for statement in rot.split("; "):
        store.write(lambda db, sql=statement: db.execute(sql)).result(10)
    processing = room(store)
    processing.settle(HostTime(START, 10**15, "boot"))
    processing.begin_run(replace(RUN, run_id="another"))
    processing.stop()
    assert processing.accept(capture(Kind.SAMPLE)) == ""
