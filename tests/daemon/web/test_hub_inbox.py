"""From bytes that arrived to entries: files of several, crashes in between, files that lie."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, HubMaker
from tests.daemon.web.uploading import download, entry, upload

from oesd.formats import write_bundle
from oesd.model import is_uuid, new_id
from oesd.store import Store
from oesd.store.hub_expiry import MARK_US
from oesd.store.tombstones import let_go
from oesd.web import Hub
from oesd.web.bucket import Bucket
from oesd.web.hub_inbox import Inbox, reading_with


def bundle(number: int, *, first: int = 0) -> tuple[bytes, dict[str, bytes]]:
    files = {new_id(): b"" for _ in range(number)}
    files = {record: spectra.file_bytes(record, seed=first + n) for n, record in enumerate(files)}
    return write_bundle([(f"{record}.txt", data) for record, data in files.items()]), files


def listed(client: httpx.Client, **query: str) -> list[str]:
    return [found["data_id"] for found in client.get("/data_entries/", params=query).json()]


def test_a_file_of_several_becomes_as_many_entries(client: httpx.Client, bucket: httpx.Client) -> None:
    batch = new_id()
    data, files = bundle(5)
    archive = upload(client, bucket, data, f"{batch}.zip")
    found = client.get("/data_entries/", params={"keywords": batch}).json()
    members = {row["record_id"]: row for row in found if row["data_id"] != archive}
    assert set(members) == set(files)
    assert all(is_uuid(row["data_id"]) for row in found)
    for record, row in members.items():
        assert row["pipeline_status"] == "success"
        assert row["raw_sha256"] == spectra.sha256(files[record])
        assert download(client, bucket, row["data_id"]) == files[record]
        assert client.get(f"/oes/{row['data_id']}").json()["detected_peaks"]
        assert listed(client, keywords=record) == [row["data_id"]]
    assert entry(client, archive)["pipeline_status"] == "success"
    assert download(client, bucket, archive) == data
    assert set(listed(client)) == {row["data_id"] for row in members.values()}


def test_the_same_spectra_in_another_batch_or_alone_are_the_entries_they_were(
    client: httpx.Client, bucket: httpx.Client, store: Store
) -> None:
    data, files = bundle(3)
    upload(client, bucket, data, f"{new_id()}.zip")
    before = set(listed(client))
    again = new_id()
    upload(client, bucket, data, f"{again}.zip")
    alone = upload(client, bucket, next(iter(files.values())))
    assert set(listed(client)) == before
    assert len(store.entries()) == 3
    assert before < set(listed(client, keywords=again))
    assert entry(client, alone)["duplicate_of"] in before


def test_what_is_no_spectrum_in_it_is_an_entry_with_its_reason(client: httpx.Client, bucket: httpx.Client) -> None:
    data = write_bundle([("a.txt", spectra.file_bytes("r")), ("b.bin", b"noise"), ("../c.txt", b"more")])
    upload(client, bucket, data, "several.zip")
    found = {row["raw_name"]: row for row in client.get("/data_entries/").json()}
    assert {name: row["pipeline_status"] for name, row in found.items()} == {
        "a.txt": "success", "b.bin": "error", "c.txt": "error"
    }  # fmt: skip
    assert download(client, bucket, found["b.bin"]["data_id"]) == b"noise"
    assert found["b.bin"]["pipeline_error"] == "b.bin is no spectrum: no header"


def test_a_damaged_archive_is_kept_as_it_came(client: httpx.Client, bucket: httpx.Client) -> None:
    data = bytearray(bundle(3)[0])
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    data[-12:] = b"oesd batch 1"
    data_id = upload(client, bucket, bytes(data), "x.zip")
    assert entry(client, data_id)["pipeline_status"] == "error"
    assert "ZIP" in entry(client, data_id)["pipeline_error"]
    assert download(client, bucket, data_id) == bytes(data)


def test_what_arrived_is_served_before_it_is_taken_in_and_taken_in_after_a_restart(
    hub_maker: HubMaker, store: Store, bucket: httpx.Client, tmp_path: Path
) -> None:
    hub = hub_maker(take=False)
    data, files = bundle(4)
    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
        archive = upload(client, bucket, data, f"{new_id()}.zip")
        single = upload(client, bucket, spectra.file_bytes("r-1"), "one.txt")
        assert entry(client, single)["pipeline_status"] == "running"
        assert download(client, bucket, archive) == data
        assert download(client, bucket, single) == spectra.file_bytes("r-1")
    hub = hub_maker()  # the parts survive the sweep of a start
    assert hub.bucket.ingest.untaken(10) == [archive, single]
    members = [(f"{record}.txt", file) for record, file in files.items()]
    inbox = Inbox(
        store, hub.bucket, read=reading_with(spectra.parse), ingested=lambda _: None,
        take_apart=lambda given: None if given.startswith(b"record") else members,
    )  # fmt: skip
    for data_id in (archive, single, archive):
        inbox.take(data_id)
    assert hub.bucket.ingest.untaken(10) == []
    assert len(store.entries()) == 5
    assert list((tmp_path / "hub" / "staged").iterdir()) == []


class Dying(Exception):
    """The process ends here."""


class Failing:
    """A store whose process is killed after so many writes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.left = 1000

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return self._counted(found) if name in ("write", "save_file", "save_result", "fail_result") else found

    def _counted(self, do: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Dying
            return do(*given, **named)

        return counted


@pytest.mark.parametrize("writes", range(1, 8))
def test_a_crash_between_any_two_writes_makes_nothing_twice_and_loses_nothing(
    hub_maker: HubMaker, store: Store, bucket: httpx.Client, tmp_path: Path, writes: int
) -> None:
    """The store takes so many more writes, then none; the next process takes the same upload in again."""
    hub = hub_maker(take=False)
    data, files = bundle(3)

    def inbox(one: Any, where: Bucket) -> Inbox:
        def take_apart(_: bytes) -> list[tuple[str, bytes]]:
            return [(f"{record}.txt", file) for record, file in files.items()]

        return Inbox(one, where, read=reading_with(spectra.parse), ingested=lambda _: None, take_apart=take_apart)

    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}) as client:
        archive = upload(client, bucket, data, f"{new_id()}.zip")
        failing: Any = Failing(store)
        dying = inbox(failing, Bucket(failing, tmp_path / "hub"))
        failing.left = writes
        with suppress(Dying):
            dying.take(archive)
        assert (hub.bucket.ingest.untaken(10) == []) == (failing.left >= 0)
        inbox(store, hub.bucket).take(archive)
        assert hub.bucket.ingest.untaken(10) == []
        assert len(store.entries()) == len(listed(client)) == 3
        for row in client.get("/data_entries/").json():
            assert download(client, bucket, row["data_id"]) == files[row["record_id"]]


