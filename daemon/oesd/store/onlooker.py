"""Reading a store that another process writes: a daemon need not be asked for what can be read beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from oesd.store.database import Connection
from oesd.store.errors import StoreError
from oesd.store.place import place_of
from oesd.store.readers import Readers
from oesd.store.reading import Reading

T = TypeVar("T")


class Onlooker(Reading):
    """One data directory, read only; a context manager. Takes no lock and keeps no state of the file for long.

    Raises
    ------
    StoreError
        When there is no store, it cannot be read, or it is of another version than this program.
    """

    def __init__(self, directory: Path) -> None:
        place = place_of(directory)
        if not place.exists():
            raise StoreError(f"{directory}: no data of oesd there, or not for this user")
        if (version := place.version()) != place.newest:
            raise StoreError(f"{place} was written by another oesd (schema {version}, this one has {place.newest})")
        self._readers = Readers(place.open_reader)

    def close(self) -> None:
        """Close the connections."""
        self._readers.close()

    def __enter__(self) -> Onlooker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, query: Callable[[Connection], T], /) -> T:
        """Run a query on one consistent state; raises StoreError."""
        return self._readers.read(query)
