"""Connections to the SQLite file, each with its settings read back: a setting that did not take is an error."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

from oesd.store.errors import StoreError, translated

# A quarter of SQLite's usual. Measured with 2048 pixels and 35 peaks: at 4 KiB a capture has a page to itself, at 2 KiB
# a result of 1.3 kB has one; at 1 KiB both fill pages and let the rest stand with others. A commit writes 19 kB to the
# log, and 32 or 62 with larger pages. 512 bytes would double the calls.
PAGE_SIZE = 1024
# A reader looks at a few rows of the newest entries: SQLite's usual 2 MB for each of the pool would lie idle.
_READER_CACHE_KB = 256
BUSY_S = 10.0
_FULL = 2
_SETTINGS = {"synchronous": _FULL, "foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1, "temp_store": 2}


class _Connection(sqlite3.Connection):
    """One of SQLite's, with what it remembers."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.remembered: dict[Any, Any] = {}


def open_writer(path: Path) -> _Connection:
    """The one connection that writes: WAL, every commit synced."""
    connection = _open(path, "rw")
    try:
        with translated("open the store"):
            mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            connection.execute("PRAGMA journal_size_limit = 67108864")
        if mode != "wal":
            raise StoreError(f"{path} cannot be kept in WAL mode (a network share?)")
        _set(connection)
    except StoreError:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> _Connection:
    """A connection that SQLite itself keeps from writing."""
    connection = _open(path, "rw")
    try:
        _set(connection)
        with translated("open the store"):
            connection.execute("PRAGMA query_only = ON")
            connection.execute(f"PRAGMA cache_size = -{_READER_CACHE_KB}")
    except StoreError:
        connection.close()
        raise
    return connection


def open_untouched(path: Path) -> _Connection:
    """A connection that cannot change the file, not even by a checkpoint: to see what it is."""
    return _open(path, "ro")


def _open(path: Path, mode: str) -> _Connection:
    # Threads take turns with a connection (the pool and the writer see to that), so SQLite's own check is off.
    with translated(f"open {path}"):
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_S, check_same_thread=False,
            factory=_Connection,
        )  # fmt: skip
    # Text that rotted into bad UTF-8 is for the record's checksum to find, not for the cursor to trip over.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _set(connection: sqlite3.Connection) -> None:
    with translated("open the store"):
        for name, value in _SETTINGS.items():
            connection.execute(f"PRAGMA {name} = {value}")
            found = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if found != value:
                raise StoreError(f"SQLite did not take {name} = {value} (it says {found})")
