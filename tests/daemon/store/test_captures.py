from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.daemon.store.making import (
    NOW,
    PIXELS,
    capture,
    device,
    entry,
    processed,
    same,
    spectrum_file,
    stored_entry,
)
from tests.support.stores import on_sqlite, open_store

from oesd.model import Kind, Measurement, Quantity, new_id
from oesd.store import Store, StoreDamaged, StoreError, StoreRefused
from oesd.store.moments import from_us, to_us


def test_a_capture_comes_back_whole(store: Store) -> None:
    made = capture(seed=1, board_temperature_c=30.1, clock_offset_ms=-3.5, clock_bound_ms=float("inf"))
    store.save_capture(made, None, upload=False).result(10)
    assert same(store.capture(made.record_id), made)
    assert store.capture(new_id()) is None


optional = st.none() | st.floats(allow_nan=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    st.sampled_from(Kind),
    st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC)),
    st.tuples(optional, optional, optional, optional),
    st.dictionaries(st.text(), st.text()),
    st.text(),
    st.integers(0, 2**63 - 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=20),
)
def test_any_capture_comes_back(store: Store, kind, moment, floats, labels, text, number, counts) -> None:
    of = device(text, len(counts), serial=text, model=text, nonlinearity=())
    made = capture(
        kind,
        of=of,
        taken_at_utc=moment,
        detector_temperature_c=floats[0],
        board_temperature_c=floats[1],
        clock_offset_ms=floats[2],
        clock_bound_ms=floats[3],
        labels=labels,
        run_id=text,
        monotonic_ns=number,
        counts_sum=np.array(counts, dtype=np.uint32),
        saturated=np.array(counts, dtype=np.uint32) % 2 == 1,
    )
    store.save_capture(made, None, upload=False).result(10)
    assert same(store.capture(made.record_id), made)


spreads = arrays(np.float32, PIXELS, elements=st.floats(0.0, 2.0**100, width=32))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(spreads, st.integers(2, 10_000))
def test_the_spread_comes_back_as_well_as_it_was_known(store: Store, spread, scans) -> None:
    made = capture(spread=spread, scans=scans)
    store.save_capture(made, None, upload=False).result(10)
    found = store.capture(made.record_id)
    assert found is not None
    assert found.spread is not None
    assert found.spread.dtype == np.float32
    np.testing.assert_allclose(found.spread, spread, rtol=max(0.25 / (2 * scans - 2) ** 0.5, 2.0**-8), atol=1e-37)
    again = replace(made, record_id=new_id(), spread=found.spread)
    store.save_capture(again, None, upload=False).result(10)
    assert same(store.capture(again.record_id), again), "rounded once is rounded for good"


@on_sqlite
def test_a_damaged_spread_is_noticed(store: Store) -> None:
    made = capture(spread=np.full(PIXELS, 3.0, np.float32))
    store.save_capture(made, None, upload=False).result(10)

    def damage(db: sqlite3.Connection) -> None:
        db.execute("DROP TRIGGER captures_only_sealed")
        db.execute("UPDATE captures SET spread = NULL")

    store.write(damage).result(10)
    with pytest.raises(StoreDamaged, match=made.record_id):
        store.capture(made.record_id)


# -- brackets --------------------------------------------------------------------------------------------------------


def bracket(seed=0):
    """A sample, its shorter exposure, and their entry."""
    sample, short = capture(seed=seed), capture(seed=seed, slot=-1, integration_us=10_000)
    return sample, short, replace(entry(sample), short_id=short.record_id)


def test_a_bracket_is_one_sample_one_entry_and_two_captures(store: Store) -> None:
    sample, short, of = bracket()
    for _ in range(2):
        store.save_capture(sample, of, upload=True, short=short).result(10)
    assert store.entry(of.data_id) == of
    assert same(store.capture(sample.record_id), sample)
    assert same(store.capture(short.record_id), short)
    tally = store.tally()
    assert (tally.stored, tally.captured, tally.waiting) == (1, 1, 1)
    assert store.read(lambda db: db.execute("SELECT count(*) FROM captures").fetchone()) == (2,)


def test_a_bracket_is_stored_whole_or_not_at_all(store: Store) -> None:
    sample, short, of = bracket()
    taken = capture(seed=5, record_id=short.record_id)
    store.save_capture(taken, None, upload=False).result(10)
    with pytest.raises(StoreError, match="another capture"):
        store.save_capture(sample, of, upload=True, short=short).result(10)
    assert store.capture(sample.record_id) is None
    assert store.entry(of.data_id) is None
    assert store.tally().stored == 1


def test_a_shorter_exposure_comes_with_the_entry_that_names_it(store: Store) -> None:
    sample, short, of = bracket()
    for named, beside in ((of, None), (entry(sample), short), (None, short), (of, capture(slot=-1))):
        with pytest.raises(StoreError, match="does not name"):
            store.save_capture(sample, named, upload=True, short=beside).result(10)
    assert store.tally().stored == 0


