"""Where the tables are: in an SQLite file of the data directory, or in a PostgreSQL database that the directory names.

::

    DIR/oesd.sqlite    the tables themselves
    DIR/oesd.url       or where they are, without any password: whoever is given DIR finds them
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from oesd.store import schema
from oesd.store.connection import open_reader, open_untouched, open_writer
from oesd.store.database import Connection
from oesd.store.directory import DATABASE_NAME, URL_NAME, own_database, replace_durably
from oesd.store.errors import StoreError
from oesd.store.log_keeping import LogKeeping
from oesd.store.postgres.address import Address
from oesd.store.room import Room

_INSTALL = "pip install 'oesd[postgresql]'"


@dataclass(frozen=True, slots=True)
class Dangling:
    """A row that refers to another one that is not there."""

    table: str
    row: str
    parent: str


class Place(Protocol):
    """What differs between the databases."""

    directory: Path
    has_files: bool
    """Whether the tables are files of the directory, beside which others may be kept."""
    newest: int
    """The version of the schema that this program knows."""
    url: str
    """Where the tables are when they are not in the directory, without any password."""

    def exists(self) -> bool:
        """Whether there are tables."""
        ...

    def prepare(self) -> None:
        """Make the tables, or bring them to the present version."""
        ...

    def version(self) -> int:
        """Steps that the schema has been through."""
        ...

    def open_writer(self) -> Connection:
        """The one connection that writes: every commit synced."""
        ...

    def rest(self, connection: Connection, /) -> None:
        """What the writer is to do between two groups, with its connection."""
        ...

    def open_reader(self) -> Connection:
        """A connection that cannot write."""
        ...

    def open_untouched(self) -> Connection:
        """A connection to look at everything with, that changes nothing."""
        ...

    def room(self, connection: Connection, free: Callable[[Path], int], /) -> Room:
        """How much room there is; ``free`` tells the bytes free on a directory's disk."""
        ...

    def tables(self, connection: Connection, /) -> list[str]:
        """Names of all tables."""
        ...

    def structure(self, connection: Connection, table: str, /) -> Iterator[str]:
        """What is wrong with the structure of a table."""
        ...

    def dangling(self, connection: Connection, /) -> Iterator[Dangling]:
        """References to rows that are not there."""
        ...


class SqlitePlace:
    """One SQLite file in the data directory."""

    has_files = True
    url = ""
    newest = len(schema.STEPS)

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file = directory / DATABASE_NAME
        self._log = LogKeeping(self._file)

    def __str__(self) -> str:
        return str(self._file)

    def exists(self) -> bool:
        """Whether the file is there."""
        return self._file.is_file()

    def prepare(self) -> None:
        """Make the file, or bring it to the present version."""
        own_database(self._file)
        schema.prepare(self._file)

    def version(self) -> int:
        """Steps that the file has been through."""
        return schema.version_of(self._file)

    def open_writer(self) -> Connection:
        """The one connection that writes."""
        return open_writer(self._file)

    def rest(self, connection: Connection) -> None:
        """See that the log does not grow for ever."""
        self._log.look(connection)

    def open_reader(self) -> Connection:
        """A connection that SQLite itself keeps from writing."""
        return open_reader(self._file)

    def open_untouched(self) -> Connection:
        """A connection that cannot change the file."""
        return open_untouched(self._file)

    def room(self, connection: Connection, free: Callable[[Path], int]) -> Room:
        """What the file takes, what the disk has free, and the file's own freed pages."""
        query = "SELECT page_count, page_size, freelist_count FROM pragma_page_count, pragma_page_size, "
        pages, size, spare = connection.execute(query + "pragma_freelist_count").fetchone()
        return Room((pages - spare) * size, free(self.directory), spare * size)

    def tables(self, connection: Connection) -> list[str]:
        """Names of all tables."""
        rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        return [row[0] for row in rows.fetchall()]

    def structure(self, connection: Connection, table: str) -> Iterator[str]:
        """What is wrong with the structure of a table."""
        for (text,) in connection.execute(f"PRAGMA integrity_check('{table}')").fetchall():
            if text != "ok":
                yield str(text)

    def dangling(self, connection: Connection) -> Iterator[Dangling]:
        """References to rows that are not there."""
        for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check").fetchall():
            yield Dangling(table, f"row {row}", parent)


def place_of(directory: Path, url: str | None = None) -> Place:
    """The place of a data directory's tables.

    Parameters
    ----------
    url : str or None
        A ``postgresql://`` URL; "" for the directory's own file; None for wherever the directory says.

    Raises
    ------
    StoreError
        When the directory has its tables in another place, the URL is none, or psycopg is not installed.
    """
    directory = directory.absolute()
    named = _named(directory)
    if not (url or named):
        return SqlitePlace(directory)
    address = Address(url or named)
    if url == "" or (named and named != address.bare):
        raise StoreError(
            f"the data of {directory} are in {named}: set [store] url to that, or take another data directory"
        )
    if (directory / DATABASE_NAME).exists():
        raise StoreError(
            f"{directory} has data in {DATABASE_NAME}, which {address} does not know: take another data directory, "
            "or leave [store] url out"
        )
    return _postgres(directory, address)


def check_url(url: str) -> None:
    """See that a store can be opened by a URL, as far as that can be told without asking the server.

    Raises
    ------
    StoreError
        When it is no ``postgresql://`` URL, or psycopg is not installed.
    """
    _postgres(Path(), Address(url))


def _postgres(directory: Path, address: Address) -> Place:
    # Only now: psycopg is an extra.
    try:
        from oesd.store.postgres.place import PostgresPlace
    except ImportError as error:
        raise StoreError(f"PostgreSQL needs psycopg ({error}): {_INSTALL}") from error
    return PostgresPlace(directory, address)


def name_place(place: Place) -> None:
    """Write into the directory where its tables are, when they are not in it: durable before any row is."""
    if not place.url or _named(place.directory):
        return
    replace_durably(place.directory / URL_NAME, f"{place.url}\n")


def _named(directory: Path) -> str:
    try:
        return (directory / URL_NAME).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except NotADirectoryError:
        raise StoreError(f"{directory} is a file, not a data directory") from None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"cannot read {directory / URL_NAME}: {error}") from error
