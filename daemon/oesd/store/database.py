"""What the parts of the store need of the database: a connection, a writer, readers.

A connection is that of Python's ``sqlite3``, or one of :mod:`oesd.store.postgres` that goes by the same few words. The
SQL in this room is what both databases know; ``?``, ``?1`` and ``:name`` are the placeholders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cursor(Protocol):
    """The rows of a statement."""

    @property
    def rowcount(self) -> int:
        """Rows that were changed."""
        ...

    def fetchone(self) -> Any:
        """The next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the rows that are left."""
        ...


class Connection(Protocol):
    """A connection to the tables, within a transaction."""

    remembered: dict[Any, Any]
    """What was read and verified by this connection and never changes, by names of the reader's choice."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that can go on: after some errors none is."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Cursor:
        """Run a statement."""
        ...

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> Cursor:
        """Run a statement once for each row of parameters."""
        ...

    def rollback(self) -> None:
        """Take back what was not committed."""
        ...

    def close(self) -> None:
        """End the connection; what was not committed is gone."""
        ...


class Database(Protocol):
    """The two ways to the tables: one writer, many readers."""

    def write(self, task: Callable[[Connection], T], /) -> Future[T]:
        """Run a task in the writer's next transaction."""
        ...

    def read(self, query: Callable[[Connection], T], /) -> T:
        """Run a query on a consistent state."""
        ...
