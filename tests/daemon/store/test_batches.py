"""Batches of records, and who goes when in a long queue."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.stores import on_sqlite, open_store, rot
from tests.support.upload_bench import START, capture

from oesd.model import Entry, new_id
from oesd.store import OutboxItem, OutboxState, Store

RUN = new_id()


def records(store: Store, number: int, run_id: str = RUN) -> list[str]:
    made = []
    for _ in range(number):
        sample, data_id = capture(run_id), new_id()
        store.save_capture(sample, Entry(data_id, sample.record_id, None, None, "", "", START), upload=True)
        store.fail_result(data_id, "not analysed in this test").result()
        made.append(data_id)
    return made


def gathered(store: Store, most: int = 10, newest_first: bool = False) -> OutboxItem:
    assert store.outbox.gather(most, newest_first=newest_first).result() > 1
    return next(item for item in store.outbox.due(START, fresh=False) if item.batch_no)


def states(store: Store, data_ids: list[str]) -> list[str]:
    found = [store.outbox.item(data_id) for data_id in data_ids]
    return [item.state.value for item in found if item is not None]


def test_records_of_one_run_make_a_batch_and_show_its_state(store: Store) -> None:
    ids = records(store, 5)
    others = records(store, 2, new_id())
    batch = gathered(store)
    assert list(store.outbox.members(batch)) == ids
    assert store.outbox.fresh_waiting(100) == 2
    assert [i.data_id for i in store.outbox.due(START)] == [batch.data_id, *others]
    store.outbox.update(replace(batch, state=OutboxState.UPLOADED, sha256="ab" * 32, attempts=2)).result()
    assert states(store, ids) == ["uploaded"] * 5
    assert store.outbox.counts() == {"uploaded": 5, "stored": 2}
    assert store.outbox.due(START, fresh=False)[0] == replace(
        batch, state=OutboxState.UPLOADED, sha256="ab" * 32, attempts=2
    )


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_batch_begins_at_either_end_and_is_never_longer_than_asked(store: Store, newest_first: bool) -> None:
    ids = records(store, 9)
    batch = gathered(store, 4, newest_first)
    assert set(store.outbox.members(batch)) == set(ids[-4:] if newest_first else ids[:4])


def test_a_record_without_company_goes_alone(store: Store) -> None:
    (one,) = records(store, 1)
    assert store.outbox.gather(10, newest_first=False).result() == 1
    assert store.outbox.fresh_waiting(10) == 0
    assert [i.data_id for i in store.outbox.due(START, fresh=False)] == [one]
    assert store.outbox.gather(10, newest_first=False).result() == 0


def test_a_damaged_header_keeps_no_other_record_waiting(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        bad, *others = records(store, 3)
    rot(tmp_path / "data", "UPDATE captures SET header = '{' WHERE capture_no = 1")
    with open_store(tmp_path / "data") as store:
        assert store.outbox.gather(10, newest_first=False).result() == 1
        assert set(store.outbox.members(gathered(store))) == set(others)
        assert store.outbox.item(bad) is not None


def test_what_was_tried_by_itself_never_joins(store: Store) -> None:
    one, *others = records(store, 3)
    item = store.outbox.item(one)
    assert item is not None
    store.outbox.update(replace(item, sha256="cd" * 32)).result()
    assert set(store.outbox.members(gathered(store))) == set(others)


def test_a_refused_batch_lets_its_records_go_one_by_one(store: Store) -> None:
    ids = records(store, 4)
    batch = gathered(store)
    store.outbox.update(replace(batch, state=OutboxState.QUARANTINED, last_error="413")).result()
    assert states(store, ids) == ["stored"] * 4
    assert [i.data_id for i in store.outbox.due(START, fresh=False)] == ids
    assert store.outbox.fresh_waiting(10) == 0


def test_a_record_that_is_poison_leaves_its_batch(store: Store) -> None:
    ids = records(store, 3)
    batch = gathered(store)
    store.outbox.expel(batch, ids[1], "cannot be rendered").result()
    store.outbox.update(replace(batch, state=OutboxState.CONFIRMED)).result()
    assert states(store, ids) == ["confirmed", "quarantined", "confirmed"]
    assert list(store.outbox.members(batch)) == [ids[0], ids[2]]


def test_a_confirmed_batch_lets_each_record_go_on_as_its_own_entry(store: Store) -> None:
    ids = records(store, 3)
    batch = replace(gathered(store), state=OutboxState.CONFIRMED)
    store.outbox.update(batch).result()
    done = replace(batch, state=OutboxState.PROCESSED, last_error="in a batch")
    store.outbox.settle(done, {ids[0]: "remote-0", ids[2]: "remote-2"}, START + timedelta(seconds=9)).result()
    assert states(store, ids) == ["confirmed", "processed", "confirmed"]
    items = [store.outbox.item(i) for i in ids]
    assert [i and (i.remote_data_id, i.last_error) for i in items] == [
        ("remote-0", ""), ("", "in a batch"), ("remote-2", "")
    ]  # fmt: skip
    assert store.outbox.due(START) == []
    assert [i.data_id for i in store.outbox.due(START + timedelta(seconds=10))] == [ids[0], ids[2]]
    assert store.outbox.next_due() == START + timedelta(seconds=9)


def test_a_retry_of_a_batch_waits_for_its_time(store: Store) -> None:
    records(store, 2)
    batch = gathered(store)
    later = START + timedelta(seconds=5)
    store.outbox.update(replace(batch, next_attempt_at_utc=later)).result()
    assert store.outbox.due(START) == []
    assert store.outbox.next_due() == later
    assert len(store.outbox.due(later)) == 1


@pytest.mark.parametrize("newest_first", [False, True])
def test_in_a_long_queue_both_ends_get_on_and_the_newest_goes_first(store: Store, newest_first: bool) -> None:
    ids = records(store, 40)
    due = [i.data_id for i in store.outbox.due(START, limit=8, newest_first=newest_first)]
    assert len(set(due)) == 8
    assert set(due[:2]) == set(ids[-2:])
    oldest = sum(i in ids[:8] for i in due)
    assert oldest == (2 if newest_first else 6)


def test_what_has_begun_gets_half_the_places(store: Store) -> None:
    ids = records(store, 30)
    for data_id in ids[:20]:
        item = store.outbox.item(data_id)
        assert item is not None
        store.outbox.update(replace(item, state=OutboxState.CONFIRMED, next_attempt_at_utc=START)).result()
    due = store.outbox.due(START, limit=8)
    assert [i.state for i in due].count(OutboxState.CONFIRMED) == 4
    assert due[0].data_id == ids[-1] or due[1].data_id == ids[-1]


@on_sqlite
def test_looking_for_what_is_due_does_not_grow_with_the_queue(store: Store) -> None:
    """A ratio: 30,000 records that wait for a poll, and as many never tried, cost what a hundred cost."""

    def look_s() -> float:
        times = []
        for _ in range(30):
            began = time.perf_counter()
            assert len(store.outbox.due(START, limit=32)) == 32
            times.append(time.perf_counter() - began)
        return sorted(times)[3]

    records(store, 100)
    few_s = look_s()

    def many(db):  # type: ignore[no-untyped-def]
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
            "INSERT INTO entries (data_id, dark_reason, reference_reason, created_at_us, taken_at_us, device_name, "
            "model, simulated) SELECT 'x' || i, '', '', 0, 0, '', '', 0 FROM n"
        )
        db.execute(
            "INSERT INTO outbox (entry_no, ready, next_attempt_us, alone) SELECT entry_no, 1, "
            "iif(entry_no % 2, 0, 4000000000000000), entry_no % 2 = 0 FROM entries WHERE data_id LIKE 'x%'"
        )

    store.write(many).result()
    assert look_s() < 4 * few_s + 0.001
