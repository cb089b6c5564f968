"""Records that were let go: each leaves a tombstone, and nothing goes without one.

::

    tombstone -> the entry's rows -> the entry -> its captures        one transaction

The triggers see to it: an entry or a file is deleted only when its tombstone stands, a capture only when its entry was
deleted so. The ledger goes on counting what was stored; what was let go of it is a sum of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us

_DROPS = "".join(f"DROP TRIGGER {table}_no_delete;\n" for table in ("entries", "captures", "files"))


def _kept_unless(table: str, allowed: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN NOT EXISTS ({allowed}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed: they go with a tombstone or not at all'); END;\n"
    )


def _less(table: str) -> str:
    return (
        f"CREATE TRIGGER ledger_{table}_gone AFTER DELETE ON {table} BEGIN "  # noqa: S608  (texts of this module)
        f"INSERT INTO ledger VALUES ('{table}', OLD.state, -1) "
        "ON CONFLICT DO UPDATE SET number = number + excluded.number; END;\n"
    )


_TABLES = """
CREATE TABLE tombstones (
    entry_no    INTEGER PRIMARY KEY,
    data_id     BLOB NOT NULL,              -- UUIDs in 16 bytes
    record_id   BLOB NOT NULL,
    remote_data_id BLOB NOT NULL,           -- where it can be found, empty when nowhere
    sha256      BLOB NOT NULL,              -- of the capture, or of the file's bytes
    of_file     INTEGER NOT NULL,
    shorts      INTEGER NOT NULL,           -- shorter exposures that went with it
    reason      TEXT NOT NULL,
    taken_at_us INTEGER NOT NULL,
    at_us       INTEGER NOT NULL
) STRICT;
CREATE INDEX tombstones_by_id ON tombstones (data_id);
CREATE TRIGGER tombstones_no_delete BEFORE DELETE ON tombstones
    BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER tombstones_no_update BEFORE UPDATE ON tombstones
    BEGIN SELECT RAISE(ABORT, 'tombstones are never changed'); END;
CREATE TRIGGER ledger_tombstones AFTER INSERT ON tombstones BEGIN
    INSERT INTO ledger VALUES (iif(NEW.of_file, 'tombstoned files', 'tombstoned'), NEW.reason, 1)
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
END;
CREATE TABLE let_go (capture_no INTEGER PRIMARY KEY) STRICT;  -- empty but within a transaction
CREATE TRIGGER let_captures_go AFTER DELETE ON entries WHEN OLD.sample_no IS NOT NULL BEGIN
    INSERT INTO let_go SELECT OLD.sample_no UNION ALL SELECT OLD.short_no WHERE OLD.short_no IS NOT NULL;
END;
CREATE TRIGGER captures_gone AFTER DELETE ON captures BEGIN DELETE FROM let_go WHERE capture_no = OLD.capture_no; END;
CREATE INDEX entries_by_dark ON entries (dark_no) WHERE dark_no IS NOT NULL;   -- a capture is referred to, or not
CREATE INDEX entries_by_reference ON entries (reference_no) WHERE reference_no IS NOT NULL;
CREATE INDEX outbox_confirmed ON outbox (entry_no) WHERE state IN ('confirmed', 'processed');
"""
SCHEMA = (
    _TABLES
    + _DROPS
    + _kept_unless("entries", "SELECT 1 FROM tombstones WHERE entry_no = OLD.entry_no")
    + _kept_unless("files", "SELECT 1 FROM tombstones WHERE entry_no = OLD.entry_no")
    + _kept_unless("captures", "SELECT 1 FROM let_go WHERE capture_no = OLD.capture_no")
    + _less("processing")
    + _less("outbox")
)

_STAND = """
INSERT INTO tombstones
SELECT e.entry_no, ?, ?, ?, ?, CASE WHEN e.sample_no IS NULL THEN 1 ELSE 0 END,
       CASE WHEN e.short_no IS NULL THEN 0 ELSE 1 END, ?, e.taken_at_us, ?
FROM entries e WHERE e.entry_no = ?
"""
_KNOWN = """
SELECT e.data_id, coalesce(c.record_id, f.record_id), coalesce(o.remote_data_id, ''), c.sha256, f.sha256,
       e.sample_no, e.short_no
