from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW, capture, entry, processed, spectrum_file, stored_entry
from tests.support.stores import open_store

from oesd.model import new_id
from oesd.store import OutboxState, Store, StoreError, UnknownEntry, UploadPart
from oesd.store.moments import from_us
from oesd.store.waiting import oldest_waiting, waited_s

SECOND = timedelta(seconds=1)


def ready(store: Store, seed: int = 0) -> str:
    data_id = stored_entry(store, seed).data_id
    processed(store, data_id)
    return data_id


def confirmed(store: Store, seed: int = 0) -> str:
    data_id = ready(store, seed)
    item = store.outbox.item(data_id)
    store.outbox.update(replace(item, state=OutboxState.PROCESSED, remote_data_id="remote")).result(10)
    return data_id


def test_an_item_is_due_when_a_result_is_there_or_will_never_be(store: Store) -> None:
    one, other = stored_entry(store, 1), stored_entry(store, 2)
    assert store.outbox.due(NOW) == []
    assert store.outbox.next_due() is None
    processed(store, other.data_id)
    store.fail_result(one.data_id, "no light").result(10)
    due = store.outbox.due(NOW)
    assert [item.data_id for item in due] == [one.data_id, other.data_id]
    assert due[0].record_id == one.sample_id
    assert due[0].state is OutboxState.STORED
    assert store.outbox.next_due() < NOW
    assert [item.data_id for item in store.outbox.due(NOW, limit=1)] == [one.data_id]


def test_no_upload_no_row(store: Store) -> None:
    data_id = stored_entry(store, upload=False).data_id
    processed(store, data_id)
    file_id = new_id()
    store.save_file(file_id, spectrum_file(), b"", "").result(10)
    assert store.outbox.due(NOW) == []
    assert store.outbox.item(data_id) is None
    assert store.outbox.counts() == {}


