"""What is to be uploaded and how far it has come; every step is committed before the next is taken.

::

    stored -> presigned -> uploaded -> completed -> confirmed -> processed
                 ^ |                      |  ^
                 '-'                      v  |            any -> quarantined (poison; never blocks the others)
                 (new URLs)             uncertain

The forwarder moves an item along by :meth:`Outbox.update`; this room only keeps it, and knows nothing of HTTP. Final
states are *processed* and *quarantined*.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from oesd.store.errors import StoreError, UnknownEntry
from oesd.store.moments import from_us, from_us_or_none, to_us, to_us_or_none

T = TypeVar("T")

# No retry waits this long, so a moment further ahead was set by a clock that was wrong: the item is due now.
LONGEST_WAIT = timedelta(hours=24)


class OutboxState(StrEnum):
    """How far an upload has come, as far as is known for certain."""

    STORED = "stored"
    PRESIGNED = "presigned"
    UPLOADED = "uploaded"
    COMPLETED = "completed"
    UNCERTAIN = "uncertain"
    CONFIRMED = "confirmed"
    PROCESSED = "processed"
    QUARANTINED = "quarantined"


FINAL = frozenset({OutboxState.PROCESSED, OutboxState.QUARANTINED})


@dataclass(frozen=True, slots=True)
class UploadPart:
    """One part: its number from 1, where to put it, and the bucket's answer once it is there."""

    part: int
    url: str
    etag: str = ""


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One entry on its way to the API.

    Attributes
    ----------
    revision : int or None
        Revision of the result that the file was rendered from; None before that, and when there is no result.
    sha256, size_bytes
        Of the rendered file; the hash in hex.
    parts : tuple of UploadPart
        As presigned, with the etags of those that are there.
    orphaned_ids : tuple of str
        Remote ids that a later presign superseded.
    """

    data_id: str
    record_id: str
    state: OutboxState
    attempts: int
    next_attempt_at_utc: datetime
    revision: int | None = None
    file_name: str = ""
    sha256: str = ""
    size_bytes: int = 0
    remote_data_id: str = ""
    upload_id: str = ""
    new_filename: str = ""
    parts: tuple[UploadPart, ...] = ()
    issued_at_utc: datetime | None = None
    orphaned_ids: tuple[str, ...] = ()
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class OverridePatch:
    """A local override that the API is to be told. ``state`` is ``pending``, ``sent`` or ``refused``."""

    data_id: str
    remote_data_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    candidate_key: str
    state: str
    attempts: int
    next_attempt_at_utc: datetime
    last_error: str = ""
    override_no: int = 0


class Database(Protocol):
    """The two ways to the tables: one writer, many readers."""

    def write(self, task: Callable[[sqlite3.Connection], T], /) -> Future[T]:
        """Run a task in the writer's next transaction."""
        ...

    def read(self, query: Callable[[sqlite3.Connection], T], /) -> T:
        """Run a query on a consistent state."""
        ...


_FIELDS = tuple(field.name for field in fields(OutboxItem))
# Columns in the order of the fields.
_ITEM = """
SELECT e.data_id, coalesce(c.record_id, e.data_id), o.state, o.attempts, o.next_attempt_us, o.revision, o.file_name,
       o.sha256, o.size_bytes, o.remote_data_id, o.upload_id, o.new_filename, o.parts, o.issued_at_us, o.orphaned_ids,
       o.last_error
FROM outbox o JOIN entries e USING (entry_no) LEFT JOIN captures c ON c.capture_no = e.sample_no
"""
_UPDATE = """
UPDATE outbox SET state = :state, open = :open, attempts = :attempts, next_attempt_us = :next_attempt_us,
       revision = :revision, file_name = :file_name, sha256 = :sha256, size_bytes = :size_bytes,
       remote_data_id = :remote_data_id, upload_id = :upload_id, new_filename = :new_filename, parts = :parts,
       issued_at_us = :issued_at_us, orphaned_ids = :orphaned_ids, last_error = :last_error
WHERE entry_no = (SELECT entry_no FROM entries WHERE data_id = :data_id)
"""
_PATCHES = """
SELECT e.data_id, o.remote_data_id, v.wavelength_nm, v.wavelength_sigma_nm, v.candidate_key, p.state, p.attempts,
       p.next_attempt_us, p.last_error, p.override_no
FROM patches p JOIN overrides v USING (override_no) JOIN outbox o USING (entry_no) JOIN entries e USING (entry_no)
WHERE p.state = 'pending' AND o.state = 'processed' AND NOT (p.next_attempt_us BETWEEN :now + 1 AND :horizon)
ORDER BY p.override_no LIMIT :limit
"""


