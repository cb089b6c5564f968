"""Bits that rot: a damaged record is named, never served, and keeps nothing else from working."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.daemon.store.making import (
    NOW,
    analysis,
    capture,
    device,
    entry,
    processed,
    same,
    spectrum_file,
    stored_entry,
)
from tests.daemon.store.test_inspection import fill
from tests.support.stores import open_store, rot

from oesd.model import Kind, RunRecord, new_id
from oesd.store import Store, StoreDamaged, StoreError
from oesd.store.finding import Sought
from oesd.store.inspection import Inspection
from oesd.store.inventory import known_devices, list_captures, list_judged
from oesd.store.runs import HostTime
from oesd.store.standing import Wanted


@pytest.mark.parametrize(
    "change",
    [
        "counts = substr(counts, 1, length(counts) - 9)",
        "counts = zeroblob(length(counts))",
        "saturated = x''",
        "integration_us = integration_us + 1",
        "taken_at_us = taken_at_us - 1",
        "kind = 'reference'",
        "header = replace(header, '-10.25', '-11.25')",
        "heading_no = NULL",
        "header = '{'",
        "sha256 = zeroblob(32)",
        "device_no = 2",
    ],
)
def test_a_damaged_capture_is_named_and_not_served(tmp_path: Path, change: str) -> None:
    with open_store(tmp_path) as store:
        one, other = stored_entry(store, 1), stored_entry(store, 2)
        stored_entry(store, 3, of=capture(seed=1).device.__class__("x", "x", "m", capture().device.wavelengths_nm, 9))
    rot(tmp_path, f"UPDATE captures SET {change} WHERE record_id = '{one.sample_id}'")
    with open_store(tmp_path) as store:
        with pytest.raises(StoreDamaged, match=one.sample_id):
            store.capture(one.sample_id)
        with pytest.raises(StoreDamaged, match=one.sample_id):
            store.measurement(one.data_id)
        assert store.measurement(other.data_id) is not None
        assert len(store.entries()) == 3
        assert store.unprocessed(5)[0] == one.data_id
        store.fail_result(one.data_id, "damaged").result(10)
        assert one.data_id not in store.unprocessed(5)


@pytest.mark.parametrize(
    "change",
    [
        "wavelengths = zeroblob(9)",
        "model = 'HR4000'",
        "simulated = 0",
        "description = replace(description, '65535', '16383')",
    ],
)
def test_a_damaged_device_is_found(tmp_path: Path, change: str) -> None:
    with open_store(tmp_path) as store:
        one = stored_entry(store)
    rot(tmp_path, f"UPDATE devices SET {change}")
    with open_store(tmp_path) as store, pytest.raises(StoreDamaged):
        store.capture(one.sample_id)


@pytest.mark.parametrize(
    "change",
    [
        "wavelengths = zeroblob(9)",
        "name = 'chamber-x'",
        "simulated = 7",
        "model = 'HR4000'",
        "simulated = 0",
        "description = '{'",
        "description = replace(description, '65535', '16383')",
        "digest = x'' WHERE device_no = 1",
        "digest = x'0011223344556677' WHERE device_no = 1",
    ],
)
def test_a_damaged_device_takes_nothing_of_what_is_measured_after_it(tmp_path: Path, change: str) -> None:
    """All that a spectrometer measured from then on was stored beside its damaged row, and could not be read."""
    before, after, last = (capture(seed=seed) for seed in range(3))
    with open_store(tmp_path) as store:
        store.save_capture(before, entry(before), upload=False).result(10)
    rot(tmp_path, f"UPDATE devices SET {change}")
    with open_store(tmp_path) as store:
        store.save_capture(after, entry(after), upload=False).result(10)
        assert same(store.capture(after.record_id), after)
        assert same(store.capture(before.record_id), before)  # its checksum tells that the copy is of its device
    rot(tmp_path, f"UPDATE devices SET {change}")
    with open_store(tmp_path) as store:
        store.save_capture(last, entry(last), upload=False).result(10)
        assert all(same(store.capture(one.record_id), one) for one in (before, after, last))
        copies = 1 if change.startswith("digest") else 2
        assert store.read(lambda db: db.execute("SELECT count(*) FROM devices").fetchone()) == (1 + copies,)
        with Inspection(tmp_path) as inspection:
            assert {finding.sort for finding in inspection.findings()} == {"sum"}  # the triggers were out of the way


def test_a_damaged_dark_keeps_no_other_from_being_judged(tmp_path: Path) -> None:
    darks = [capture(Kind.DARK, seed) for seed in range(3)]
    with open_store(tmp_path) as store:
        for dark in darks:
            store.save_capture(dark, None, upload=False).result(10)
    rot(tmp_path, f"UPDATE captures SET counts = x'00' WHERE record_id = '{darks[2].record_id}'")
    with open_store(tmp_path) as store:
        assert store.library.unjudged(5) == [dark.record_id for dark in darks]
        assert same(store.library.dark(darks[1].record_id), darks[1])
        with pytest.raises(StoreDamaged, match=darks[2].record_id):
            store.library.dark(darks[2].record_id)


@pytest.mark.parametrize("change", ["payload = x'0001'", "made_at_us = 5", "revision = 7", "content = zeroblob(32)"])
def test_a_damaged_result_is_named_and_made_again(tmp_path: Path, change: str) -> None:
    with open_store(tmp_path) as store:
        one = stored_entry(store)
        processed(store, one.data_id, (294.4, 417.2))
        store.assign(one.data_id, "p2", "Ar_417.3", now=NOW)
    rot(tmp_path, f"UPDATE results SET {change}")
    if "revision" in change:
        rot(tmp_path, "UPDATE processing SET revision = 7")
    with open_store(tmp_path) as store:
        with pytest.raises(StoreDamaged, match=one.data_id):
            store.result(one.data_id)
        with pytest.raises(StoreDamaged, match=one.data_id):
            store.assign(one.data_id, "p1", "Ga_294.4", now=NOW)
        assert len(store.entries()) == 1
        made = store.save_result(one.data_id, analysis(store.measurement(one.data_id)), {}).result(10)
        assert made.revision > 1
        assert [p.peak_id for p in made.analysis.detected_peaks] == ["p3", "p4"], (
            "lost ids are not given to other lines"
        )
        assert [p.element for p in made.analysis.detected_peaks] == ["Ga", "Ar"], (
            "a person's word is kept by wavelength"
        )


@pytest.mark.parametrize(
    "change", ["data = x'00'", "data = (SELECT data FROM files WHERE entry_no = 2)", "sha256 = ''"]
)
def test_a_damaged_file_is_named(tmp_path: Path, change: str) -> None:
    with open_store(tmp_path) as store:
        ids = [new_id(), new_id()]
        for seed, data_id in enumerate(ids):
            store.save_file(data_id, spectrum_file(seed), b"data %d" % seed, "x").result(10)
    rot(tmp_path, f"UPDATE files SET {change} WHERE entry_no = 1")
    rot(tmp_path, "UPDATE files SET spectrum = x'00' WHERE entry_no = 2")
    with open_store(tmp_path) as store:
        with pytest.raises(StoreDamaged, match=ids[0]):
            store.file(ids[0])
        assert store.measurement(ids[0]) is not None
        with pytest.raises(StoreDamaged, match=ids[1]):
            store.measurement(ids[1])


def test_an_entry_without_its_parts_is_damaged(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        data_id = new_id()
        store.save_file(data_id, spectrum_file(), b"x", "x").result(10)
    rot(tmp_path, "DELETE FROM files")
    with open_store(tmp_path) as store, pytest.raises(StoreDamaged, match=data_id):
        store.measurement(data_id)


def test_flipped_bits_anywhere_never_serve_wrong_bytes(tmp_path: Path) -> None:
    """Flip bits all over the file: reads give the stored capture or a StoreError, and opening never raises another."""
    samples = [capture(seed=seed) for seed in range(12)]
    with open_store(tmp_path / "data") as store:
        for sample in samples:
            store.save_capture(sample, entry(sample), upload=True).result(10)
    path = tmp_path / "data" / "oesd.sqlite"
    whole, chance = path.read_bytes(), random.Random(5)
    outcomes = {"right": 0, "named": 0, "refused": 0}
    for _ in range(60):
        torn = bytearray(whole)
        for place in chance.sample(range(len(torn) * 8), 4):
            torn[place // 8] ^= 1 << place % 8
        for leftover in ("-wal", "-shm"):
            path.with_name(path.name + leftover).unlink(missing_ok=True)
        path.write_bytes(torn)
        for outcome in served(tmp_path / "data", samples):
            outcomes[outcome] += 1
    assert outcomes["right"] > 250
    assert outcomes["named"] > 5


def served(directory: Path, samples: list) -> list[str]:
    try:
        with open_store(directory) as store:
            return [one(store, sample) for sample in samples]
    except StoreError:
        return ["refused"]


def one(store: Store, sample) -> str:
    try:
        found = store.capture(sample.record_id)
    except StoreError:
        return "named"
    # A damaged index may hide a row; it never shows another one.
    assert found is None or same(found, sample)
    return "right" if found is not None else "named"


WHEN = (1 << 62, -(1 << 62))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE results SET elements = 'x'",
        "UPDATE results SET elements = '7'",
        "UPDATE captures SET header = 'x' WHERE capture_no = 1",
        "UPDATE devices SET description = '{}'",
        *(f"UPDATE entries SET taken_at_us = {at_us} WHERE entry_no = 1" for at_us in WHEN),
        *(f"UPDATE captures SET taken_at_us = {at_us} WHERE capture_no = 1" for at_us in WHEN),
        "UPDATE losses SET at_us = 1000000000000000000",
        "UPDATE runs SET began_at_us = 1000000000000000000",
        "UPDATE verdicts SET judged_at_us = 1000000000000000000",
    ],
)
def test_a_damaged_row_takes_no_other_out_of_a_list(tmp_path: Path, change: str) -> None:
    with open_store(tmp_path / "data") as store:
        fill(store)
        stored_entry(store, 9, of=device("chamber-b"))
        before = listed(store)
        store.begin_run(RunRecord("open", "chamber-a", 1_000_000, True, NOW, 0, "boot")).result(10)
    rot(tmp_path / "data", change)
    with open_store(tmp_path / "data") as store:
        left_out = before[-1] if "devices" in change else 0
        assert listed(store) == [*before[:-1], before[-1] - left_out]
        assert store.settle_runs(HostTime(NOW, 5_000_000_000, "boot")).result(10) >= 0, "a start goes on"


def listed(store: Store) -> list[int]:
    """How long each list is; that of devices, of which a damaged one is left out, last."""
    return [
        len(store.entries()),
        len(store.find(Sought(), 100).entries),
        len(store.standings(Wanted())),
        len(store.losses()),
        len([run for run in store.run_accounts() if run.run.run_id != "open"]),
        len(store.read(lambda db: list_captures(db, 100))),
        len(store.read(lambda db: list_judged(db, 100, Kind.DARK))),
        len(store.read(known_devices)),
    ]


def test_a_file_of_any_name_and_any_date_is_taken_and_listed(tmp_path: Path) -> None:
    dates = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-03-01T12:00:00+01:00")
    with open_store(tmp_path / "data", clock=lambda: NOW) as store:
        for number, date in enumerate(dates):
            told = {"taken_at": date, "device": "lamp \udce4", "Run ID": "r\ud800", "Label who": "\udcff"}
            spectrum = replace(spectrum_file(number), metadata=told)
            store.save_file(new_id(), spectrum, b"%d" % number, "m\udce4rz.txt").result(10)
        newest, *others = store.find(Sought(), 10).entries
        assert newest.summary.taken_at_utc == datetime(2026, 3, 1, 11, tzinfo=UTC)
        assert newest.run_id == "r\\ud800"
        assert [one.summary.taken_at_utc for one in others] == [NOW, NOW], "a date that no clock shows is none"
        assert store.file(newest.summary.data_id).filename == "m\\udce4rz.txt"
