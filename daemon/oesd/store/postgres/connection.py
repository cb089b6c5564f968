"""A connection to PostgreSQL that goes by the words of Python's ``sqlite3``.

::

    sqlite3.Connection  --\
                           >-- execute, executemany, in_transaction, rollback, close -- all of the store's SQL
    Connection (here)   --/

A server that restarted, or a line that broke, is noticed at the next BEGIN: nothing was begun, so that a new session
takes its place. What breaks within a transaction is the transaction's error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format, TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader
from psycopg.types.string import StrDumper

from oesd.store.errors import StoreError
from oesd.store.postgres.faults import from_postgres
from oesd.store.postgres.words import in_postgres, values_of

Session = psycopg.Connection[tuple[Any, ...]]
_SIGN = "\U0010ffff"  # no character, and never to be one
_OPEN = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class _SumLoader(NumericBinaryLoader):
    """Sums of integers come as ``numeric``; the store has no other."""

    def load(self, data: Buffer) -> Any:
        return int(super().load(data))


class _TextDumper(StrDumper):
    """PostgreSQL's texts cannot hold the character NUL, which foreign names may: a sign that is none stands for it."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(obj.replace(_SIGN, f"{_SIGN}1").replace("\0", f"{_SIGN}0"))


class _TextLoader(Loader):
    """Inverse of :class:`_TextDumper`."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        text = bytes(data).decode()
        return text.replace(f"{_SIGN}0", "\0").replace(f"{_SIGN}1", _SIGN) if _SIGN in text else text


class Connection:
    """One session at a time, by the few words that the store uses.

    Parameters
    ----------
    connect : callable
        Opens a session, ready for use.
    redact : callable
        Makes a foreign text one line without secrets.
    """

    def __init__(self, connect: Callable[[], Session], redact: Callable[[str], str]) -> None:
        self.remembered: dict[Any, Any] = {}
        self._connect = connect
        self._redact = redact
        self._session = connect()

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open that can go on, if need be from a savepoint."""
        return self._session.info.transaction_status in _OPEN

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> RawCursor[tuple[Any, ...]]:
        """Run a statement; StoreError when the database refuses."""
        text, names = in_postgres(sql)
        with self._told():
            cursor = self._begun(text) if text == "BEGIN" else self._cursor()
            if text != "BEGIN":
                cursor.execute(text.encode(), values_of(names, parameters), binary=True)
        if text == "COMMIT" and cursor.statusmessage != "COMMIT":
            # A transaction that failed before is rolled back by its COMMIT, and that is no error of PostgreSQL's.
            raise StoreError("cannot write to the store: the transaction had failed before its end")
        return cursor

    def executemany(self, sql: str, parameters: Sequence[Sequence[Any]], /) -> RawCursor[tuple[Any, ...]]:
        """Run a statement once for each row of parameters."""
        text, _ = in_postgres(sql)
        with self._told():
            cursor = self._cursor()
            cursor.executemany(text.encode(), parameters)
        return cursor

    def rollback(self) -> None:
        """Take back what was not committed; a session that is gone, or was left within a statement, took it back."""
        if self._session.info.transaction_status == TransactionStatus.ACTIVE:
            self._session.close()
        if not self._session.closed:
            with self._told():
                self._session.rollback()

    def close(self) -> None:
        """End the session; the server rolls back what was not committed."""
        end(self._session)

    def _cursor(self) -> RawCursor[tuple[Any, ...]]:
        return RawCursor(self._session)

    def _begun(self, text: str) -> RawCursor[tuple[Any, ...]]:
        try:
            return self._cursor().execute(text.encode())
        except psycopg.OperationalError:
            if not self._session.closed:
                raise
        self.close()
        self._session = self._connect()
        return self._cursor().execute(text.encode())

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise from_postgres(error, self._redact) from error


def end(session: Session) -> None:
    """End a session, its lock first: by itself the server lets go only when it comes to see that the session went."""
    with suppress(psycopg.Error):
        if session.info.transaction_status == TransactionStatus.IDLE:
            session.execute("SELECT pg_advisory_unlock_all()")
        session.close()


def adapt(session: Session) -> None:
    """Have a session take and give what ``sqlite3`` does: truth as 0 and 1, sums as integers."""
    for kind in (int, bool):
        session.adapters.register_dumper(kind, Int8BinaryDumper)
    session.adapters.register_dumper(str, _TextDumper)
    session.adapters.register_loader("text", _TextLoader)
    session.adapters.register_loader("numeric", _SumLoader)
