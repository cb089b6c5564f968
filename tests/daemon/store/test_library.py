"""Verdicts, dark statistics and modelled darks: stored once, all or none, never changed."""

from __future__ import annotations

import dataclasses
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.daemon.store.making import NOW, capture, device, entry
from tests.support.stores import on_sqlite, open_store

from oesd.model import Capture, Kind, Loss, ModelledDark, new_id
from oesd.store import Store, StoreDamaged, StoreError, StoreRefused
from oesd.store.dark_cells import StoredCell
from oesd.store.schema import STEPS, prepare
from oesd.store.verdicts import LibraryKey, StoredVerdict, key_of


def verdict(of: Capture, *, accepted: bool = True, begins: bool = False) -> StoredVerdict:
    numbers = {"limit_counts": 12.5, "against": "the dark model"}
    return StoredVerdict(
        of.record_id, of.kind, accepted, accepted, begins, "dark: no light", numbers, NOW, of.taken_at_utc
    )


def cell(number: int, seed: int = 0) -> StoredCell:
    rng = np.random.default_rng(seed)
    return StoredCell(number, rng.normal(0, 9, 10), rng.normal(1e5, 300, 2048), rng.random(2048) < 0.01)


def same(one: StoredCell, other: StoredCell) -> bool:
    return one.number == other.number and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("numbers", "counts_sum", "left_out")
    )


def stored_dark(store: Store, seed: int = 0, kind: Kind = Kind.DARK, **changes: object) -> Capture:
    dark = capture(kind, seed, **changes)
    store.save_capture(dark, None, upload=False).result(10)
    return dark


def refused(dark: Capture) -> Loss:
    return Loss(dark.device.name, dark.run_id, dark.kind, -1, 1, "dark refused", "not dark: a line", NOW)