FROM entries e LEFT JOIN captures c ON c.capture_no = e.sample_no LEFT JOIN files f ON f.entry_no = e.entry_no
LEFT JOIN outbox o ON o.entry_no = e.entry_no WHERE e.entry_no = ?
"""
_ROWS = (
    "DELETE FROM patches WHERE override_no IN (SELECT override_no FROM overrides WHERE entry_no = ?)",
    *(
        f"DELETE FROM {table} WHERE entry_no = ?"  # noqa: S608  (fixed names)
        for table in ("overrides", "results", "remote_results", "outbox", "processing", "files", "entries")
    ),
)


_WHY = {
    "thinned": "old spectra are thinned, [store] full_rate",
    "confirmed": "the disk had no room, and it was confirmed",
    "unconfirmed": "the disk had no room, and [store] on_full allowed it",
    "expired": "it was kept as long as was asked",
}


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is known of a record that was let go.

    Attributes
    ----------
    remote_data_id : str
        Where the API has it, "" when it was never uploaded.
    sha256 : str
        Hex, of the capture with all that was known of it (the half that is stored), or of the file's bytes.
    reason : str
        ``thinned``, ``confirmed`` (room was needed, the API has it), ``unconfirmed`` (room was needed) or ``expired``.
    """

    data_id: str
    record_id: str
    remote_data_id: str
    sha256: str
    reason: str
    taken_at_utc: datetime
    at_utc: datetime

    @property
    def text(self) -> str:
        """What became of it, in a sentence."""
        why = _WHY.get(self.reason, self.reason)
        there = f"; the API has it as {self.remote_data_id}" if self.remote_data_id else ""
        return f"it was let go on {self.at_utc:%Y-%m-%d %H:%M} UTC ({why}){there}"


def let_go(connection: Connection, entries: Sequence[int], reason: str, now: datetime) -> int:
    """Put a tombstone in the place of each entry, with all that belongs to it; one that has gone is left out.

    Darks and references stay: other entries refer to them, and the library learns from them.

    Returns
    -------
    int
        How many were let go.
    """
    gone = 0
    for number in entries:
        row = connection.execute(_KNOWN, (number,)).fetchone()
        if row is not None:
            data_id, record_id, remote_id, sha256, of_file, *captures = row
            ids = (packed(data_id), packed(record_id), packed(remote_id))
            digest = bytes.fromhex(of_file) if sha256 is None else sha256
            connection.execute(_STAND, (*ids, digest, reason, to_us(now), number))
            _delete(connection, number, [capture for capture in captures if capture is not None])
            gone += 1
    return gone


def _delete(connection: Connection, number: int, captures: Sequence[int]) -> None:
    for statement in _ROWS:
        connection.execute(statement, (number,))
    for capture in captures:
        connection.execute("DELETE FROM captures WHERE capture_no = ?", (capture,))


def load_tombstone(connection: Connection, data_id: str) -> Tombstone | None:
    """The tombstone of an entry by its id; None when it was never let go."""
    row = connection.execute(
        "SELECT record_id, remote_data_id, sha256, reason, taken_at_us, at_us FROM tombstones WHERE data_id = ?",
        (packed(data_id),),
    ).fetchone()
    if row is None:
        return None
    record_id, remote_id, sha256, reason, taken_at_us, at_us = row
    ids = _text(record_id), _text(remote_id)
    return Tombstone(data_id, *ids, sha256.hex(), reason, from_us(taken_at_us), from_us(at_us))


def packed(name: str) -> bytes:
    """A UUID in its 16 bytes; any other name after a sign, in any other number of them."""
    try:
        uuid = UUID(name).bytes
    except ValueError:
        uuid = b""
    if uuid and str(UUID(bytes=uuid)) == name:
        return uuid
    plain = b"=" + name.encode()
    return plain + b"\0" if len(plain) == 16 else plain


def _text(packed: bytes) -> str:
    return str(UUID(bytes=packed)) if len(packed) == 16 else packed[1:].decode().removesuffix("\0")
