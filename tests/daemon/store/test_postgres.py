"""What only PostgreSQL can do to a store: servers that go, lines that break, settings that lie, passwords in URLs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.daemon.store.making import NOW, analysis, capture, entry, loss, same, stored_entry
from tests.support.postgres import Cluster
from tests.support.stores import on_postgres

from oesd.store import Store, StoreDamaged, StoreError, StoreFull, StoreInUse, StoreRefused
from oesd.store.backup import back_up
from oesd.store.inspection import Inspection
from oesd.store.onlooker import Onlooker
from oesd.store.postgres.address import Address
from oesd.store.postgres.faults import from_postgres
from oesd.store.postgres.session import Sessions

pytestmark = on_postgres
SECOND_S = 1.0
FOREIGN = "canary%2Fsecret"


@pytest.fixture
def url(server: Cluster, request: pytest.FixtureRequest) -> str:
    return server.create(f"t{abs(hash(request.node.nodeid)):x}", "prepared")


@pytest.fixture
def store(tmp_path: Path, url: str) -> Any:
    with Store.open(tmp_path / "data", url, clock=lambda: NOW) as opened:
        yield opened


def run(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as session:
        cursor = session.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


# -- one store for each database -------------------------------------------------------------------------------------


def test_a_second_store_is_refused_within_a_second_and_told_who_has_it(tmp_path: Path, store: Store, url: str) -> None:
    began = time.thread_time(), time.monotonic()
    with pytest.raises(StoreInUse, match=f"is in use by oesd .*:{os.getpid()}"):
        Store.open(tmp_path / "other", url)
    assert time.monotonic() - began[1] < SECOND_S + 4 * (time.thread_time() - began[0]) + 1.0
    stored_entry(store, 1)


def test_a_directory_has_one_place_for_its_tables(tmp_path: Path, url: str, server: Cluster) -> None:
    with Store.open(tmp_path / "file", "") as store:
        stored_entry(store, 1)
    with pytest.raises(StoreError, match=r"has data in oesd\.sqlite, which postgresql://.* does not know"):
        Store.open(tmp_path / "file", url)
    with Store.open(tmp_path / "data", url) as store:
        made = stored_entry(store, 1)
    with pytest.raises(StoreError, match=r"are in postgresql://.*: set"):
        Store.open(tmp_path / "data", "")
    with pytest.raises(StoreError, match=r"are in postgresql://.*: set"):
        Store.open(tmp_path / "data", server.create("elsewhere", "prepared"))
    with Store.open(tmp_path / "data") as store, Onlooker(tmp_path / "data") as beside:
        assert store.entry(made.data_id) == beside.entry(made.data_id), "whoever is given the directory finds them"
    assert (tmp_path / "data" / "oesd.url").stat().st_mode & 0o777 == 0o600


def test_who_lost_its_session_writes_no_more_when_another_has_the_lock(tmp_path: Path, store: Store, url: str) -> None:
    stored_entry(store, 1)
    with closing(psycopg.connect(url, autocommit=True)) as other:
        (pid,) = other.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted").fetchone() or ()
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        other.execute("SELECT pg_advisory_lock(%s)", (0x6F657364,))
        with pytest.raises(StoreInUse, match="is in use by"):
            store.record_loss(loss()).result(20)
    store.record_loss(loss()).result(20)
    assert store.tally().lost == {"overrun": loss().slots}


def test_a_session_of_our_own_that_the_server_has_not_seen_go_is_ended(url: str) -> None:
    sessions = Sessions(Address(url))
    with closing(sessions.open_writer()) as cut, closing(sessions.open_writer()) as after:
        assert after.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError):
            cut.execute("SELECT 1")
        with pytest.raises(StoreInUse):
            Sessions(Address(url)).open_writer()


# -- what a server may not do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_does_not_sync_is_refused_by_name(tmp_path: Path, url: str, setting: str) -> None:
    run(url, f"ALTER SYSTEM SET {setting} = off")
    try:
        run(url, "SELECT pg_reload_conf()")
        _until(lambda: run(url, f"SHOW {setting}") == [("off",)])
        with pytest.raises(StoreError, match=f"{setting} = off: it would lose what it acknowledged; it must be on"):
            Store.open(tmp_path / "data", url)
    finally:
        run(url, f"ALTER SYSTEM RESET {setting}")
        run(url, "SELECT pg_reload_conf()")
        _until(lambda: run(url, f"SHOW {setting}") == [("on",)])


def test_every_commit_is_synced_whatever_the_role_was_set_to(tmp_path: Path, url: str) -> None:
    run(url, "ALTER ROLE oesd SET synchronous_commit = off")
    try:
        with Store.open(tmp_path / "data", url) as store:
            asked = store.write(lambda db: db.execute("SHOW synchronous_commit").fetchone())
            assert asked.result(10) == ("on",)
    finally:
        run(url, "ALTER ROLE oesd RESET synchronous_commit")


def test_a_reader_cannot_write_and_sees_one_state(store: Store) -> None:
    with pytest.raises(StoreError, match="read-only"):
        store.read(lambda db: db.execute("DELETE FROM trace_tail"))

    def twice(db: Any) -> list[int]:
        before = db.execute("SELECT count(*) FROM losses").fetchone()[0]
        store.record_loss(loss()).result(10)
        return [before, db.execute("SELECT count(*) FROM losses").fetchone()[0]]

    assert store.read(twice) == [0, 0]


# -- a server that goes ----------------------------------------------------------------------------------------------


def test_a_server_that_is_killed_loses_nothing_acknowledged_and_the_store_goes_on(
    tmp_path: Path, server: Cluster, store: Store
) -> None:
    kept, failed = [], []
    stop = threading.Event()

    def save() -> None:
        seed = 0
        while not stop.is_set():
            seed += 1
            made = capture(seed=seed)
            future = store.save_capture(made, entry(made), upload=True)
            try:
                future.result(60)
                kept.append(made)
            except StoreError as error:
                failed.append(str(error))
                stop.wait(0.02)

    saver = threading.Thread(target=save)
    saver.start()
    try:
        for ending in ("immediate", "fast", "immediate"):
            before = len(kept)
            _until(lambda before=before: len(kept) > before + 3)
            server.stop(ending)
            told = len(failed)
            _until(lambda told=told: len(failed) > told)
            server.start()
        before = len(kept)
        _until(lambda before=before: len(kept) > before + 3)
    finally:
        stop.set()
        saver.join()
    assert any("the database server went away or cannot be reached" in text for text in failed)
    assert all("\n" not in text for text in failed)
    assert all(same(store.capture(made.record_id), made) for made in kept)
    assert store.tally().stored >= len(kept)
    assert inspected(tmp_path / "data") == []


def test_every_future_of_a_group_is_told_and_the_next_group_is_tried(store: Store, url: str) -> None:
    inside, go = threading.Event(), threading.Event()

    def hold(db: Any) -> int:
        (pid,) = db.execute("SELECT pg_backend_pid()").fetchone()
        inside.set()
        go.wait(20)
        return int(pid)

    first = store.write(hold)
    inside.wait(20)

    def end_session(db: Any) -> None:
        db.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    group: list[Future[Any]] = [store.record_loss(loss()), store.write(end_session), store.record_loss(loss())]
    go.set()
    first.result(20)
    for future in group:
        with pytest.raises(StoreError, match="went away"):
            future.result(20)
    store.record_loss(loss(slots=5)).result(20)
    assert sum(store.tally().lost.values()) == 5


def test_readers_outlive_their_server(server: Cluster, store: Store) -> None:
    made = stored_entry(store, 1)
    server.stop()
    server.start()
    assert store.entry(made.data_id) is not None, "idle sessions that died are opened anew"
    server.stop()
    try:
        with pytest.raises(StoreError, match="cannot be reached"):
            store.tally()
    finally:
        server.start()
    assert store.tally().stored == 1


class Interrupted(Exception):
    pass


def test_a_read_that_is_interrupted_leaves_no_broken_session_behind(store: Store) -> None:
    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    later = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    later.start()
    try:
        with pytest.raises(Interrupted):
            store.read(lambda db: db.execute("SELECT pg_sleep(60)"))
    finally:
        later.join()
        signal.signal(signal.SIGUSR1, before)
    assert store.tally().stored == 0


_WRITER = """
import sys
from pathlib import Path
from oesd.store import Store
from tests.daemon.store.making import capture, entry