def test_what_is_kept_no_longer_says_so_and_can_come_again(
    client: httpx.Client, bucket: httpx.Client, hub: Hub, store: Store, tmp_path: Path
) -> None:
    data, files = bundle(2)
    archive = upload(client, bucket, data, f"{new_id()}.zip")
    before = listed(client)
    numbers = store.read(lambda db: [row[0] for row in db.execute("SELECT entry_no FROM entries")])
    hub.bucket.drop_emptied()
    assert download(client, bucket, archive) == data
    store.write(lambda db: let_go(db, numbers, "expired", datetime.now(UTC))).result()
    found = entry(client, before[0])
    assert (found["pipeline_status"], found["pipeline_error"]) == ("error", "kept no longer: its time was over")
    hub.bucket.drop_emptied()
    assert list((tmp_path / "hub" / "files").iterdir()) == []
    assert entry(client, archive)["pipeline_status"] == "success"
    again = upload(client, bucket, next(iter(files.values())))
    assert entry(client, again)["duplicate_of"] is None
    assert download(client, bucket, again) == next(iter(files.values()))


def test_what_is_no_entry_goes_in_its_time_and_a_row_after_twice_that(
    client: httpx.Client, bucket: httpx.Client, hub: Hub, store: Store, tmp_path: Path
) -> None:
    keep_us = 3 * MARK_US

    def live(marks: int) -> None:
        for _ in range(marks):
            store.write(
                lambda db: db.execute("INSERT INTO ages SELECT coalesce(max(mark), 0) + 1, 0 FROM ages")
            ).result()
        hub.bucket.drop_expired(keep_us)

    live(1)
    data, _ = bundle(2)
    archive, odd = upload(client, bucket, data, f"{new_id()}.zip"), upload(client, bucket, b"no spectrum", "odd.txt")
    members = listed(client)
    begun = client.post("/data_entries/raw_data/staged/upload_urls/", params={"num_parts": 1, "original_filename": "x"})
    assert begun.status_code < 300
    assert rows(store) == 5
    live(2)
    assert download(client, bucket, odd) == b"no spectrum"
    hub.bucket.drop_expired(0)
    assert rows(store) == 5
    live(1)
    assert rows(store) == 3, "what cannot be read, and what was never finished"
    assert client.get("/data_entries/", params={"data_ids": odd}).json() == []
    assert [path.name for path in (tmp_path / "hub" / "files").iterdir()] == [archive]
    live(5)
    assert rows(store) == 3, "its entries are kept"
    numbers = store.read(lambda db: [row[0] for row in db.execute("SELECT entry_no FROM entries")])
    store.write(lambda db: let_go(db, numbers[:1], "expired", datetime.now(UTC))).result()
    live(1)
    assert rows(store) == 2, "of several, while one is kept"
    (kept,) = listed(client)
    assert kept in members
    store.write(lambda db: let_go(db, numbers[1:], "expired", datetime.now(UTC))).result()
    hub.bucket.drop_emptied()
    live(0)
    assert rows(store) == 0
    assert list((tmp_path / "hub" / "files").iterdir()) == []
    assert list((tmp_path / "hub" / "staged").iterdir()) == []


def rows(store: Store) -> int:
    return store.read(lambda db: db.execute("SELECT count(*) FROM hub_upload").fetchone()[0])
