"""The hub as a program: its workers, its configuration, and kill -9 at any moment."""

from __future__ import annotations

import hashlib
import random
import signal
import threading
import time
from itertools import cycle, islice
from pathlib import Path

import pytest
from tests.support.daemons import until
from tests.support.hub_load import Batch, HubProcess, Told, batches, two_free_ports, upload

KILLS = 2


@pytest.fixture(scope="module")
def some() -> list[Batch]:
    return list(islice(batches(2), 13))


def missing(hub: HubProcess, records: set[str]) -> set[str]:
    """Records without an entry that has a result."""
    with hub.api() as api:
        return {r for r in records if not any(e.pipeline_status == "success" for e in api.find_entries(keywords=r))}


def test_a_batch_is_read_and_analysed_by_worker_processes(tmp_path: Path, some: list[Batch]) -> None:
    config = tmp_path / "hub.toml"
    config.write_text(f'data_dir = "{tmp_path / "there"}"\n[hub]\nworkers = 2\n')
    port = two_free_ports()
    told = Told()
    with HubProcess(tmp_path / "there", port, "--config", str(config)) as hub:
        hub.wait()
        with hub.api() as api:
            assert upload(api, some[0], told)
            until(lambda: not missing(hub, told.records))
            (entry,) = api.find_entries(keywords=some[0].records[0])
            document = api.get_oes(entry.data_id)
            assert document is not None
            assert document["data_id"] == entry.data_id
            assert document["spectral_metadata"]["record_id"] == some[0].records[0]
        assert hub.end(signal.SIGTERM) == 0
    assert "Traceback" not in hub.log()


class Senders:
    """Threads that upload whatever happens, each its own part of the batches, again and again."""

    def __init__(self, some: list[Batch], told: Told) -> None:
        self._stop = threading.Event()
        self._told = told
        self._parts = [some[n::3] for n in range(3)]
        self.hub: HubProcess | None = None

    def __enter__(self) -> Senders:
        self._threads = [threading.Thread(target=self._send, args=(part,)) for part in self._parts]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self, part: list[Batch]) -> None:
        queue = cycle(part)
        while not self._stop.is_set():
            assert self.hub is not None
            with self.hub.api() as api:
                while not self._stop.wait(0.2) and upload(api, next(queue), self._told):
                    pass


def test_a_kill_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path, some: list[Batch]) -> None:
    port, told, chance = two_free_ports(), Told(), random.Random(5)
    config = tmp_path / "hub.toml"
    config.write_text("[hub]\nworkers = 1\n")
    words = ("--config", str(config))
    hub = HubProcess(tmp_path / "hub", port, *words)
    hub.wait()
    senders = Senders(some[1:], told)
    senders.hub = hub
    with senders:
        for _ in range(KILLS):
            before = len(told.files)
            until(lambda before=before: len(told.files) > before)
            time.sleep(chance.uniform(0.0, 0.3))
            hub.end(signal.SIGKILL)
            hub.__exit__()
            hub = HubProcess(tmp_path / "hub", port, *words)
            hub.wait()
            senders.hub = hub
    with hub:
        until(lambda: not missing(hub, told.records))
        with hub.api() as api:
            for data_id, sha256 in told.files.items():
                assert hashlib.sha256(api.download_raw(data_id, 10**7) or b"").hexdigest() == sha256
            for record in told.records:
                assert len(api.find_entries(keywords=record)) == 1, "a record that was sent twice is one entry"
    assert len(told.files) >= KILLS