def test_the_measurement_of_a_bracket_has_both(store: Store) -> None:
    sample, short, of = bracket()
    store.save_capture(sample, of, upload=True, short=short).result(10)
    measured = store.measurement(of.data_id)
    assert measured is not None
    assert same(measured.sample, sample.counts)
    assert same(measured.short, short.counts)
    assert same(measured.short_saturated, short.saturated)
    assert measured.short_integration_us == 10_000


def test_moments_are_exact_and_utc() -> None:
    local = datetime(2026, 3, 1, 13, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert from_us(to_us(local)) == local
    assert from_us(to_us(datetime(1, 1, 1, tzinfo=UTC))).year == 1


def test_a_device_is_stored_once_per_content(store: Store) -> None:
    for seed in range(3):
        store.save_capture(capture(seed=seed), None, upload=False).result(10)
    recalibrated = device(nonlinearity=(1.0,))
    store.save_capture(capture(of=recalibrated), None, upload=False).result(10)
    assert store.read(lambda db: db.execute("SELECT count(*) FROM devices").fetchone()) == (2,)


def test_what_a_person_knows_of_a_detector_is_stored_with_it_and_changes_no_older_description(store: Store) -> None:
    known = capture(of=device(dead_pixels=(3, 812), stray_light=(0.001, 0.002, 25.0)))
    for taken in (capture(seed=1), known):
        store.save_capture(taken, None, upload=False).result(10)
    back = store.capture(known.record_id)
    assert back is not None
    assert (back.device.dead_pixels, back.device.stray_light) == ((3, 812), (0.001, 0.002, 25.0))
    described = store.read(lambda db: db.execute("SELECT description FROM devices ORDER BY device_no").fetchall())
    assert ["dead_pixels" in text for (text,) in described] == [False, True]


@pytest.mark.parametrize("table", ["devices", "captures", "entries", "files", "losses"])
@pytest.mark.parametrize("action", ["DELETE FROM {}", "UPDATE {} SET {}"])
def test_raw_rows_are_never_changed(store: Store, table: str, action: str) -> None:
    stored_entry(store)
    store.save_file(new_id(), spectrum_file(), b"data", "a.txt").result(10)
    store.write(lambda db: db.execute("INSERT INTO losses VALUES (1, 'd', 'r', 'sample', 0, 1, 'x', '', 0)")).result(10)
    column = {
        "devices": "name = 'x'",
        "captures": "counts = counts",
        "entries": "dark_no = NULL",
        "files": "data = data",
    }
    statement = action.format(table, column.get(table, "slots = 2"))
    with pytest.raises(StoreRefused, match="never changed"):
        store.write(lambda db: db.execute(statement)).result(10)


def test_darks_are_judged_in_the_order_of_storing_not_of_a_clock(store: Store) -> None:
    first = capture(Kind.DARK, 1, taken_at_utc=NOW + timedelta(days=3650))
    second = capture(Kind.REFERENCE, 2, integration_us=5000)
    for made in (first, second, capture(Kind.SAMPLE, 4)):
        store.save_capture(made, None, upload=False).result(10)
    assert store.library.unjudged(5) == [first.record_id, second.record_id]
    assert store.library.unjudged(1) == [second.record_id]


def test_saving_again_is_once_and_another_under_the_same_id_is_refused(store: Store) -> None:
    made = capture(seed=1)
    of = entry(made)
    for _ in range(2):
        store.save_capture(made, of, upload=True).result(10)
    assert store.tally().stored == 1
    assert store.outbox.counts() == {"stored": 1}
    with pytest.raises(StoreError, match="another capture"):
        store.save_capture(replace(made, scans=4), None, upload=False).result(10)
    with pytest.raises(StoreError, match="another pair"):
        store.save_capture(made, replace(of, data_id=new_id()), upload=False).result(10)
    other = capture(seed=2)
    with pytest.raises(StoreError, match="another pair"):
        store.save_capture(other, replace(of, sample_id=other.record_id), upload=False).result(10)
    assert store.capture(other.record_id) is None, "the capture went with its entry"


def test_an_entry_must_be_of_its_sample(store: Store) -> None:
    with pytest.raises(StoreError, match="is not of sample"):
        store.save_capture(capture(), entry(capture(seed=1)), upload=True).result(10)


def test_entries_and_measurements(store: Store) -> None:
    dark, reference, sample = capture(Kind.DARK, 1), capture(Kind.REFERENCE, 2), capture(Kind.SAMPLE, 3)
    made = entry(sample, dark, reference)
    for each in (dark, reference):
        store.save_capture(each, None, upload=False)
    store.save_capture(sample, made, upload=False).result(10)
    assert store.entry(made.data_id) == made
    measured = store.measurement(made.data_id)
    assert measured is not None
    assert same(measured.sample, sample.counts)
    assert same(measured.dark, dark.counts)
    assert same(measured.reference, reference.counts)
    assert store.entry(new_id()) is None
    assert store.measurement(new_id()) is None
    assert store.outbox.due(NOW) == []


def test_a_dark_that_is_not_stored_does_not_cost_the_sample(store: Store) -> None:
    dark, sample = capture(Kind.DARK, 1), capture(Kind.SAMPLE, 2)
    made = entry(sample, dark)
    store.save_capture(sample, made, upload=True).result(10)
    found = store.entry(made.data_id)
    assert found is not None
    assert found.dark_id is None
    assert dark.record_id in found.dark_reason


def test_lists_are_newest_first_by_page_and_device(store: Store) -> None:
    ids = [stored_entry(store, seed).data_id for seed in range(4)]
    other = stored_entry(store, 9, of=device("chamber-b", simulated=False, model="STS")).data_id
    assert [e.data_id for e in store.entries()] == [other, *reversed(ids)]
    assert [e.data_id for e in store.entries(2, before=ids[3])] == [ids[2], ids[1]]
    assert [e.data_id for e in store.entries(device_name="chamber-b")] == [other]
    assert store.entries(before=new_id()) == []
    assert (store.latest_entry(), store.latest_entry("chamber-a")) == (other, ids[3])
    assert store.latest_entry("nobody") is None
    shown = store.entries(1)[0]
    assert (shown.state, shown.revision, shown.elements, shown.simulated, shown.model) == (
        "waiting",
        0,
        (),
        False,
        "STS",
    )
    assert shown.taken_at_utc == NOW


def test_what_waits_for_the_engine(store: Store) -> None:
    ids = [stored_entry(store, seed).data_id for seed in range(4)]
    assert store.unprocessed(3) == ids[:3]
    processed(store, ids[0])
    store.fail_result(ids[1], "no light").result(10)
    assert store.unprocessed(10) == ids[2:]
    assert [e.state for e in store.entries()] == ["waiting", "waiting", "failed: no light", "processed"]


def test_a_file_comes_back_byte_for_byte_and_number_for_number(store: Store) -> None:
    data_id, made, data = new_id(), spectrum_file(), b"SpectraSuite Data File\r\n\x00\xff" * 99
    for _ in range(2):
        store.save_file(data_id, made, data, "../a.txt").result(10)
    found = store.file(data_id)
    assert found is not None
    assert (found.data, found.filename, found.format, found.record_id) == (data, "../a.txt", "SpectraSuite", "rec-7")
    assert same(store.spectrum_file(data_id), made)
    assert same(store.measurement(data_id), made.measurement)
    one = store.entry(data_id)
    assert one is not None
    assert (one.sample_id, one.dark_id, one.reference_id) == (data_id, None, None)
    shown = store.entries()[0]
    assert (shown.device_name, shown.model, shown.simulated, shown.sample_id) == ("chamber-b", "HR4000", True, data_id)
    assert shown.taken_at_utc == datetime(2013, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert store.unprocessed(5) == [data_id]
    assert store.file(new_id()) is None
    assert store.spectrum_file(new_id()) is None
    with pytest.raises(StoreError, match="another entry"):
        store.save_file(data_id, made, b"other", "a.txt").result(10)


def test_all_that_the_engine_may_know_comes_back_from_captures_and_from_files(store: Store) -> None:
    of = device(dead_pixels=(3, 812), stray_light=(0.001,))
    spread = np.full(of.pixels, 8.0, np.float32)  # of few bits: the store keeps what means something
    taken = [capture(kind, n, of, spread=spread * n, scans=4) for n, kind in enumerate(Kind, 1)]
    sample, reference, dark = taken
    made = entry(sample, dark, reference)
    for one in (dark, reference, sample):
        store.save_capture(one, made if one is sample else None, upload=False).result(10)
    expected = Measurement.from_captures(sample, dark, reference)
    assert expected.dark_variance is not None
    assert expected.dark_scans == 4
    assert same(store.measurement(made.data_id), expected)
    of_file = replace(expected, quantity=Quantity.IRRADIANCE)
    file = spectrum_file(measurement=of_file, spread=sample.spread, processed=None)
    data_id = new_id()
    store.save_file(data_id, file, b"data", "a.txt").result(10)
    assert same(store.spectrum_file(data_id), file)


def test_a_file_that_tells_nothing_is_stored_all_the_same(store: Store) -> None:
    data_id = new_id()
    measured = replace(spectrum_file().measurement, dark=None, saturated=None)
    made = spectrum_file(measurement=measured, metadata={"taken_at": "yesterday"}, processed=None, record_id="")
    store.save_file(data_id, made, b"", "").result(10)
    assert same(store.spectrum_file(data_id), made)
    shown = store.entries()[0]
    assert (shown.device_name, shown.simulated, shown.taken_at_utc) == ("", False, NOW)


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        made = stored_entry(store)
        result = processed(store, made.data_id)
    with open_store(tmp_path / "data") as store:
        assert store.entry(made.data_id) == made
        assert same(store.result(made.data_id), result)
