from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.daemon.store.making import stored_entry

from oesd.store import Store, StoreDamaged, StoreError, StoreInUse, StoreNewer
from oesd.store.schema import APPLICATION_ID, STEPS

HOLD = """
import sys, time
from pathlib import Path
from oesd.store import Store
store = Store.open(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def one_line(error: pytest.ExceptionInfo[StoreError]) -> bool:
    return "\n" not in str(error.value)


def test_what_is_made_is_for_its_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Store.open(tmp_path / "a" / "data") as store:
            stored_entry(store)
            assert mode(tmp_path / "a" / "data") == 0o700
            assert {mode(path) for path in (tmp_path / "a" / "data").iterdir()} == {0o600}
    finally:
        os.umask(old)


def test_settings_of_every_connection(store: Store) -> None:
    def found(db: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "foreign_keys", "application_id", "user_version")
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    expected = [2, "wal", 1, APPLICATION_ID, len(STEPS)]
    assert store.write(found).result(10) == expected
    assert store.read(found) == expected
    with pytest.raises(StoreError, match="readonly"):
        store.read(lambda db: db.execute("DELETE FROM ledger"))


def test_a_second_store_is_refused_at_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data"):
        with pytest.raises(StoreInUse, match=str(os.getpid())) as refused:
            Store.open(tmp_path / "data")
        assert one_line(refused)
    Store.open(tmp_path / "data").close()


def test_another_process_is_refused_and_a_killed_one_is_no_obstacle(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path / "data")], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUse, match=str(holder.pid)):
            Store.open(tmp_path / "data")
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
        assert (tmp_path / "data" / "oesd.lock").read_text().strip() == str(holder.pid)
        Store.open(tmp_path / "data").close()


def test_a_newer_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        stored_entry(store)
    path = tmp_path / "data" / "oesd.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreNewer, match="schema 99") as refused:
        Store.open(tmp_path / "data")
    assert one_line(refused)
    assert path.read_bytes() == before
    with pytest.raises(StoreNewer):
        Store.open(tmp_path / "data")


@pytest.mark.parametrize(
    "content", [b"not a database, by far" * 500, b"\x00" * 8192, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    path = tmp_path / "data" / "oesd.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreDamaged) as refused:
        Store.open(tmp_path / "data")
    assert one_line(refused)
    assert path.read_bytes() == content


def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    with sqlite3.connect(tmp_path / "data" / "oesd.sqlite") as db:
        db.execute("CREATE TABLE bookmarks (url)")
    db.close()
    with pytest.raises(StoreDamaged, match="another program"):
        Store.open(tmp_path / "data")


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "oesd.sqlite").touch()
    with Store.open(tmp_path / "data") as store:
        assert store.entries() == []


@pytest.mark.parametrize("name", ["oesd.sqlite", "oesd.lock", "oesd.sqlite-wal"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "data" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError) as refused:
        Store.open(tmp_path / "data")
    assert one_line(refused)
    assert (tmp_path / "elsewhere").read_bytes() == b""


def test_a_fifo_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "data" / "oesd.sqlite")
    with pytest.raises(StoreError, match="not a plain file"):
        Store.open(tmp_path / "data")


def test_a_directory_that_others_may_write_is_narrowed_when_ours_and_refused_when_not(tmp_path: Path) -> None:
    empty, full = tmp_path / "empty", tmp_path / "full"
    for path in (empty, full):
        path.mkdir()
        path.chmod(0o777)
    (full / "thesis.txt").touch()
    Store.open(empty).close()
    assert mode(empty) == 0o700
    with pytest.raises(StoreError, match="writable by other users"):
        Store.open(full)
    assert mode(full) == 0o777
    full.chmod(0o755)
    Store.open(full).close()
    assert mode(full) == 0o755


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match="not a directory"):
        Store.open(tmp_path / "data")
    with pytest.raises(StoreError, match="cannot use the data directory"):
        Store.open(tmp_path / "data" / "below")


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "data" / "oesd.sqlite").mkdir(parents=True)
    with pytest.raises(StoreError, match="Is a directory"):
        Store.open(tmp_path / "data")
    (tmp_path / "data" / "oesd.sqlite").rmdir()
    Store.open(tmp_path / "data").close()


def test_a_kill_while_the_tables_were_made_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    db = sqlite3.connect(tmp_path / "data" / "oesd.sqlite", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE devices (x)")
    db.close()
    with Store.open(tmp_path / "data") as store:
        stored_entry(store)


def test_closing_twice_touches_nobody_elses_file(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "data")
    store.close()
    others = [(tmp_path / f"{n}").open("w") for n in range(5)]
    store.close()
    for other in others:
        other.write("still mine")
        other.close()
