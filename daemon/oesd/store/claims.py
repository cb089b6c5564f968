"""Which of the files that arrive at a hub are new: the same record with the same bytes is one entry, however often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from oesd.store.database import Connection
from oesd.store.moments import to_us
from oesd.store.tombstones import packed

if TYPE_CHECKING:
    from oesd.store.ingest import Upload


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that may be a new entry; ``batch_id`` is the data id of the upload that it was taken out of, if any."""

    file: Upload
    batch_id: str = ""


def settle_claim(db: Connection, claim: Claim) -> str:
    """The id of the entry that holds a file: its own, or that of the first one with its record and bytes."""
    file = claim.file
    first = _first(db, file)
    if claim.batch_id:
        first = first or _member(db, file)
        db.execute("INSERT INTO hub_member VALUES (?, ?) ON CONFLICT DO NOTHING", (claim.batch_id, first))
        return str(first)
    db.execute(
        "UPDATE hub_upload SET record_id = ?, same_as = ? WHERE data_id = ?", (file.record_id, first, file.data_id)
    )
    return file.data_id if first is None else str(first)


def _first(db: Connection, file: Upload) -> str | None:
    """The first entry with a file's record and bytes that is still kept; the file's own does not count."""
    query = (
        "SELECT data_id FROM hub_upload WHERE record_id = ? AND sha256 = ? AND record_id <> '' AND "
        "same_as IS NULL AND data_id <> ? ORDER BY data_id"
    )
    rows = db.execute(query, (file.record_id, file.sha256, file.data_id))
    return next((str(row[0]) for row in rows.fetchall() if not was_let_go(db, row[0])), None)


def was_let_go(db: Connection, data_id: str) -> bool:
    """Whether an entry was removed because its time was over."""
    found = db.execute("SELECT 1 FROM tombstones WHERE data_id = ?", (packed(data_id),)).fetchone()
    return found is not None


def _member(db: Connection, file: Upload) -> str:
    assert file.finished_at_utc is not None
    db.execute(
        "INSERT INTO hub_upload (upload_id, data_id, new_filename, file_name, parts, physical_sample_id, "
        "begun_at_us, finished_at_us, touched_at_us, size_bytes, sha256, sha3_256, record_id, key_id, taken, mark) "
        "VALUES (?1, ?2, '', ?3, 0, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11, 1, "
        "(SELECT coalesce(max(mark), 0) FROM ages)) ON CONFLICT DO NOTHING",
        (
            file.upload_id,
            file.data_id,
            file.file_name,
            file.physical_sample_id,
            to_us(file.begun_at_utc),
            to_us(file.finished_at_utc),
            file.size_bytes,
            file.sha256,
            file.sha3_256,
            file.record_id,
            file.key_id,
        ),
    )
    return file.data_id
