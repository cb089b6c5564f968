"""Sessions: each with its settings read back, the writer's with the lock of the store.

The lock is an advisory one of the session that writes: whoever writes has it, and it goes with the session, however
that ends. A second store on the database is refused within a second.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import psycopg

from oesd.store.errors import StoreError, StoreInUse
from oesd.store.postgres.address import Address
from oesd.store.postgres.connection import Session, adapt
from oesd.store.postgres.faults import from_postgres

_LOCK = 0x6F657364  # "oesd"; the numbers of locks are those of one database
_CONNECT_S = 10
_LOCK_S = 0.8
"""A store that was killed a moment ago still has the lock until the server has seen it go."""
_OLDEST = 14_00_00
_SURE = {"fsync": "on", "full_page_writes": "on", "data_sync_retry": "off", "server_encoding": "UTF8"}
_SYNCED = ("on", "remote_apply")
# A line that was cut is known to both ends after half a minute, not after two hours.
_LINE: dict[str, Any] = {
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000
}  # fmt: skip
_SERVER_LINE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"}


class Sessions:
    """Opens the sessions of one store."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._writer_pid = 0

    def open_writer(self) -> Session:
        """The session that writes: every commit synced, READ COMMITTED, which is exact for the only writer there is.

        Raises
        ------
        StoreInUse
            Within a second, when another store has the database.
        StoreError
            When the server cannot be reached, or does not keep what it acknowledges.
        """
        session = self._open()
        try:
            self._take_lock(session)
            _settings(session, {**_SERVER_LINE, "default_transaction_isolation": "read committed"})
            _require_durable(session)
        except BaseException as error:
            session.close()
            if isinstance(error, psycopg.Error):
                raise from_postgres(error, self.address.redact, "open the store") from error
            raise
        return session

    def open_reader(self) -> Session:
        """A session that PostgreSQL itself keeps from writing, and that sees one state in each transaction."""
        session = self._open()
        try:
            wanted = {"default_transaction_isolation": "repeatable read", "default_transaction_read_only": "on"}
            _settings(session, {**_SERVER_LINE, **wanted})
        except psycopg.Error as error:
            session.close()
            raise from_postgres(error, self.address.redact, "open the store") from error
        return session

    def _open(self) -> Session:
        name = f"oesd {socket.gethostname()}:{os.getpid()}"
        try:
            session: Session = psycopg.connect(
                self.address.reveal(), autocommit=True, connect_timeout=_CONNECT_S, application_name=name, **_LINE
            )
        except psycopg.Error as error:
            raise from_postgres(error, self.address.redact, "open the store") from error
        adapt(session)
        session.prepared_max = 500
        if session.info.server_version < _OLDEST:
            session.close()
            raise StoreError(f"{self.address}: PostgreSQL 14 or later is needed")
        return session

    def _take_lock(self, session: Session) -> None:
        until_s = time.monotonic() + _LOCK_S
        while not _one(session, "SELECT pg_try_advisory_lock(%s)", _LOCK):
            holder = _holder(session)
            if holder is not None and holder[0] == self._writer_pid:
                # Our own session of before: the line broke, and the server has not seen it.
                _one(session, "SELECT pg_terminate_backend(%s::int)", holder[0])
            if time.monotonic() > until_s:
                raise StoreInUse(f"{self.address} is in use by {holder[1] if holder else 'another store'}")
            time.sleep(0.05)
        self._writer_pid = session.info.backend_pid


def _holder(session: Session) -> tuple[int, str] | None:
    """Process on the server and name of who has the lock."""
    row = session.execute(
        "SELECT l.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
        "WHERE l.locktype = 'advisory' AND l.granted AND l.objid::bigint = %s AND l.objsubid = 1 "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        (_LOCK,),
    ).fetchone()
    return None if row is None else (int(row[0]), str(row[1] or "another store"))


def _settings(session: Session, wanted: dict[str, str]) -> None:
    for name, value in wanted.items():
        session.execute("SELECT set_config(%s, %s, false)", (name, value))


def _require_durable(session: Session) -> None:
    """See that a commit that the server acknowledges survives its power cut: each setting read back."""
    if _one(session, "SHOW synchronous_commit") not in _SYNCED:
        session.execute("SET synchronous_commit = on")
    if (found := _one(session, "SHOW synchronous_commit")) not in _SYNCED:
        raise StoreError(f"PostgreSQL did not take synchronous_commit = on (it says {found})")
    for name, value in _SURE.items():
        if (found := _one(session, f"SHOW {name}")) != value:
            raise StoreError(
                f"the database server has {name} = {found}: it would lose what it acknowledged; it must be {value}"
            )


def _one(session: Session, query: str, *values: object) -> Any:
    row = session.execute(query.encode(), values).fetchone()
    assert row is not None
    return row[0]
