"""The hub's tables, and uploads on their way in.

An upload's life::

    begin() -> put_part() ... -> finish(): the bytes are ours for good -> claim(), the spectrum is stored -> taken()
       |                            |                                       |- not readable: "error", its bytes kept
    "pending"                    "running"                                  '- of several: each an entry of its own

What is finished and not taken is found again at the next start.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from oesd.store.claims import Claim, settle_claim
from oesd.store.database import Connection
from oesd.store.hub_expiry import MARK_US, Expired, expired_uploads, forget_uploads
from oesd.store.hub_keys import count_use
from oesd.store.moments import from_us, from_us_or_none, to_us

if TYPE_CHECKING:
    from oesd.store import Store

T = TypeVar("T")

SCHEMA = """
CREATE TABLE hub_upload (
    upload_id TEXT PRIMARY KEY,
    data_id TEXT NOT NULL UNIQUE,
    new_filename TEXT NOT NULL,
    file_name TEXT NOT NULL,
    parts INTEGER NOT NULL,
    physical_sample_id TEXT,
    begun_at_us INTEGER NOT NULL,
    finished_at_us INTEGER,
    size_bytes INTEGER,
    sha256 TEXT NOT NULL DEFAULT '',
    sha3_256 TEXT NOT NULL DEFAULT '',
    record_id TEXT NOT NULL DEFAULT '',
    unreadable TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX hub_upload_record ON hub_upload (record_id, sha256) WHERE record_id <> '';
CREATE TABLE hub_part (
    upload_id TEXT NOT NULL REFERENCES hub_upload (upload_id),
    part INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    PRIMARY KEY (upload_id, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_sample (
    physical_sample_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    made_at_us INTEGER NOT NULL
) STRICT;
CREATE TABLE hub_project (
    project_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL UNIQUE,
    made_at_us INTEGER NOT NULL
) STRICT;
CREATE TABLE hub_tracking (
    project_id TEXT NOT NULL REFERENCES hub_project (project_id),
    physical_sample_id TEXT NOT NULL REFERENCES hub_sample (physical_sample_id),
    active INTEGER NOT NULL,
    PRIMARY KEY (project_id, physical_sample_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE hub_secret (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way in, or arrived (``finished_at_utc`` set).

    Attributes
    ----------
    new_filename : str
        Name of the object in the bucket: a UUID and the extension.
    file_name : str
        Last component of the sender's file name: foreign text.
    unreadable : str
        Why the file is no spectrum; empty when it is one.
    key_id : str
        The key it was uploaded with; empty for the hub's own.
    is_taken : bool
        Whether what its bytes are has been settled.
    same_as : str or None
        The first entry of the same record with the same bytes: this upload is another name of it.
    members : int
        Number of spectra in a file of several, negative when its own bytes are kept no longer; 0 for a file of one.
    """

    upload_id: str
    data_id: str
    new_filename: str
    file_name: str
    parts: int
    physical_sample_id: str | None
    begun_at_utc: datetime
    finished_at_utc: datetime | None = None
    size_bytes: int | None = None
    sha256: str = ""
    sha3_256: str = ""
    record_id: str = ""
    unreadable: str = ""
    key_id: str = ""
    is_taken: bool = False
    same_as: str | None = None
    members: int = 0
    touched_at_utc: datetime | None = None


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A part that was received and synced to disk."""

    part: int
    md5: str
    size_bytes: int


UPLOAD_COLUMNS = (
    "upload_id, data_id, new_filename, file_name, parts, physical_sample_id, begun_at_us, finished_at_us, "
    "size_bytes, sha256, sha3_256, record_id, unreadable, key_id, taken, same_as, members, touched_at_us"
)


class Ingest:
    """The hub's part of the store; every method returns after the commit.

    Parameters
    ----------
    store : Store
        Its writer thread and readers are used; the tables are its own.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def secret(self) -> bytes:
        """Return the secret that signs bucket URLs: made once, so that URLs stay good over a restart."""
        fresh = secrets.token_bytes(32)

        def keep(db: Connection) -> bytes:
            db.execute("INSERT INTO hub_secret VALUES (1, ?) ON CONFLICT DO NOTHING", (fresh,))
            return bytes(db.execute("SELECT secret FROM hub_secret").fetchone()[0])

        return self._write(keep)

    def begin(self, upload: Upload) -> None:
        """Record an upload before its URLs are given out."""
        values = (
            upload.upload_id,
            upload.data_id,
            upload.new_filename,
            upload.file_name,
            upload.parts,
            upload.physical_sample_id,
            to_us(upload.begun_at_utc),
            upload.key_id,
        )
        self._write(
            lambda db: db.execute(
                "INSERT INTO hub_upload (upload_id, data_id, new_filename, file_name, parts, physical_sample_id,"
                " begun_at_us, key_id, touched_at_us, mark) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7,"
                " (SELECT coalesce(max(mark), 0) FROM ages))",
                values,
            )
        )

    def upload(self, upload_id: str) -> Upload | None:
        """Return the upload of that id."""
        return self._one("upload_id", upload_id)

    def upload_of(self, data_id: str) -> Upload | None:
        """Return the upload that became, or will become, that data entry."""
        return self._one("data_id", data_id)

    def put_part(self, upload_id: str, part: StagedPart) -> bool:
        """Record a received part; False when another one of its number was received before, which then counts."""
        values = (upload_id, part.part, part.md5, part.size_bytes)

        def put(db: Connection) -> bool:
            db.execute("INSERT INTO hub_part VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", values)
            query = "SELECT md5 FROM hub_part WHERE upload_id = ? AND part = ?"
            return bool(db.execute(query, values[:2]).fetchone()[0] == part.md5)

        return self._write(put)

    def forget_part(self, upload_id: str, part: int) -> None:
        """Let a part that was lost on the disk be sent again."""
        sql = "DELETE FROM hub_part WHERE upload_id = ? AND part = ?"
        self._write(lambda db: db.execute(sql, (upload_id, part)))

    def parts(self, upload_id: str) -> list[StagedPart]:
        """Received parts in order."""
        sql = "SELECT part, md5, size_bytes FROM hub_part WHERE upload_id = ? ORDER BY part"
        return [StagedPart(*row) for row in self._store.read(lambda db: db.execute(sql, (upload_id,)).fetchall())]

    def finish(self, upload: Upload) -> None:
        """Record that the whole file is here, with sizes and hashes, and count it for its key."""
        assert upload.finished_at_utc is not None
        at_us = to_us(upload.finished_at_utc)
        values = (at_us, upload.size_bytes, upload.sha256, upload.sha3_256, upload.upload_id)
        sql = (
            "UPDATE hub_upload SET finished_at_us = ?1, touched_at_us = ?1, size_bytes = ?2, sha256 = ?3, "
            "sha3_256 = ?4 WHERE upload_id = ?5 AND finished_at_us IS NULL"
        )

        def end(db: Connection) -> None:
            if db.execute(sql, values).rowcount:
                count_use(db, upload.key_id, upload.size_bytes or 0, from_us(at_us))

        self._write(end)

    def untaken(self, limit: int) -> list[str]:
        """Data ids of finished uploads whose bytes are still to be settled, the first finished first."""
        sql = (
            "SELECT data_id FROM hub_upload INDEXED BY hub_upload_untaken WHERE taken = 0 AND finished_at_us IS NOT "
            "NULL ORDER BY finished_at_us LIMIT ?"
        )
        return [row[0] for row in self._store.read(lambda db: db.execute(sql, (limit,)).fetchall())]

    def claim(self, claims: Sequence[Claim]) -> list[str]:
        """Find out which files are new: the id of the entry that holds each one's record and bytes.

        Decided in one transaction with the row that says so: two uploads of one file at once make one entry. A claim
        made twice, because a crash came in between, gives the same answer.
        """
        return self._write(lambda db: [settle_claim(db, claim) for claim in claims])

    def taken(self, data_id: str, unreadable: str = "", members: int = 0) -> None:
        """Settle what an upload's bytes are."""
        sql = "UPDATE hub_upload SET taken = 1, unreadable = ?, members = ? WHERE data_id = ?"
        self._write(lambda db: db.execute(sql, (unreadable, members, data_id)))

    def emptied(self) -> list[str]:
        """Data ids of files of several, none of whose spectra is kept any longer, and whose own bytes still are."""
        sql = (
            "SELECT data_id FROM hub_upload u WHERE members > 0 AND NOT EXISTS (SELECT 1 FROM hub_member m "
            "JOIN entries e USING (data_id) WHERE m.batch_data_id = u.data_id)"
        )
        return [row[0] for row in self._store.read(lambda db: db.execute(sql).fetchall())]

    def expired(self, keep_us: int, limit: int) -> list[Expired]:
        """Uploads that are kept no longer when entries are kept for so long; see :mod:`oesd.store.hub_expiry`."""
        return self._store.read(lambda db: expired_uploads(db, -(-keep_us // MARK_US), limit))

    def forget(self, gone: Sequence[Expired]) -> None:
        """Remove all that is known of uploads whose bytes were removed."""
        self._write(lambda db: forget_uploads(db, gone))

    def forget_bytes(self, data_id: str) -> None:
        """Note that the bytes of a file of several are kept no longer (its number of members turns negative)."""
        sql = "UPDATE hub_upload SET members = -members WHERE data_id = ? AND members > 0"
        self._write(lambda db: db.execute(sql, (data_id,)))

    def touch(self, data_ids: Sequence[str], now: datetime) -> None:
        """Note that entries were changed, by the engine or by hand."""
        rows = [(to_us(now), data_id) for data_id in data_ids]
        self._write(lambda db: db.executemany("UPDATE hub_upload SET touched_at_us = ? WHERE data_id = ?", rows))

    def entry_of(self, data_id: str) -> str:
        """The entry that an id stands for: its own, or the first one of the same record with the same bytes."""
        sql = "SELECT same_as FROM hub_upload WHERE data_id = ? AND same_as IS NOT NULL"
        row = self._store.read(lambda db: db.execute(sql, (data_id,)).fetchone())
        return data_id if row is None else str(row[0])

    def abandoned(self, begun_before: datetime) -> list[str]:
        """Uploads that were begun before a moment and are not finished."""
        sql = "SELECT upload_id FROM hub_upload WHERE finished_at_us IS NULL AND begun_at_us < ?"
        return [row[0] for row in self._store.read(lambda db: db.execute(sql, (to_us(begun_before),)).fetchall())]

    def needed(self) -> set[str]:
        """Uploads whose received parts are all that there is of them."""
        sql = "SELECT upload_id FROM hub_upload WHERE taken = 0"
        return {row[0] for row in self._store.read(lambda db: db.execute(sql).fetchall())}

    def _one(self, column: str, value: str) -> Upload | None:
        sql = f"SELECT {UPLOAD_COLUMNS} FROM hub_upload WHERE {column} = ?"  # noqa: S608
        row = self._store.read(lambda db: db.execute(sql, (value,)).fetchone())
        return None if row is None else upload_of_row(row)

    def _write(self, task: Callable[[Connection], T]) -> T:
        return self._store.write(task).result()


def upload_of_row(row: Sequence[Any]) -> Upload:
    """Upload from :data:`UPLOAD_COLUMNS`."""
    values = list(row)
    values[6], values[7], values[17] = from_us(row[6]), from_us_or_none(row[7]), from_us(row[17])
    values[14] = bool(row[14])
    return Upload(*values)