def test_every_field_of_an_item_is_kept_over_a_restart(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        data_id = ready(store)
        item = replace(
            store.outbox.item(data_id),
            state=OutboxState.PRESIGNED,
            attempts=3,
            next_attempt_at_utc=NOW,
            revision=1,
            file_name="x.txt",
            sha256="ab" * 32,
            size_bytes=12_345,
            remote_data_id=new_id(),
            upload_id="upload/1+2=3",
            new_filename="n.txt",
            parts=(UploadPart(1, "https://bucket/1?x=y", '"etag"'), UploadPart(2, "https://bucket/2")),
            issued_at_utc=NOW - SECOND,
            orphaned_ids=(new_id(), new_id()),
            last_error="503",
        )
        store.outbox.update(item).result(10)
    with open_store(tmp_path / "data") as store:
        assert store.outbox.item(data_id) == item
        assert store.outbox.due(NOW) == [item]


@pytest.mark.parametrize("state", OutboxState)
def test_only_final_states_are_never_due(store: Store, state: OutboxState) -> None:
    data_id = ready(store)
    store.outbox.update(replace(store.outbox.item(data_id), state=state)).result(10)
    final = state in (OutboxState.PROCESSED, OutboxState.QUARANTINED)
    assert bool(store.outbox.due(NOW)) is not final
    assert store.outbox.counts() == {state: 1}


def test_a_retry_waits_for_its_time_and_does_not_hold_up_the_next(store: Store) -> None:
    one, other = ready(store, 1), ready(store, 2)
    store.outbox.update(replace(store.outbox.item(one), next_attempt_at_utc=NOW + SECOND)).result(10)
    assert [item.data_id for item in store.outbox.due(NOW)] == [other]
    assert [item.data_id for item in store.outbox.due(NOW + SECOND)] == [one, other]
    store.outbox.update(replace(store.outbox.item(other), next_attempt_at_utc=NOW + 2 * SECOND)).result(10)
    assert store.outbox.next_due() == NOW + SECOND


def test_a_clock_that_was_years_ahead_stalls_nothing(store: Store) -> None:
    data_id = ready(store)
    item = store.outbox.item(data_id)
    store.outbox.update(replace(item, next_attempt_at_utc=NOW + timedelta(days=3650))).result(10)
    assert [found.data_id for found in store.outbox.due(NOW)] == [data_id]


def test_the_oldest_that_waits_is_told_whether_it_was_tried_or_not(store: Store) -> None:
    assert oldest_waiting(store) is None
    made = [replace(entry(capture(seed=k)), created_at_utc=NOW + timedelta(hours=k)) for k in range(4)]
    for k, one in enumerate(made):
        store.save_capture(capture(seed=k, record_id=one.sample_id), one, upload=True).result(10)
        assert oldest_waiting(store) == (NOW if k else None), "without a result nothing waits to be uploaded"
        store.fail_result(one.data_id, "no light").result(10)
    first, second, third = (store.outbox.item(one.data_id) for one in made[:3])
    assert first is not None and second is not None and third is not None
    store.outbox.update(replace(first, state=OutboxState.PROCESSED)).result(10)
    assert oldest_waiting(store) == NOW + timedelta(hours=1)
    put_off = NOW + timedelta(days=1)
    store.outbox.update(replace(second, attempts=1, next_attempt_at_utc=put_off)).result(10)
    assert oldest_waiting(store) == NOW + timedelta(hours=1)
    assert waited_s(store, NOW + timedelta(hours=3)) == 7200.0
    store.outbox.update(replace(second, state=OutboxState.QUARANTINED)).result(10)
    store.outbox.update(replace(third, state=OutboxState.PRESIGNED)).result(10)
    assert oldest_waiting(store) == NOW + timedelta(hours=2), "begun, and by itself from now on"
    assert store.outbox.next_due() == from_us(0)
    for one in made[2:]:
        item = store.outbox.item(one.data_id)
        assert item is not None
        store.outbox.update(replace(item, next_attempt_at_utc=put_off)).result(10)
    assert store.outbox.next_due() == put_off


def test_an_unknown_item_is_refused(store: Store) -> None:
    item = store.outbox.item(ready(store))
    with pytest.raises(UnknownEntry):
        store.outbox.update(replace(item, data_id=new_id())).result(10)


def test_reprocessing_does_not_start_an_upload_again(store: Store) -> None:
    data_id = confirmed(store)
    processed(store, data_id, engine_version="engine-2")
    assert store.outbox.counts() == {"processed": 1}


def test_an_override_is_sent_when_the_entry_is_processed_remotely(store: Store) -> None:
    data_id = ready(store)
    store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    assert store.outbox.patches_due(NOW) == []
    item = store.outbox.item(data_id)
    store.outbox.update(replace(item, state=OutboxState.PROCESSED, remote_data_id="remote")).result(10)
    (patch,) = store.outbox.patches_due(NOW)
    assert (patch.data_id, patch.remote_data_id, patch.candidate_key) == (data_id, "remote", "Ar_417.3")
    assert (patch.wavelength_nm, patch.state, patch.attempts) == (417.2, "pending", 0)
    later = replace(patch, attempts=1, next_attempt_at_utc=NOW + SECOND, last_error="503")
    store.outbox.update_patch(later).result(10)
    assert store.outbox.patches_due(NOW) == []
    assert store.outbox.patches_due(NOW + SECOND) == [later]
    store.outbox.update_patch(replace(later, state="sent")).result(10)
    assert store.outbox.patches_due(NOW + SECOND) == []


def test_only_the_last_word_on_a_peak_is_sent(store: Store) -> None:
    data_id = confirmed(store)
    store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    (first,) = store.outbox.patches_due(NOW)
    store.assign(data_id, "p2", "Fe_417.0", now=NOW)
    assert [patch.candidate_key for patch in store.outbox.patches_due(NOW)] == ["Fe_417.0"]
    store.outbox.update_patch(replace(first, attempts=1)).result(10)
    assert [patch.candidate_key for patch in store.outbox.patches_due(NOW)] == ["Fe_417.0"], "replaced stays replaced"


def test_an_entry_that_is_not_uploaded_has_no_patches(store: Store) -> None:
    data_id = stored_entry(store, upload=False).data_id
    processed(store, data_id)
    store.assign(data_id, "p1", "Ga_294.4", now=NOW)
    assert store.read(lambda db: db.execute("SELECT count(*) FROM patches").fetchone()) == (0,)


def test_an_unknown_patch_is_refused(store: Store) -> None:
    data_id = confirmed(store)
    store.assign(data_id, "p2", "Ar_417.3", now=NOW)
    (patch,) = store.outbox.patches_due(NOW)
    with pytest.raises(StoreError, match="no override 99"):
        store.outbox.update_patch(replace(patch, override_no=99)).result(10)