store = Store.open(Path(sys.argv[1]), sys.argv[2])
for seed in range(10**6):
    made = capture(seed=seed)
    store.save_capture(made, entry(made), upload=True).result()
    print(made.record_id, flush=True)
"""


def test_kill_9_of_the_writer_loses_nothing_acknowledged_and_leaves_no_lock(tmp_path: Path, url: str) -> None:
    kept: list[str] = []
    for _ in range(3):
        command = [sys.executable, "-c", _WRITER, str(tmp_path / "data"), url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(4)]
            writer.send_signal(signal.SIGKILL)
            kept += [line.strip() for line in [*lines, *writer.stdout] if line.endswith("\n")]
        with Store.open(tmp_path / "data", url) as store:
            assert all(store.capture(record_id) is not None for record_id in kept)
    assert inspected(tmp_path / "data") == []


# -- errors by name --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("53100", StoreFull, "the database server's disk is full: free some there"),
        ("XX001", StoreDamaged, "the server's log says more"),
        ("25006", StoreError, "must name the primary"),
        ("42501", StoreError, "must belong to the user"),
    ],
)
def test_what_the_server_says_is_told_by_name(store: Store, state: str, kind: type[StoreError], words: str) -> None:
    raise_it = f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$"
    with pytest.raises(kind, match=words) as told:
        store.write(lambda db: db.execute(raise_it)).result(10)
    assert "so it is" in str(told.value)
    assert "\n" not in str(told.value)
    stored_entry(store, 1)


@pytest.mark.parametrize("table", ["captures", "entries", "files", "losses", "tombstones", "runs", "watch_events"])
def test_raw_data_cannot_be_emptied(store: Store, table: str) -> None:
    with pytest.raises(StoreRefused, match="never"):
        store.write(lambda db: db.execute(f"TRUNCATE {table} CASCADE")).result(10)


def test_a_task_that_swallows_an_error_is_not_taken_for_stored(store: Store) -> None:
    def swallows(db: Any) -> None:
        try:
            db.execute("SELECT 1 / 0")
        except StoreError:
            return

    with pytest.raises(StoreError):
        store.write(swallows).result(10)
    stored_entry(store, 1)


def test_a_server_that_refuses_is_told_from_one_that_does_not_answer(tmp_path: Path, server: Cluster) -> None:
    with pytest.raises(StoreError, match=r'server refuses: .*database "nowhere" does not exist'):
        Store.open(tmp_path / "data", server.url("nowhere"))
    with pytest.raises(StoreError, match=r"cannot be reached: .*port 1 "):
        Store.open(tmp_path / "data", "postgresql://oesd@127.0.0.1:1/oesd")
    told = from_postgres(psycopg.OperationalError("fe_sendauth: no password supplied"), str)
    assert str(told).endswith("?passfile= in the URL")


# -- passwords -------------------------------------------------------------------------------------------------------


def test_a_password_shows_nowhere(tmp_path: Path, server: Cluster, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    host = f"host={server.directory}"
    spoken = url.replace("oesd@", f"oesd:{FOREIGN}@")
    told = []
    with Store.open(tmp_path / "data", spoken) as store, Inspection(tmp_path / "data"):
        told += [store.where, (tmp_path / "data" / "oesd.url").read_text(), repr(Address(spoken))]
        with pytest.raises(StoreInUse) as error:
            Store.open(tmp_path / "two", spoken)
        told.append(str(error.value))
    for wrong in (
        f"postgresql://oesd:{FOREIGN}@/nowhere?{host}",
        f"postgresql://oesd:{FOREIGN}@127.0.0.1:1/oesd?connect_timeout=2",
        f"postgresql://oesd:{FOREIGN}@127.0.0.1:{FOREIGN}/oesd",
        f"postgresql://oesd@/nowhere?{host}&password={FOREIGN}",
        f"postgresql://oesd:{FOREIGN}@/oesd?{host}&nonsense=1",
    ):
        with pytest.raises(StoreError) as error:
            Store.open(tmp_path / "wrong", wrong)
        told.append(str(error.value))
        assert "\n" not in told[-1]
    assert "canary" not in " ".join([*told, caplog.text])
    assert ":***@" in told[0]
    assert Address(spoken).bare == url


# -- looked at from outside ------------------------------------------------------------------------------------------


def inspected(directory: Path) -> list[str]:
    with Inspection(directory) as inspection:
        return [f"{finding.sort} {finding.about}" for finding in inspection.findings()]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE captures SET counts = '\\x00' WHERE capture_no = 1", "checksum captures"),
        ("UPDATE results SET payload = '\\x00'", "checksum results"),
        ("DELETE FROM processing", "reference entry"),
        ("UPDATE ledger SET number = number + 1 WHERE account = 'captures'", "sum ledger of captures"),
        ("DELETE FROM devices", "reference device_no 1 of captures"),
    ],
)
def test_verify_finds_what_was_changed_behind_the_rules(tmp_path: Path, url: str, damage: str, found: str) -> None:
    with Store.open(tmp_path / "data", url) as store:
        made = stored_entry(store, 1)
        store.save_result(made.data_id, analysis(store.measurement(made.data_id)), {}).result(10)
    assert inspected(tmp_path / "data") == []
    with psycopg.connect(url) as session:
        session.execute("SET session_replication_role = replica")  # no trigger, no foreign key: as a broken disk has it
        session.execute(damage.encode())
    assert any(finding.startswith(found) for finding in inspected(tmp_path / "data"))


def test_a_backup_is_that_of_the_server(tmp_path: Path, url: str) -> None:
    with (
        Store.open(tmp_path / "data", url),
        pytest.raises(StoreError, match=r"pg_dump --format=custom --file=\S+\.dump"),
    ):
        back_up(tmp_path / "data", tmp_path / "copy")


def test_the_room_is_the_databases_own(store: Store) -> None:
    room = store.room(lambda _: pytest.fail("the disk is not ours to see"))
    assert room.used_bytes > 1_000_000
    assert room.free_bytes is None
    assert not store.has_files


def test_reader_sessions_are_open_to_no_other_schema(url: str) -> None:
    with closing(Sessions(Address(url)).open_reader()) as session:
        row = session.execute("SHOW default_transaction_isolation").fetchone()
        assert row == ("repeatable read",)


def _until(there: Any, within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.01)
