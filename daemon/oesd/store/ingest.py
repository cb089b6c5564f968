"""The hub's tables, and uploads on their way in.

An upload's life::

    begin() -> put_part() ... -> finish(): received bytes are an entry for good
       |                            |- readable: its spectrum is saved in the store, the engine's result follows
    "pending"                       '- not readable: "error", the bytes stay on disk as they came
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

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


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A part that was received and synced to disk."""

    part: int
    md5: str
    size_bytes: int


UPLOAD_COLUMNS = (
    "upload_id, data_id, new_filename, file_name, parts, physical_sample_id, begun_at_us, finished_at_us, "
    "size_bytes, sha256, sha3_256, record_id, unreadable"
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

        def keep(db: sqlite3.Connection) -> bytes:
            db.execute("INSERT OR IGNORE INTO hub_secret VALUES (1, ?)", (fresh,))
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
        )
        self._write(
            lambda db: db.execute(
                "INSERT INTO hub_upload (upload_id, data_id, new_filename, file_name, parts, physical_sample_id,"
                " begun_at_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        )

    def upload(self, upload_id: str) -> Upload | None:
        """Return the upload of that id."""
        return self._one("upload_id", upload_id)

    def upload_of(self, data_id: str) -> Upload | None:
        """Return the upload that became, or will become, that data entry."""
        return self._one("data_id", data_id)

    def put_part(self, upload_id: str, part: StagedPart) -> None:
        """Record a received part; the last one of a number counts."""
        values = (upload_id, part.part, part.md5, part.size_bytes)
        self._write(lambda db: db.execute("INSERT OR REPLACE INTO hub_part VALUES (?, ?, ?, ?)", values))

    def parts(self, upload_id: str) -> list[StagedPart]:
        """Received parts in order."""
        sql = "SELECT part, md5, size_bytes FROM hub_part WHERE upload_id = ? ORDER BY part"
        return [StagedPart(*row) for row in self._store.read(lambda db: db.execute(sql, (upload_id,)).fetchall())]

    def finish(self, upload: Upload) -> None:
        """Record that the whole file is an entry now: sizes, hashes, record id, and why it is unreadable if it is."""
        assert upload.finished_at_utc is not None
        values = (
            to_us(upload.finished_at_utc),
            upload.size_bytes,
            upload.sha256,
            upload.sha3_256,
            upload.record_id,
            upload.unreadable,
            upload.upload_id,
        )
        sql = (
            "UPDATE hub_upload SET finished_at_us = ?, size_bytes = ?, sha256 = ?, sha3_256 = ?, record_id = ?,"
            " unreadable = ? WHERE upload_id = ?"
        )
        self._write(lambda db: db.execute(sql, values))

    def unfinished(self, *, begun_before: datetime | None = None) -> set[str]:
        """Uploads that are not finished, all of them or those begun before a moment."""
        limit_us = to_us(begun_before) if begun_before else None
        sql = "SELECT upload_id FROM hub_upload WHERE finished_at_us IS NULL AND (?1 IS NULL OR begun_at_us < ?1)"
        return {row[0] for row in self._store.read(lambda db: db.execute(sql, (limit_us,)).fetchall())}

    def _one(self, column: str, value: str) -> Upload | None:
        sql = f"SELECT {UPLOAD_COLUMNS} FROM hub_upload WHERE {column} = ?"  # noqa: S608
        row = self._store.read(lambda db: db.execute(sql, (value,)).fetchone())
        return None if row is None else upload_of_row(row)

    def _write(self, task: Callable[[sqlite3.Connection], T]) -> T:
        return self._store.write(task).result()


def upload_of_row(row: Sequence[Any]) -> Upload:
    """Upload from :data:`UPLOAD_COLUMNS`."""
    values = list(row)
    values[6], values[7] = from_us(row[6]), from_us_or_none(row[7])
    return Upload(*values)
