"""``oesd verify``'s eyes: a store that is well has no findings, and whatever is changed in it is one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW, capture, entry, loss, processed, spectrum_file, stored_entry
from tests.daemon.store.test_library import cell, modelled, verdict
from tests.daemon.store.test_versions import VERSIONS, unpacked
from tests.support.stores import copy_store, on_sqlite, open_store, rot

from oesd.model import Kind, RunRecord, new_id
from oesd.store import OutboxState, Store, StoreError
from oesd.store.connection import PAGE_SIZE
from oesd.store.inspection import Finding, Inspection
from oesd.store.schema import STEPS
from oesd.store.watch_events import WatchEvent, WatchEvents

RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 0, "boot")


def inspected(directory: Path) -> list[Finding]:
    with Inspection(directory) as inspection:
        seen: list[int] = []
        found = list(inspection.findings(seen.append))
        assert sum(seen) == inspection.total or any(f.sort == "structure" for f in found)
        return found


def fill(store: Store) -> None:
    """Something of everything."""
    store.begin_run(RUN).result(10)
    first = stored_entry(store, 0)
    processed(store, first.data_id)
    store.assign(first.data_id, "p2", "Ar_417.3", now=NOW)
    store.outbox.update(replace(store.outbox.item(first.data_id), state=OutboxState.CONFIRMED)).result(10)
    sample, short, dark = capture(seed=1), capture(seed=2, slot=-1, integration_us=1000), modelled()
    of = replace(entry(sample), short_id=short.record_id, dark_id=dark.record_id)
    store.save_capture(sample, of, upload=True, short=short, modelled_dark=dark).result(10)
    store.record_loss(replace(loss("overrun", 4), first_slot=2)).result(10)
    store.end_run(replace(RUN, ended_at_utc=NOW, slots=6)).result(10)
    judged = capture(Kind.DARK, 50)
    store.save_capture(judged, None, upload=False).result(10)
    store.library.save_verdict(judged, verdict(judged), cells=[cell(1)]).result(10)
    store.save_file(new_id(), spectrum_file(), b"1;2", "x.txt").result(10)
    change = WatchEvent(5, "alarm", "leak", "chamber-a", 1, 1, "", {"from": "pending", "to": "raised", "value": 0.1})
    WatchEvents(store).add([change]).result(10)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("filled") / "data"
    with open_store(directory) as store:
        fill(store)
    return directory


@pytest.fixture
def filled(once: Path, tmp_path: Path) -> Path:
    copy_store(once, tmp_path / "data")
    return tmp_path / "data"


@on_sqlite
def test_a_store_that_is_well_has_no_findings_in_use_or_not(filled: Path) -> None:
    before = (filled / "oesd.sqlite").read_bytes()
    assert inspected(filled) == []
    assert (filled / "oesd.sqlite").read_bytes() == before
    with open_store(filled) as store:
        assert inspected(filled) == []
        stored_entry(store, 70)
        assert inspected(filled) == []


@pytest.mark.parametrize(
    ("change", "sort", "about"),
    [
        ("UPDATE captures SET counts = x'000000000000000000' WHERE capture_no = 2", "checksum", "captures"),
        ("UPDATE captures SET header = replace(header, '-10.25', '-11.25')", "checksum", "captures"),
        ("UPDATE headings SET text = replace(text, '\"scans\":3', '\"scans\":4')", "checksum", "captures"),
        ("UPDATE devices SET model = 'HR4000'", "checksum", "captures"),
        ("UPDATE results SET payload = x'0001'", "checksum", "result"),
        ("UPDATE files SET data = x'00'", "checksum", "files"),
        ("UPDATE files SET spectrum = x'00'", "checksum", "files"),
        ("UPDATE modelled_darks SET darks = darks + 1", "checksum", "modelled dark"),
        ("UPDATE dark_cells SET counts_sum = x'00'", "checksum", "dark"),
        ("DELETE FROM captures WHERE kind = 'dark'", "reference", "entries"),
        ("DELETE FROM files", "reference", "entry"),
        ("DELETE FROM processing", "reference", "entry"),
        ("DELETE FROM overrides", "reference", "patches"),
        ("UPDATE processing SET revision = 7 WHERE revision = 1", "reference", "entry"),
        ("UPDATE entries SET sample_no = 5 WHERE sample_no = 2", "reference", "entry"),
        ("UPDATE ledger SET number = number + 1 WHERE name = 'sample'", "sum", "captures: sample"),
        ("UPDATE ledger SET number = number + 1 WHERE name = 'short'", "sum", "captures: short"),
        ("UPDATE outbox SET state = 'stored'", "sum", "outbox"),
        ("UPDATE watch_events SET document = replace(document, 'raised', 'okayed')", "checksum", "event 1 of"),
        ("UPDATE watch_events SET at_us = at_us + 1", "checksum", "event 1 of the alarms"),
        ("UPDATE entries SET taken_at_us = 1 WHERE entry_no = 1", "reference", "entry"),
        ("UPDATE entries SET device_name = 'chamber-b' WHERE entry_no = 1", "reference", "entry"),
        ("UPDATE outbox SET open = 0, batch_no = 7 WHERE state = 'stored'", "reference", "batch"),
        ("UPDATE results SET elements = '['", "checksum", "result"),
        ("DELETE FROM losses", "sum", "lost: overrun"),
        ("UPDATE slot_hours SET slots = slots - 1 WHERE fate = ''", "sum", "run run-1"),
        ("DELETE FROM run_slots WHERE fate = ''", "sum", "run run-1"),
        ("UPDATE runs SET slots = NULL", "sum", "run run-1"),
    ],
)
def test_whatever_is_changed_is_found_and_named(filled: Path, change: str, sort: str, about: str) -> None:
    rot(filled, change)
    found = inspected(filled)
    assert [f for f in found if f.sort == sort and about in f"{f.about} {f.text}"], found
    assert all("\n" not in f.text for f in found)


@on_sqlite
def test_a_page_that_is_none_costs_its_own_record_and_the_others_are_checked(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        entries = [stored_entry(store, seed) for seed in range(6)]
    path = tmp_path / "data" / "oesd.sqlite"
    with closing(sqlite3.connect(path)) as db:
        query = (
            "SELECT a.pageno FROM dbstat a JOIN dbstat b ON b.name = a.name AND b.path = replace(a.path, '+000000', "
            "'+000001') WHERE a.name = 'captures' AND a.path LIKE '%+000000' ORDER BY a.path"
        )
        try:
            (page,) = db.execute(query).fetchone()
        except sqlite3.OperationalError:
            pytest.skip("this SQLite does not tell of its pages")
    whole = bytearray(path.read_bytes())
    at = (page - 1) * PAGE_SIZE
    whole[at : at + 4] = b"\xff" * 4  # where a blob goes on
    path.write_bytes(whole)
    with Inspection(tmp_path / "data") as inspection:
        found = list(inspection.findings())
        assert inspection.checked["captures"] == 2 * len(entries)
    assert len([f for f in found if f.sort == "checksum"]) == 1, found


@on_sqlite
def test_bytes_that_rot_in_the_file_are_found(filled: Path) -> None:
    path = filled / "oesd.sqlite"
    data = bytearray(path.read_bytes())
    with sqlite3.connect(path) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'entries'").fetchone()
    db.close()
    data[PAGE_SIZE * (root - 1) : PAGE_SIZE * (root - 1) + 8] = b"\xff" * 8
    path.write_bytes(data)
    sorts = {f.sort for f in inspected(filled)}
    assert "structure" in sorts


@on_sqlite
def test_what_is_no_store_of_today_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no data of oesd"):
        Inspection(tmp_path)
    unpacked(1, tmp_path / "old")
    with pytest.raises(StoreError, match=f"schema 1, today {len(STEPS)}"):
        Inspection(tmp_path / "old")
    with pytest.raises(StoreError, match="is a file, not a data directory"):
        Inspection(tmp_path / "old" / "oesd.sqlite")


@on_sqlite
@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_that_came_forward_is_well(tmp_path: Path, version: int) -> None:
    unpacked(version, tmp_path / "data")
    open_store(tmp_path / "data").close()
    assert inspected(tmp_path / "data") == []