def modelled(**changes: object) -> ModelledDark:
    rng = np.random.default_rng(1)
    values: dict[str, object] = {
        "record_id": new_id(),
        "serial": device().serial,
        "device_model": "USB2000+",
        "simulated": True,
        "integration_us": 30_000,
        "temperature_c": 21.3,
        "counts": np.rint(rng.normal(1500, 3, 2048) * 1000) / 1000,
        "sigma": rng.uniform(0.1, 3.0, 2048).astype(np.float32),
        "saturated": rng.random(2048) < 0.01,
        "darks": 12,
        "last_dark_id": new_id(),
        "version": "dark law 1",
        "made_at_utc": NOW,
    }
    return ModelledDark(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def key() -> LibraryKey:
    return key_of(device())


def test_a_verdict_comes_with_all_that_it_changes_and_only_once(store: Store, key: LibraryKey) -> None:
    dark = stored_dark(store)
    said = verdict(dark)
    assert store.library.verdict(dark.record_id) is None
    assert store.library.save_verdict(dark, said, cells=[cell(1), cell(2)]).result(10)
    assert store.library.verdict(dark.record_id) == said
    kept = store.library.cells(key)
    assert [one.number for one in kept] == [1, 2]
    assert same(kept[0], cell(1))
    again = replace(said, accepted=False, reason="another")
    assert not store.library.save_verdict(dark, again, cells=[cell(1, 9)], gone=[2], loss=refused(dark)).result(10)
    assert store.library.verdict(dark.record_id) == said
    assert [same(one, other) for one, other in zip(store.library.cells(key), kept, strict=True)] == [True, True]
    assert store.losses() == []
    other = stored_dark(store, 1)
    assert store.library.save_verdict(other, verdict(other), cells=[cell(1, 9)], gone=[2]).result(10)
    (left,) = store.library.cells(key)
    assert same(left, cell(1, 9))


def test_a_refused_dark_is_a_named_loss_in_the_same_transaction(store: Store, key: LibraryKey) -> None:
    dark = stored_dark(store)
    no = replace(verdict(dark, accepted=False), reason="not dark: a line")
    assert store.library.save_verdict(dark, no, loss=refused(dark)).result(10)
    assert [(loss.reason, loss.detail) for loss in store.losses()] == [("dark refused", "not dark: a line")]
    assert store.library.shelved(key, Kind.DARK, 9) == []
    assert store.library.tally(key, Kind.DARK, True) == (0, None)
    assert store.library.tally(key, Kind.DARK, False) == (1, no)
    never = capture(Kind.DARK, 5)
    with pytest.raises(StoreError, match="not stored"):
        store.library.save_verdict(never, verdict(never), cells=[cell(3)]).result(10)
    assert store.library.cells(key) == []


def test_the_shelf_holds_what_a_choice_goes_by(store: Store, key: LibraryKey) -> None:
    first = stored_dark(store, detector_temperature_c=None, board_temperature_c=31.5)
    second = stored_dark(store, 1, taken_at_utc=NOW - timedelta(days=400))
    reference = stored_dark(store, 2, Kind.REFERENCE)
    for one in (first, second, reference):
        store.library.save_verdict(one, verdict(one)).result(10)
    newest, before = store.library.shelved(key, Kind.DARK, 9)
    assert (newest.record_id, before.record_id) == (second.record_id, first.record_id)  # by order, not by the clock
    assert (before.temperature_c, newest.temperature_c) == (31.5, -10.25)
    assert (newest.integration_us, newest.scans, newest.boot_id) == (100_000, 3, "boot")
    assert newest.monotonic_ns == second.monotonic_ns
    assert [one.record_id for one in store.library.shelved(key, Kind.REFERENCE, 9)] == [reference.record_id]
    assert store.library.shelved(replace(key, serial="another"), Kind.DARK, 9) == []


def test_a_library_begun_anew_sets_the_earlier_darks_aside(store: Store, key: LibraryKey) -> None:
    old, new, after = (stored_dark(store, seed) for seed in range(3))
    reference = stored_dark(store, 3, Kind.REFERENCE)
    store.library.save_verdict(reference, verdict(reference)).result(10)
    store.library.save_verdict(old, verdict(old), cells=[cell(1), cell(2)]).result(10)
    store.library.save_verdict(new, verdict(new, begins=True), cells=[cell(1, 5)]).result(10)
    store.library.save_verdict(after, verdict(after)).result(10)
    assert [one.record_id for one in store.library.shelved(key, Kind.DARK, 9)] == [after.record_id, new.record_id]
    assert len(store.library.shelved(key, Kind.REFERENCE, 9)) == 1
    assert [one.number for one in store.library.cells(key)] == [1]
    assert store.library.verdict(old.record_id) is not None


def test_what_was_never_judged_is_known(store: Store) -> None:
    stored_dark(store, 0, Kind.SAMPLE)
    darks = [stored_dark(store, seed) for seed in range(1, 5)]
    assert store.library.unjudged(3) == [dark.record_id for dark in darks[1:]]
    store.library.save_verdict(darks[1], verdict(darks[1])).result(10)
    assert store.library.unjudged(9) == [dark.record_id for dark in darks[2:]]


def test_a_name_leads_to_the_library(store: Store, key: LibraryKey) -> None:
    assert store.library.key_named("chamber-a", 2048) is None
    stored_dark(store)
    assert store.library.key_named("chamber-a", 2048) == key


def test_an_entry_may_name_a_modelled_dark(store: Store) -> None:
    sample, dark = capture(), modelled()
    made = replace(entry(sample), dark_id=dark.record_id, dark_reason="dark by the model")
    store.save_capture(sample, made, upload=False, modelled_dark=dark).result(10)
    assert store.entry(made.data_id) == made
    back = store.library.modelled_dark(dark.record_id)
    assert back is not None
    for field in dataclasses.fields(ModelledDark):
        assert np.array_equal(getattr(back, field.name), getattr(dark, field.name)), field.name
    measurement = store.measurement(made.data_id)
    assert measurement is not None
    assert measurement.dark is not None
    assert np.array_equal(measurement.dark, dark.counts)
    assert np.array_equal(measurement.dark_variance, np.square(dark.sigma, dtype=np.float64))
    assert store.library.dark(dark.record_id) is not None
    assert store.capture(dark.record_id) is None
    later = capture(seed=1)
    store.save_capture(later, replace(entry(later), dark_id=dark.record_id), upload=False).result(10)
    twice = capture(seed=2)
    store.save_capture(
        twice, replace(entry(twice), dark_id=dark.record_id), upload=False, modelled_dark=replace(dark, darks=99)
    ).result(10)
    assert store.library.modelled_dark(dark.record_id).darks == 12  # type: ignore[union-attr]


def test_a_modelled_dark_that_is_not_stored_costs_the_entry_its_dark_only(store: Store) -> None:
    sample = capture()
    made = replace(entry(sample), dark_id=new_id(), dark_reason="dark by the model")
    store.save_capture(sample, made, upload=False).result(10)
    found = store.entry(made.data_id)
    assert found is not None
    assert found.dark_id is None
    assert "is not stored" in found.dark_reason


@pytest.mark.parametrize("table", ["libraries", "verdicts", "modelled_darks"])
def test_nothing_of_it_is_ever_changed(store: Store, table: str) -> None:
    dark, sample = stored_dark(store), capture(seed=7)
    store.library.save_verdict(dark, verdict(dark)).result(10)
    predicted = modelled()
    store.save_capture(
        sample, replace(entry(sample), dark_id=predicted.record_id), upload=False, modelled_dark=predicted
    ).result(10)
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET library_no = 1"):
        with pytest.raises(StoreRefused, match="never changed"):
            store.write(lambda db, sql=statement: db.execute(sql)).result(10)


@on_sqlite
def test_damage_is_found_and_costs_only_itself(store: Store, key: LibraryKey) -> None:
    dark, sample, predicted = stored_dark(store), capture(seed=7), modelled()
    store.library.save_verdict(dark, verdict(dark), cells=[cell(1), cell(2)]).result(10)
    store.save_capture(
        sample, replace(entry(sample), dark_id=predicted.record_id), upload=False, modelled_dark=predicted
    ).result(10)
    rot = (
        "UPDATE dark_cells SET counts_sum = substr(counts_sum, 1, 100) WHERE cell = 1",
        "DROP TRIGGER modelled_darks_no_update",
        "UPDATE modelled_darks SET temperature_c = 99",
    )
    for statement in rot:
        store.write(lambda db, sql=statement: db.execute(sql)).result(10)
    (left,) = store.library.cells(key)
    assert left.number == 2
    with pytest.raises(StoreDamaged, match="modelled dark"):
        store.library.modelled_dark(predicted.record_id)


@on_sqlite
def test_a_file_of_an_earlier_version_gets_its_library(tmp_path: Path) -> None:
    path = tmp_path / "old" / "oesd.sqlite"
    path.parent.mkdir(mode=0o700)
    connection = sqlite3.connect(path, isolation_level=None)
    for number, step in enumerate(STEPS[:2], start=1):
        connection.executescript(f"BEGIN; {step}; PRAGMA user_version = {number}; COMMIT;")
    connection.execute(f"PRAGMA application_id = {0x6F657364}")
    connection.close()
    prepare(path)
    with open_store(path.parent) as store:
        dark = stored_dark(store)
        assert store.library.unjudged(9) == [dark.record_id]
