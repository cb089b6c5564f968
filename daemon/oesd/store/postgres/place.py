"""A PostgreSQL database as the place of a store's tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg

from oesd.store.database import Connection as AnyConnection
from oesd.store.place import Dangling
from oesd.store.postgres.address import Address
from oesd.store.postgres.connection import Connection, end
from oesd.store.postgres.faults import from_postgres
from oesd.store.postgres.schema import NEWEST, prepare, version_of
from oesd.store.postgres.session import Sessions
from oesd.store.room import Room

_KEYS = """
SELECT c.conrelid::regclass::text, c.confrelid::regclass::text, a.attname, f.attname
FROM pg_constraint c
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
JOIN pg_attribute f ON f.attrelid = c.confrelid AND f.attnum = c.confkey[1]
WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace ORDER BY 1, 3
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1"


class PostgresPlace:
    """A database of its own on a PostgreSQL server.

    Parameters
    ----------
    directory : Path
        The data directory, for what is no table.
    address : Address
    """

    has_files = False
    newest = NEWEST

    def __init__(self, directory: Path, address: Address) -> None:
        self.directory = directory
        self._address = address
        self.url = address.bare
        self._sessions = Sessions(address)

    def __str__(self) -> str:
        return str(self._address)

    def exists(self) -> bool:
        """The directory says that the tables are here."""
        return True

    def prepare(self) -> None:
        """Bring the schema to the present version, or make it; raises StoreInUse, StoreNewer, StoreDamaged."""
        session = self._sessions.open_writer()
        try:
            prepare(session, str(self))
        except psycopg.Error as error:
            raise from_postgres(error, self._address.redact, "prepare the store") from error
        finally:
            end(session)

    def version(self) -> int:
        """Steps that the schema has been through."""
        session = self._sessions.open_reader()
        try:
            return version_of(session, str(self))
        except psycopg.Error as error:
            raise from_postgres(error, self._address.redact, "read the store") from error
        finally:
            session.close()

    def open_writer(self) -> Connection:
        """The one connection that writes."""
        return Connection(self._sessions.open_writer, self._address.redact)

    def rest(self, _: AnyConnection) -> None:
        """The server keeps its own log short."""

    def open_reader(self) -> Connection:
        """A connection that cannot write."""
        return Connection(self._sessions.open_reader, self._address.redact)

    open_untouched = open_reader

    def room(self, connection: AnyConnection, _: object) -> Room:
        """What the database takes; the server's disk is not ours to see, and freed rows do not make it smaller."""
        (used,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return Room(int(used), None, 0)

    def tables(self, connection: AnyConnection) -> list[str]:
        """Names of all tables."""
        return [row[0] for row in connection.execute(_TABLES)]

    def structure(self, connection: AnyConnection, table: str) -> Iterator[str]:
        """What is wrong with a table; every row is read, and where the server sums its pages, they are checked."""
        connection.execute(f"SELECT count(t.*::text) FROM {table} t")  # noqa: S608  (names of the catalogue)
        yield from ()

    def dangling(self, connection: AnyConnection) -> Iterator[Dangling]:
        """References to rows that are not there."""
        for table, parent, column, key in connection.execute(_KEYS).fetchall():
            query = (
                f"SELECT {column} FROM {table} t WHERE {column} IS NOT NULL "  # noqa: S608
                f"AND NOT EXISTS (SELECT 1 FROM {parent} p WHERE p.{key} = t.{column})"
            )
            for (value,) in connection.execute(query).fetchall():
                yield Dangling(table, f"{column} {value}", parent)
