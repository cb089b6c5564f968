"""The log is short whatever is read meanwhile, and nobody waits for a reader that stays."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.support.stores import on_sqlite

from oesd.store.connection import open_reader, open_writer
from oesd.store.log_keeping import LogKeeping

pytestmark = on_sqlite
LIMIT = 100_000
ROW = b"x" * 10_000


@contextmanager
def readers(path: Path, number: int) -> Iterator[None]:
    """Readers of which always one is in the log: each ends only when the next has begun."""
    stop, turns = threading.Event(), [threading.Semaphore(0) for _ in range(number)]

    def read(own: threading.Semaphore, following: threading.Semaphore) -> None:
        with closing(open_reader(path)) as db:
            while own.acquire() and not stop.is_set():
                db.execute("BEGIN")
                db.execute("SELECT count(*) FROM t").fetchone()
                following.release()
                time.sleep(0.002)
                db.rollback()

    threads = [threading.Thread(target=read, args=(turns[k], turns[(k + 1) % number])) for k in range(number)]
    for thread in threads:
        thread.start()
    turns[0].release()
    try:
        yield
    finally:
        stop.set()
        for turn in turns:
            turn.release()
        for thread in threads:
            thread.join()


def written(path: Path, keeping: LogKeeping | None, commits: int) -> int:
    """The longest that the log was while so many rows were written."""
    longest = 0
    with closing(open_writer(path)) as db:
        for _ in range(commits):
            db.execute("INSERT INTO t VALUES (?)", (ROW,))
            longest = max(longest, path.with_name(f"{path.name}-wal").stat().st_size)
            if keeping is not None:
                keeping.look(db)
    return longest


def made(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE t (x)")
    return path


def test_readers_that_overlap_do_not_let_the_log_grow_for_ever(tmp_path: Path) -> None:
    longest = []
    for name in ("let alone", "kept"):
        path = made(tmp_path / name)
        with readers(path, 3):
            longest.append(written(path, LogKeeping(path, LIMIT) if name == "kept" else None, 200))
    assert longest[1] < max(3 * LIMIT, longest[0] / 4), "let alone it has everything that was ever written"


def test_a_reader_that_stays_is_waited_for_once_in_a_while(tmp_path: Path) -> None:
    path = made(tmp_path / "oesd.sqlite")
    with closing(open_reader(path)) as db:
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM t").fetchone()
        begun = time.monotonic()
        assert written(path, LogKeeping(path, 4 * LIMIT), 100) > 1_000_000
        assert time.monotonic() - begun < 4.0, "twice or three times a quarter of a second, and not a hundred times"
        db.rollback()
    with closing(open_writer(path)) as db:
        LogKeeping(path, LIMIT).look(db)
        assert path.with_name(f"{path.name}-wal").stat().st_size == 0
        assert db.execute("SELECT count(*) FROM t").fetchone() == (100,)
        assert db.execute("PRAGMA busy_timeout").fetchone() == (10_000,)


def test_a_log_that_cannot_be_emptied_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Tried at each group of commits it would have the writer open its connection anew each time."""
    (tmp_path / "data").touch()
    (tmp_path / "data-wal").write_bytes(bytes(LIMIT + 1))
    keeping, closed = LogKeeping(tmp_path / "data", LIMIT), sqlite3.connect(":memory:")
    closed.close()
    with pytest.raises(sqlite3.Error):
        keeping.look(closed)
    keeping.look(closed)
