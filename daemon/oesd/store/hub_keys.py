"""The hub's API keys, by their hash, with what each may do and how much."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from oesd.model import new_id
from oesd.store.database import Connection
from oesd.store.moments import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    from oesd.store import Store

T = TypeVar("T")
SCOPES = ("read", "write", "admin")

SCHEMA = """
CREATE TABLE hub_key (
    key_id      TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    key_sha256  BLOB NOT NULL UNIQUE,       -- the key itself is 256 random bits and is not kept
    scopes      TEXT NOT NULL,              -- of read, write, admin, separated by blanks
    day_bytes   INTEGER NOT NULL,           -- quota of uploaded bytes a day (UTC); 0 for none
    made_at_us  INTEGER NOT NULL,
    revoked_at_us INTEGER
) STRICT;
CREATE TABLE hub_usage (
    key_id      TEXT NOT NULL,              -- "" for the hub's own key file
    day         INTEGER NOT NULL,           -- days since 1970, UTC
    bytes       INTEGER NOT NULL,
    uploads     INTEGER NOT NULL,
    PRIMARY KEY (key_id, day)
) STRICT, WITHOUT ROWID;
ALTER TABLE hub_upload ADD COLUMN key_id TEXT NOT NULL DEFAULT '';   -- who uploads it
ALTER TABLE hub_upload ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;  -- its bytes are entries, or known to be none
ALTER TABLE hub_upload ADD COLUMN same_as TEXT;                      -- first entry of the same record and bytes
ALTER TABLE hub_upload ADD COLUMN touched_at_us INTEGER NOT NULL DEFAULT 0;  -- last change: by upload, engine or hand
ALTER TABLE hub_upload ADD COLUMN members INTEGER NOT NULL DEFAULT 0; -- spectra in it, when it is a file of several
UPDATE hub_upload SET taken = 1, touched_at_us = finished_at_us WHERE finished_at_us IS NOT NULL;
CREATE INDEX hub_upload_untaken ON hub_upload (finished_at_us) WHERE taken = 0 AND finished_at_us IS NOT NULL;
CREATE INDEX hub_upload_touched ON hub_upload (touched_at_us);
CREATE INDEX hub_upload_named ON hub_upload (substr(file_name, 1, 36));
CREATE TABLE hub_member (                   -- what a file of several spectra was taken apart into
    batch_data_id TEXT NOT NULL,
    data_id     TEXT NOT NULL,
    PRIMARY KEY (batch_data_id, data_id)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class HubKey:
    """An API key as the hub knows it; ``day_bytes`` 0 is no quota."""

    key_id: str
    name: str
    scopes: frozenset[str]
    day_bytes: int
    made_at_utc: datetime
    revoked_at_utc: datetime | None = None


_COLUMNS = "key_id, name, scopes, day_bytes, made_at_us, revoked_at_us"


class HubKeys:
    """The keys and their use; every method returns after the commit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def make(self, name: str, scopes: frozenset[str], day_bytes: int, now: datetime) -> tuple[HubKey, str]:
        """Make a key; the text of it comes back this once and is not kept."""
        text = secrets.token_urlsafe(32)
        made = HubKey(new_id(), name, scopes, day_bytes, now)
        row = (made.key_id, name, _digest(text), " ".join(sorted(scopes)), day_bytes, to_us(now))
        self._write(lambda db: db.execute("INSERT INTO hub_key VALUES (?, ?, ?, ?, ?, ?, NULL)", row))
        return made, text

    def revoke(self, key_id: str, now: datetime) -> bool:
        """Take a key's permissions for good; False when there is no such key, or it was revoked before."""
        query = "UPDATE hub_key SET revoked_at_us = ? WHERE key_id = ? AND revoked_at_us IS NULL"
        return self._write(lambda db: db.execute(query, (to_us(now), key_id)).rowcount == 1)

    def all(self) -> list[HubKey]:
        """Every key ever made, in that order."""
        query = f"SELECT {_COLUMNS} FROM hub_key ORDER BY key_id"  # noqa: S608
        return [_key(row) for row in self._store.read(lambda db: db.execute(query).fetchall())]

    def known(self, text: str) -> HubKey | None:
        """The key that a client shows, None for one that was never made or is revoked.

        Looked up by its hash: how long that takes tells nothing of the 256 random bits.
        """
        query = f"SELECT {_COLUMNS} FROM hub_key WHERE key_sha256 = ? AND revoked_at_us IS NULL"  # noqa: S608
        row = self._store.read(lambda db: db.execute(query, (_digest(text),)).fetchone())
        return None if row is None else _key(row)

    def used_bytes(self, key_id: str, now: datetime) -> int:
        """Bytes that a key uploaded today, UTC."""
        query = "SELECT bytes FROM hub_usage WHERE key_id = ? AND day = ?"
        row = self._store.read(lambda db: db.execute(query, (key_id, _day(now))).fetchone())
        return 0 if row is None else int(row[0])

    def usage(self, days: int, now: datetime) -> list[dict[str, Any]]:
        """Use by key and day, the newest day first."""
        query = "SELECT key_id, day, bytes, uploads FROM hub_usage WHERE day > ? ORDER BY day DESC, key_id"
        rows = self._store.read(lambda db: db.execute(query, (_day(now) - days,)).fetchall())
        return [dict(zip(("key_id", "day", "bytes", "uploads"), row, strict=True)) for row in rows]

    def _write(self, task: Callable[[Connection], T]) -> T:
        return self._store.write(task).result()


def count_use(connection: Connection, key_id: str, size_bytes: int, now: datetime) -> None:
    """Count an upload for its key, in the transaction that makes it one."""
    connection.execute(
        "INSERT INTO hub_usage VALUES (?, ?, ?, 1) "
        "ON CONFLICT (key_id, day) DO UPDATE SET bytes = hub_usage.bytes + excluded.bytes, "
        "uploads = hub_usage.uploads + 1",
        (key_id, _day(now), size_bytes),
    )


def _day(now: datetime) -> int:
    return to_us(now) // 86_400_000_000


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _key(row: tuple[Any, ...]) -> HubKey:
    key_id, name, scopes, day_bytes, made_at_us, revoked_at_us = row
    return HubKey(
        key_id, name, frozenset(scopes.split()), day_bytes, from_us(made_at_us), from_us_or_none(revoked_at_us)
    )
