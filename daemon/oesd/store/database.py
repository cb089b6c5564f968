"""What the parts of the store need of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeVar

T = TypeVar("T")


class Database(Protocol):
    """The two ways to the tables: one writer, many readers."""

    def write(self, task: Callable[[sqlite3.Connection], T], /) -> Future[T]:
        """Run a task in the writer's next transaction."""
        ...

    def read(self, query: Callable[[sqlite3.Connection], T], /) -> T:
        """Run a query on a consistent state."""
        ...
