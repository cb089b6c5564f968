from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, Future
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from tests.daemon.store.making import analysis, capture, entry, loss, stored_entry
from tests.support.stores import on_sqlite, open_store

from oesd.model import Kind, new_id
from oesd.store import Store, StoreBusy, StoreClosed, StoreError, StoreFull, StoreRefused
from oesd.store.writer import QUEUE_LIMIT, Writer


class Held:
    """The writer thread, held in a task until released: what is queued meanwhile becomes one group."""

    def __init__(self, store: Store) -> None:
        self._go, self._held = threading.Event(), threading.Event()
        self._task = store.write(self._hold)
        assert self._held.wait(10)

    def _hold(self, _: sqlite3.Connection) -> None:
        self._held.set()
        assert self._go.wait(10)

    def release(self) -> None:
        self._go.set()
        self._task.result(10)


def ledger_rows(store: Store) -> int:
    return store.read(lambda db: db.execute("SELECT count(*) FROM losses").fetchone()[0])


def test_a_group_is_one_transaction(store: Store) -> None:
    held = Held(store)
    depths: list[int] = []
    seen: list[Future[None]] = [
        store.write(lambda db: depths.append(db.execute("SELECT count(*) FROM losses").fetchone()[0])) for _ in range(2)
    ]
    seen.insert(1, store.record_loss(loss()))
    done = threading.Event()
    visible: list[int] = []
    # The first future resolves only when all of the group is durable.
    seen[0].add_done_callback(lambda _: (visible.append(ledger_rows(store)), done.set()))
    held.release()
    assert done.wait(10)
    assert visible == [1]
    assert store.waiting == 0


def test_a_failing_task_fails_alone(store: Store) -> None:
    held = Held(store)
    good = store.record_loss(loss(slots=1))
    half = store.write(lambda db: (db.execute("DELETE FROM ledger"), 1 / 0))
    broken = store.write(lambda db: db.execute("INSERT INTO losses DEFAULT VALUES"))
    nonsense = store.write(lambda db: db.execute("SELEC"))
    after = store.record_loss(loss(slots=2))
    held.release()
    good.result(10), after.result(10)
    with pytest.raises(ZeroDivisionError):
        half.result(10)
    with pytest.raises(StoreRefused):
        broken.result(10)
    with pytest.raises(StoreError, match="syntax error"):
        nonsense.result(10)
    assert store.tally().lost == {"overrun": 3}


def test_a_task_that_ends_the_transaction_fails_and_the_writer_goes_on(store: Store) -> None:
    with pytest.raises(StoreError):
        store.write(lambda db: db.execute("COMMIT")).result(10)

    def rolls_back_and_fails(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")
        raise KeyError("x")

    with pytest.raises(StoreError, match="'x'"):
        store.write(rolls_back_and_fails).result(10)
    store.record_loss(loss()).result(10)
    assert store.tally().captured == 1


@on_sqlite
def test_a_commit_that_fails_fails_its_whole_group(store: Store) -> None:
    """A deferred foreign key makes SQLite refuse the commit itself."""
    held = Held(store)
    innocent = store.record_loss(loss())

    def breaks_the_commit(db: sqlite3.Connection) -> None:
        db.execute("PRAGMA defer_foreign_keys = ON")
        db.execute("INSERT INTO processing (entry_no, state) VALUES (99, 'waiting')")

    guilty = store.write(breaks_the_commit)
    held._go.set()
    for future in (innocent, guilty):
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            future.result(10)
    assert store.tally().captured == 0
    store.record_loss(loss()).result(10)
    assert store.tally().captured == 1


@on_sqlite
def test_a_full_disk_is_said_and_got_over(store: Store) -> None:
    """SQLite's own page limit: the same error code as a full disk, at a moment of our choosing."""
    kept = [stored_entry(store, seed) for seed in range(3)]
    pages = store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    store.write(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()).result(10)
    failed: list[str] = []
    for seed in range(20):
        made = capture(seed=100 + seed)
        try:
            store.save_capture(made, entry(made), upload=True).result(10)
        except StoreFull as error:
            assert "full" in str(error)
            failed.append(made.record_id)
    assert failed
    assert store.tally().stored == 3 + 20 - len(failed)
    assert all(store.capture(record_id) is None for record_id in failed)
    assert all(store.measurement(made.data_id) is not None for made in kept)
    store.write(lambda db: db.execute("PRAGMA max_page_count = 1000000").fetchone()).result(10)
    stored_entry(store, 4)


LIMITED = """
import resource, sys
from pathlib import Path
from typing import Any
from oesd.store import Store, StoreError
from tests.daemon.store.making import capture, entry

store = Store.open(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (900_000, resource.RLIM_INFINITY))
kept, failed = [], []
while len(failed) < 20:
    made = capture(seed=len(kept))
    try:
        store.save_capture(made, entry(made), upload=True).result(10)
        kept.append(made.record_id)
    except StoreError as error:
        assert "write to the store" in str(error), error
        failed.append(made.record_id)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
made = capture(seed=5000)
store.save_capture(made, entry(made), upload=True).result(10)
kept.append(made.record_id)
assert all(store.capture(i) is not None for i in kept)
assert not any(store.capture(i) is not None for i in failed)
print(*kept)
if sys.argv[2] == "close":
    store.close()
else:
    import os
    os._exit(9)
"""


@on_sqlite
@pytest.mark.parametrize("ending", ["close", "crash"])
def test_the_kernel_refusing_to_write_loses_nothing_acknowledged(tmp_path: Path, ending: str) -> None:
    """RLIMIT_FSIZE makes the kernel refuse writes to log and file alike, as a full or broken disk does."""
    run = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "data"), ending], capture_output=True, text=True, timeout=60
    )
    assert run.stderr == ""
    kept = run.stdout.split()
    assert len(kept) > 3
    with open_store(tmp_path / "data") as store:
        assert all(store.capture(record_id) is not None for record_id in kept)
        assert store.tally().stored == len(kept)


