"""Read connections, as many as there are readers at one moment.

A pool and not one connection per thread: the web server's threads come and go, and a connection left behind by a dead
thread would stay open for months.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from oesd.store.database import Connection
from oesd.store.errors import StoreClosed, translated

T = TypeVar("T")
_IDLE_LIMIT = 8


class Readers:
    """Pool of read connections; every :meth:`read` sees one consistent state, whatever is written meanwhile."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query in a read transaction of its own.

        Raises
        ------
        StoreError
            When SQLite cannot read; StoreDamaged when the file's structure is broken there.
        """
        connection = self._take()
        try:
            with translated("read from the store"):
                connection.execute("BEGIN")
                try:
                    return query(connection)
                finally:
                    connection.rollback()
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close the idle connections now, those in use when their query ends."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._lock:
            if self._closed:
                raise StoreClosed("the store is closed")
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._lock:
            keep = not self._closed and len(self._idle) < _IDLE_LIMIT
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()