class Outbox:
    """Persistent state of the uploads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: datetime, limit: int = 10) -> list[OutboxItem]:
        """Items that are ready and whose time has come, the first stored first.

        A next attempt more than :data:`LONGEST_WAIT` ahead counts as come: the clock was wrong when it was set.
        """
        query = (
            f"{_ITEM} WHERE o.ready = 1 AND o.open = 1 "
            "AND NOT (o.next_attempt_us BETWEEN :now + 1 AND :horizon) ORDER BY o.entry_no LIMIT :limit"
        )
        return self._database.read(lambda db: [_item(row) for row in db.execute(query, _when(now, limit))])

    def next_due(self) -> datetime | None:
        """Moment of the first next attempt, long past for an item never tried; None when nothing is open."""
        query = "SELECT min(next_attempt_us) FROM outbox WHERE ready = 1 AND open = 1"
        return from_us_or_none(self._database.read(lambda db: db.execute(query).fetchone()[0]))

    def item(self, data_id: str) -> OutboxItem | None:
        """The item of an entry, None when it is not to be uploaded."""
        query = f"{_ITEM} WHERE e.data_id = ?"
        row = self._database.read(lambda db: db.execute(query, (data_id,)).fetchone())
        return None if row is None else _item(row)

    def update(self, item: OutboxItem) -> Future[None]:
        """Store the whole item; take the next step only when the future is resolved.

        The future has UnknownEntry when the entry has no place in the outbox.
        """

        def change(db: sqlite3.Connection) -> None:
            if db.execute(_UPDATE, _columns(item)).rowcount != 1:
                raise UnknownEntry(item.data_id)

        return self._database.write(change)

    def counts(self) -> dict[str, int]:
        """Number of items by state; a state that has none is left out."""
        query = "SELECT name, number FROM ledger WHERE account = 'outbox' AND number != 0"
        return dict(self._database.read(lambda db: db.execute(query).fetchall()))

    def patches_due(self, now: datetime, limit: int = 10) -> list[OverridePatch]:
        """Local overrides to send now: their entry is processed remotely and no later override replaced them."""
        return self._database.read(lambda db: [_patch(row) for row in db.execute(_PATCHES, _when(now, limit))])

    def update_patch(self, patch: OverridePatch) -> Future[None]:
        """Store how far the sending of an override has come; one that was replaced meanwhile stays so."""
        row = (patch.state, patch.attempts, to_us(patch.next_attempt_at_utc), patch.last_error, patch.override_no)

        def change(db: sqlite3.Connection) -> None:
            query = "UPDATE patches SET state = ?, attempts = ?, next_attempt_us = ?, last_error = ? "
            found = db.execute("SELECT state FROM patches WHERE override_no = ?", row[-1:]).fetchone()
            if found is None:
                raise StoreError(f"no override {patch.override_no} is to be sent")
            db.execute(query + "WHERE override_no = ? AND state != 'replaced'", row)

        return self._database.write(change)


def _when(now: datetime, limit: int) -> dict[str, int]:
    return {"now": to_us(now), "horizon": to_us(now + LONGEST_WAIT), "limit": limit}


def _columns(item: OutboxItem) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in ("data_id", "attempts", "revision", "file_name", "sha256")},
        **{name: getattr(item, name) for name in ("size_bytes", "remote_data_id", "upload_id", "new_filename")},
        "last_error": item.last_error,
        "state": item.state.value,
        "open": int(item.state not in FINAL),
        "next_attempt_us": to_us(item.next_attempt_at_utc),
        "issued_at_us": to_us_or_none(item.issued_at_utc),
        "parts": json.dumps([asdict(part) for part in item.parts]),
        "orphaned_ids": json.dumps(item.orphaned_ids),
    }


def _item(row: tuple[Any, ...]) -> OutboxItem:
    values = dict(zip(_FIELDS, row, strict=True))
    values["state"] = OutboxState(values["state"])
    values["next_attempt_at_utc"] = from_us(values["next_attempt_at_utc"])
    values["parts"] = tuple(UploadPart(**part) for part in json.loads(values["parts"]))
    values["issued_at_utc"] = from_us_or_none(values["issued_at_utc"])
    values["orphaned_ids"] = tuple(json.loads(values["orphaned_ids"]))
    return OutboxItem(**values)


def _patch(row: tuple[Any, ...]) -> OverridePatch:
    data_id, remote_id, nm, sigma_nm, key, state, attempts, next_attempt_us, last_error, number = row
    due = from_us(next_attempt_us)
    return OverridePatch(data_id, remote_id, nm, sigma_nm, key, state, attempts, due, last_error, number)