def test_a_full_queue_refuses_by_name(store: Store) -> None:
    held = Held(store)
    queued = [store.record_loss(loss()) for _ in range(QUEUE_LIMIT)]
    assert store.waiting == QUEUE_LIMIT
    refused = store.save_capture(capture(), None, upload=False)
    with pytest.raises(StoreBusy, match=str(QUEUE_LIMIT)):
        refused.result(0)
    held.release()
    for future in queued:
        future.result(30)
    assert store.tally().captured == QUEUE_LIMIT


def test_closing_writes_what_is_queued_and_refuses_what_comes_after(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data")
    held = Held(store)
    queued = [store.record_loss(loss()) for _ in range(50)]
    closing = threading.Thread(target=store.close)
    closing.start()
    held.release()
    closing.join(10)
    assert all(future.result(0) is None for future in queued)
    with pytest.raises(StoreClosed):
        store.record_loss(loss()).result(0)
    with pytest.raises(StoreClosed):
        store.tally()
    with open_store(tmp_path / "data") as again:
        assert again.tally().captured == 50


def test_a_cancelled_write_is_not_written(store: Store) -> None:
    held = Held(store)
    cancelled, kept = store.record_loss(loss(slots=5)), store.record_loss(loss(slots=1))
    assert cancelled.cancel()
    held.release()
    kept.result(10)
    with pytest.raises(CancelledError):
        cancelled.result(0)
    assert store.tally().captured == 1


def test_only_cancelled_writes_do_not_end_the_writer(store: Store) -> None:
    held = Held(store)
    assert store.record_loss(loss()).cancel()
    held.release()
    store.record_loss(loss()).result(10)


def test_readers_see_whole_commits_while_the_writer_writes(store: Store) -> None:
    """Each entry comes with its capture, its processing row and its place in the outbox, or not at all."""
    stop, errors, reads = threading.Event(), [], []

    def watch() -> None:
        while not stop.is_set():
            tally = store.tally()
            whole = (tally.stored, tally.stored) == (tally.pending, tally.waiting + tally.processed)
            listed = store.entries(5)
            if not whole or any(store.entry(e.data_id) is None for e in listed):
                errors.append(tally)
            reads.append(1)

    threads = [threading.Thread(target=watch) for _ in range(4)]
    for thread in threads:
        thread.start()
    dark = capture(Kind.DARK, 1)
    store.save_capture(dark, None, upload=False).result(10)
    for seed in range(60):
        sample = capture(seed=seed)
        of = entry(sample, dark)
        store.save_capture(sample, of, upload=True).result(10)
        if seed % 3 == 0:
            store.save_result(of.data_id, analysis(store.measurement(of.data_id)), {}).result(10)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert errors == []
    assert len(reads) > 20


def test_many_threads_write_at_once(store: Store) -> None:
    def work(seed: int) -> None:
        for k in range(10):
            made = capture(seed=100 * seed + k)
            store.save_capture(made, entry(made), upload=True).result(10)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert store.tally().stored == 60


def test_a_read_inside_a_read_and_after_an_error(store: Store) -> None:
    made = stored_entry(store)
    assert store.read(lambda _: store.latest_entry()) == made.data_id
    for _ in range(20):
        with pytest.raises(StoreError, match="nowhere"):
            store.read(lambda db: db.execute("SELECT * FROM nowhere"))
    assert store.latest_entry() == made.data_id


def test_a_read_that_outlives_the_store_ends_in_peace(tmp_path: Path) -> None:
    store = open_store(tmp_path / "data")
    inside, go = threading.Event(), threading.Event()
    got: list[object] = []

    def slow(db: sqlite3.Connection) -> None:
        inside.set()
        assert go.wait(10)
        got.append(db.execute("SELECT count(*) FROM captures").fetchone()[0])

    reader = threading.Thread(target=lambda: store.read(slow))
    reader.start()
    assert inside.wait(10)
    store.close()
    go.set()
    reader.join(10)
    assert got == [0]


def test_many_readers_at_once_leave_few_connections(store: Store) -> None:
    together = threading.Barrier(20)
    threads = [threading.Thread(target=lambda: store.read(lambda _: together.wait(10))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 1 <= len(store._readers._idle) <= 8


def test_an_unknown_id_reads_as_nothing(store: Store) -> None:
    assert store.capture(new_id()) is None
    assert store.outbox.item(new_id()) is None
    assert store.overrides(new_id()) == []


def test_a_write_that_fails_at_once_is_told_by_its_future_alone() -> None:
    connections = [sqlite3.connect(":memory:", check_same_thread=False)]

    def connect() -> Any:
        if connections:
            return connections.pop()
        raise StoreError("the server went away")

    def slowly(frame: FrameType, _event: str, _: object) -> Any:
        """The writer is done with a write before the call that hands it over returns."""
        if frame.f_code is Writer.submit.__code__:
            time.sleep(0.005)
        return slowly

    writer, before = Writer(connect), sys.gettrace()
    writer.submit(lambda db: db.close()).exception(10)
    sys.settrace(slowly)
    try:
        told = [writer.submit(lambda _db: None) for _ in range(5)]
    finally:
        sys.settrace(before)
    assert {type(future.exception(10)) for future in told} == {StoreError}
    writer.close()
