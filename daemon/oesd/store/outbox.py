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
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from oesd.store import batches, patches
from oesd.store.database import Connection, Database
from oesd.store.errors import UnknownEntry
from oesd.store.moments import from_us, from_us_or_none, to_us, to_us_or_none
from oesd.store.patches import OverridePatch
from oesd.store.waiting import PUT_OFF, UNTRIED

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
    batch_no : int
        Of a batch of records that go as one file (``data_id`` and ``record_id`` are then the batch's); 0 for a record.
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
    batch_no: int = 0


_FIELDS = tuple(field.name for field in fields(OutboxItem))
# Columns in the order of the fields.
_STATE = """
       o.state, o.attempts, o.next_attempt_us, o.revision, o.file_name, o.sha256, o.size_bytes, o.remote_data_id,
       o.upload_id, o.new_filename, o.parts, o.issued_at_us, o.orphaned_ids, o.last_error
"""
_ITEM = f"""
SELECT e.data_id, coalesce(c.record_id, e.data_id), {_STATE}, 0
FROM outbox o JOIN entries e USING (entry_no) LEFT JOIN captures c ON c.capture_no = e.sample_no
"""  # noqa: S608  (texts of this module, here and below)
_UNTRIED = _ITEM.replace("outbox o", "outbox o INDEXED BY outbox_fresh") + (f"WHERE {UNTRIED} AND o.alone = 0")
# One query for each range of one index: together they would be a scan of all that waits.
_BEGUN = (
    f"{_UNTRIED.replace('o.alone = 0', 'o.alone = 1')} ORDER BY o.entry_no LIMIT :limit",
    *(
        f"{_ITEM} WHERE {PUT_OFF} AND {times} ORDER BY o.next_attempt_us LIMIT :limit"
        for times in ("o.next_attempt_us <= :now", "o.next_attempt_us > :horizon")
    ),
)
_UPDATE = """
UPDATE {table} SET state = :state, open = :open, attempts = :attempts, next_attempt_us = :next_attempt_us,
       revision = :revision, file_name = :file_name, sha256 = :sha256, size_bytes = :size_bytes,
       remote_data_id = :remote_data_id, upload_id = :upload_id, new_filename = :new_filename, parts = :parts,
       issued_at_us = :issued_at_us, orphaned_ids = :orphaned_ids, last_error = :last_error
"""
_OF_ENTRY = " WHERE entry_no = (SELECT entry_no FROM entries WHERE data_id = :data_id)"
_UPDATE_RECORD = _UPDATE.format(table="outbox") + ", alone = 1" + _OF_ENTRY
_UPDATE_BATCH = _UPDATE.format(table="batches") + " WHERE batch_no = :batch_no"
_OFFER_AGAIN = """
UPDATE outbox SET state = 'stored', open = 1, alone = 1, attempts = 0, next_attempt_us = 0, remote_data_id = '',
       upload_id = '', new_filename = '', parts = '[]', issued_at_us = NULL
WHERE entry_no IN (SELECT entry_no FROM outbox WHERE state = 'quarantined' ORDER BY entry_no LIMIT ?)
"""
_BATCH = f"""
SELECT o.batch_id, o.batch_id, {_STATE}, o.batch_no FROM batches o
WHERE o.open = 1 AND (o.next_attempt_us <= :now OR o.next_attempt_us > :horizon)
ORDER BY o.state = 'stored' DESC, o.batch_no LIMIT :limit
"""  # noqa: S608


class Outbox:
    """Persistent state of the uploads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(
        self, now: datetime, limit: int = 10, *, newest_first: bool = False, fresh: bool = True
    ) -> list[OutboxItem]:
        """Items that are ready and whose time has come; what has begun gets at most half of the places.

        Of the records that were never tried a quarter comes from the far end of the queue: with the oldest first, live
        spectra do not wait for a backlog; with the newest first, the backlog gets on. The newest come first of all.

        A next attempt more than :data:`LONGEST_WAIT` ahead counts as come: the clock was wrong when it was set.

        Parameters
        ----------
        newest_first : bool
            The order of records that were never tried.
        fresh : bool
            False leaves those out: they go in batches.
        """
        when = _when(now, limit)

        def look(db: Connection) -> list[OutboxItem]:
            untried = _untried(db, limit, newest_first) if fresh else []
            begun = _begun(db, when)[: max(limit - len(untried), limit // 2)]
            live = limit // 4 if len(untried) + len(begun) >= limit else 0
            return [*untried[:live], *begun, *untried[live : limit - len(begun)]]

        return self._database.read(look)

    def next_due(self) -> datetime | None:
        """Moment of the first next attempt, long past for an item never tried; None when nothing is open."""
        query = (
            f"SELECT min(first) FROM (SELECT min(next_attempt_us) AS first FROM outbox WHERE {PUT_OFF} "  # noqa: S608
            f"UNION ALL SELECT 0 WHERE EXISTS (SELECT 1 FROM outbox INDEXED BY outbox_fresh WHERE {UNTRIED}) "
            "UNION ALL SELECT min(next_attempt_us) FROM batches WHERE open = 1) b"
        )
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

        def change(db: Connection) -> None:
            values = _columns(item)
            if item.batch_no:
                db.execute(_UPDATE_BATCH, values)
                if item.state is OutboxState.QUARANTINED:
                    batches.dissolve(db, item.batch_no)
                else:
                    batches.follow(db, item.batch_no, item.state.value)
            elif db.execute(_UPDATE_RECORD, values).rowcount != 1:
                raise UnknownEntry(item.data_id)

        return self._database.write(change)

    def offer_again(self, most: int) -> Future[int]:
        """Take records that were set aside back into the queue, each by itself; the future has how many it took."""
        return self._database.write(lambda db: db.execute(_OFFER_AGAIN, (most,)).rowcount)

    def counts(self) -> dict[str, int]:
        """Number of items by state; a state that has none is left out."""
        query = "SELECT name, number FROM ledger WHERE account = 'outbox' AND number != 0"
        return dict(self._database.read(lambda db: db.execute(query).fetchall()))

    # Batches.

    def fresh_waiting(self, most: int) -> int:
        """Number of records that could join a batch, counted up to a limit."""
        return self._database.read(lambda db: batches.fresh_waiting(db, most))

    def batches_waiting(self) -> int:
        """Number of batches that nobody has begun to send."""
        return self._database.read(batches.unbegun)

    def gather(self, most: int, *, newest_first: bool) -> Future[int]:
        """Make a batch of the records that wait at one end of the queue; see :func:`oesd.store.batches.gather`."""
        return self._database.write(lambda db: batches.gather(db, most, newest_first))

    def members(self, batch: OutboxItem) -> dict[str, str]:
        """Record ids of a batch's records by data id, in the order of storing."""
        return self._database.read(lambda db: batches.members(db, batch.batch_no))

    def expel(self, batch: OutboxItem, data_id: str, reason: str) -> Future[None]:
        """Put one record of a batch in quarantine; the others go on without it."""
        return self._database.write(lambda db: batches.expel(db, batch.batch_no, data_id, reason))

    def settle(self, batch: OutboxItem, remote_ids: Mapping[str, str], poll_at_utc: datetime | None) -> Future[None]:
        """End a confirmed batch; each record goes on with its own remote id (by data id), or is through: poll None."""
        columns, poll_us = _columns(batch), to_us_or_none(poll_at_utc)

        def end(db: Connection) -> None:
            db.execute(_UPDATE_BATCH, columns)
            batches.settle(db, batch.batch_no, remote_ids, poll_us, batch.last_error)

        return self._database.write(end)

    # Overrides.

    def patches_due(self, now: datetime, limit: int = 10) -> list[OverridePatch]:
        """Local overrides to send now: their entry is processed remotely and no later override replaced them."""
        return self._database.read(lambda db: patches.patches_due(db, _when(now, limit)))

    def update_patch(self, patch: OverridePatch) -> Future[None]:
        """Store how far the sending of an override has come; one that was replaced meanwhile stays so."""
        return self._database.write(lambda db: patches.update_patch(db, patch))


def _untried(db: Connection, limit: int, newest_first: bool) -> list[OutboxItem]:
    """Records never tried: in order when all fit, else most from one end and a quarter from the other."""
    first = _end(db, limit, newest_first)
    far = limit // 4
    if len(first) < limit or not far:
        return first
    other = _end(db, far, not newest_first)
    near = [item for item in first[: limit - far] if item not in other]
    return near[: limit // 4] + other + near[limit // 4 :] if newest_first else other + near


def _end(db: Connection, limit: int, newest_first: bool) -> list[OutboxItem]:
    query = f"{_UNTRIED} ORDER BY o.entry_no {'DESC' if newest_first else 'ASC'} LIMIT ?"
    return [_item(row) for row in db.execute(query, (limit,))]


def _begun(db: Connection, when: dict[str, int]) -> list[OutboxItem]:
    """Batches, records that stand still within a step, records whose wait is over, and waits no wait of ours can be."""
    return [_item(row) for query in (_BATCH, *_BEGUN) for row in db.execute(query, when)]


def _when(now: datetime, limit: int) -> dict[str, int]:
    return {"now": to_us(now), "horizon": to_us(now + LONGEST_WAIT), "limit": limit}


def _columns(item: OutboxItem) -> dict[str, Any]:
    return {
        **{name: getattr(item, name) for name in _FIELDS},
        "state": item.state.value,
        "open": int(item.state not in FINAL),
        "next_attempt_us": to_us(item.next_attempt_at_utc),
        "issued_at_us": to_us_or_none(item.issued_at_utc),
        "parts": json.dumps([asdict(part) for part in item.parts]),
        "orphaned_ids": json.dumps(item.orphaned_ids),
    }


def _item(row: tuple[Any, ...]) -> OutboxItem:
    values = dict(zip(_FIELDS, row, strict=True))
    values["next_attempt_at_utc"] = from_us(values["next_attempt_at_utc"])
    values["issued_at_utc"] = from_us_or_none(values["issued_at_utc"])
    try:
        values["state"] = OutboxState(values["state"])
        values["parts"] = tuple(UploadPart(**part) for part in json.loads(values["parts"]))
        values["orphaned_ids"] = tuple(json.loads(values["orphaned_ids"]))
    except (ValueError, TypeError):
        values |= _ANEW
    return OutboxItem(**values)


_ANEW: dict[str, Any] = {
    "state": OutboxState.STORED,
    "remote_data_id": "",
    "upload_id": "",
    "new_filename": "",
    "parts": (),
    "issued_at_utc": None,
    "orphaned_ids": (),
    "last_error": "how far its upload had come is damaged on the disk: it begins anew",
}
"""Of an item of which that cannot be read: what the API has of it already is found by its record id."""
