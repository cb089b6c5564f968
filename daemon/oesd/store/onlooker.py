"""Reading a store that another process writes: a daemon need not be asked for what can be read beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from oesd.store.connection import open_reader
from oesd.store.directory import DATABASE_NAME
from oesd.store.errors import StoreError
from oesd.store.readers import Readers
from oesd.store.reading import Reading
from oesd.store.schema import STEPS, version_of

T = TypeVar("T")


class Onlooker(Reading):
    """One data directory, read only; a context manager. Takes no lock and keeps no state of the file for long.

    Raises
    ------
    StoreError
        When there is no store, it cannot be read, or it is of another version than this program.
    """

    def __init__(self, directory: Path) -> None:
        path = directory.absolute() / DATABASE_NAME
        if not path.exists():
            raise StoreError(f"{directory}: no data of oesd there, or not for this user")
        if (version := version_of(path)) != len(STEPS):
            raise StoreError(f"{path} was written by another oesd (schema {version}, this one has {len(STEPS)})")
        self._readers = Readers(partial(open_reader, path))

    def close(self) -> None:
        """Close the connections."""
        self._readers.close()

    def __enter__(self) -> Onlooker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, query: Callable[[sqlite3.Connection], T], /) -> T:
        """Run a query on one consistent state; raises StoreError."""
        return self._readers.read(query)
