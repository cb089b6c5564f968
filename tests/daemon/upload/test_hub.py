"""End to end: the real store on one side, the real hub with a store and the engine on the other."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest
from tests.support.upload_bench import START, analysis, capture

from oesd.engine.analyze import analyze_measurement
from oesd.formats import is_bundle, read_bundle, read_spectrum, upload_name, write_columns
from oesd.model import Entry, Recipe, new_id
from oesd.store import OutboxState as S
from oesd.store import Store
from oesd.upload import ApiKey, Forwarder, OesApi, Pace, RenderedFile
from oesd.web.hub import Hub
from oesd.web.hub_inbox import Inbox, reading_with

KEY = "hub-key-0123456789"


class Site:
    """A hub whose engine runs in a thread of its own, as in the daemon."""

    def __init__(self, directory: Path) -> None:
        self.store = Store.open(directory / "hub")
        self._ingested: SimpleQueue[str | None] = SimpleQueue()
        self.hub = Hub(self.store, directory / "hub", key=KEY, arrived=lambda data_id: self._inbox.take(data_id))
        self._inbox = Inbox(
            self.store, self.hub.bucket, read=reading_with(read_spectrum), ingested=self._ingested.put,
            take_apart=lambda data: read_bundle(data) if is_bundle(data) else None,
        )  # fmt: skip
        self._engine = threading.Thread(target=self._analyse)
        self._engine.start()
        self.hub.start()

    def _analyse(self) -> None:
        while (data_id := self._ingested.get()) is not None:
            measurement = self.store.measurement(data_id)
            assert measurement is not None
            self.store.save_result(data_id, analyze_measurement(measurement, Recipe()), {}).result()

    def close(self) -> None:
        self.hub.stop()
        self._ingested.put(None)
        self._engine.join()
        self.store.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "daemon") as made:
        yield made


def render_with(store: Store):  # type: ignore[no-untyped-def]
    def render(data_id: str) -> RenderedFile:
        entry = store.entry(data_id)
        sample = store.capture(entry.sample_id) if entry else None
        if entry is None or sample is None:
            raise LookupError(data_id)
        data = write_columns(entry, sample, None, None, store.result(data_id))
        return RenderedFile(upload_name(sample, "columns"), data, hashlib.sha256(data).hexdigest(), None)

    return render


def records(store: Store, number: int, run_id: str = "") -> dict[str, str]:
    """Store samples with results; data ids by record id."""
    made = {}
    for _ in range(number):
        sample, data_id = capture(run_id), new_id()
        entry = Entry(data_id, sample.record_id, None, None, "none", "none", START)
        store.save_capture(sample, entry, upload=True).result()
        store.save_result(data_id, analysis((410.5, ("Ga_410.5", "Mn_410.4"))), {}).result()
        made[sample.record_id] = data_id
    return made


@pytest.mark.parametrize("workers", [1, 4])
def test_everything_stored_here_is_confirmed_there(site: Site, store: Store, workers: int) -> None:
    known = records(store, 40)
    stop = threading.Event()
    with OesApi(site.hub.url, ApiKey(KEY)) as api:
        forwarder = Forwarder(store, api, render_with(store), pace=Pace(workers=workers, poll_s=0.1))
        thread = threading.Thread(target=forwarder.run, args=(stop,))
        started = time.monotonic()
        thread.start()
        _wait(lambda: sum(store.outbox.counts().get(s, 0) for s in ("confirmed", "processed")) == len(known), 30)
        confirmed_s = time.monotonic() - started
        _wait(lambda: store.outbox.counts() == {"processed": len(known)}, 30)
        stop.set()
        forwarder.wake()
        thread.join(10)
        print(f"\n{workers} workers: {len(known) / confirmed_s:.0f} records/s to confirmed")
        for record_id, data_id in known.items():
            (remote,) = [e for e in api.find_entries(keywords=record_id) if e.mentions(record_id)]
            item = store.outbox.item(data_id)
            assert item is not None
            assert item.remote_data_id == remote.data_id
            assert item.orphaned_ids == ()
            assert api.download_raw(remote.data_id, 10**6) == render_with(store)(data_id).data
    assert forwarder.state()["state"] == "ok"
    assert confirmed_s < len(known) / 2  # far below what it does, far above what a stall would leave


def test_batches_arrive_as_entries_each_with_its_own_result(site: Site, store: Store) -> None:
    known = records(store, 25, new_id())
    now = START + timedelta(days=1)
    with OesApi(site.hub.url, ApiKey(KEY)) as api:
        pace = Pace(workers=2, batch=10, poll_s=0.0)
        forwarder = Forwarder(store, api, render_with(store), pace=pace)
        deadline = time.monotonic() + 60
        while store.outbox.counts() != {"processed": len(known)}:
            assert time.monotonic() < deadline, store.outbox.counts()
            forwarder.step(now)
            now += timedelta(seconds=20)
            time.sleep(0.02)
        uploads = site.store.read(lambda db: db.execute("SELECT count(*) FROM hub_upload WHERE parts > 0").fetchone())
        assert uploads == (3,)
        remote_ids = set()
        for record_id, data_id in known.items():
            item = store.outbox.item(data_id)
            assert item is not None
            remote_ids.add(item.remote_data_id)
            assert [e.data_id for e in api.find_entries(keywords=record_id)] == [item.remote_data_id]
            assert api.download_raw(item.remote_data_id, 10**6) == render_with(store)(data_id).data
            assert store.remote.load(data_id) is not None
        assert len(remote_ids) == len(known)


def test_an_override_made_here_is_asked_of_the_hub_and_settled(site: Site, store: Store) -> None:
    ((_, data_id),) = records(store, 1).items()
    now = START + timedelta(days=1)
    with OesApi(site.hub.url, ApiKey(KEY)) as api:
        forwarder = Forwarder(store, api, render_with(store), pace=Pace(workers=1, poll_s=0.0))
        item = store.outbox.item(data_id)
        for _ in range(100):
            forwarder.step(now)
            now += timedelta(seconds=30)
            item = store.outbox.item(data_id)
            if item is not None and item.state is S.PROCESSED:
                break
            time.sleep(0.02)
        assert item is not None
        assert item.state is S.PROCESSED
        store.assign(data_id, "p1", "Ga_410.5", now=now)
        assert forwarder.step(now) == 1
        assert forwarder.step(now) == 0
        # A ramp has no peaks: the hub's engine found none to assign, and the override says so.
        assert store.read(lambda db: db.execute("SELECT state FROM patches").fetchall()) == [("refused",)]


def test_a_wrong_key_is_blocked_by_the_hub(site: Site, store: Store) -> None:
    known = records(store, 2)
    with OesApi(site.hub.url, ApiKey("another-key-9876")) as api:
        forwarder = Forwarder(store, api, render_with(store))
        forwarder.step(START + timedelta(days=1))
        assert forwarder.state()["state"] == "credential blocked"
        assert store.outbox.counts() == {"stored": len(known)}


def test_the_hubs_clock_is_ours(site: Site) -> None:
    with OesApi(site.hub.url, ApiKey(KEY)) as api:
        assert abs(api.gateway_time().offset_ms) < 1000


def _wait(holds, seconds: float) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
