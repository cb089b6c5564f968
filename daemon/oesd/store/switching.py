"""The switch: captures and results leave the pages for a segment that has the same, whole.

Rows are deleted and inserted again rather than updated: SQLite joins pages that have become almost empty only when rows
are deleted, and half of the room would stay taken. Results are inserted the last first: in order, each would be put
before the next large row that is still to go, and a third of the room between them would stay empty. All of it is one
transaction. The triggers let a capture go only when it is told in ``let_go``, and let one without blobs in only when
its segment is in the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oesd.store.database import Connection
from oesd.store.dense_counts import same_counts
from oesd.store.segment_file import Blobs, Record
from oesd.store.segments import Segment

SCHEMA = """
DROP TRIGGER captures_no_update;
CREATE TRIGGER captures_no_update BEFORE UPDATE OF
    capture_no, record_id, device_no, kind, integration_us, taken_at_us, header, heading_no, sha256 ON captures
    BEGIN SELECT RAISE(ABORT, 'captures are never changed'); END;
DROP TRIGGER ledger_captures;
CREATE TRIGGER ledger_captures AFTER INSERT ON captures WHEN NEW.segment_no IS NULL BEGIN
    INSERT INTO ledger VALUES ('captures', NEW.kind, 1)
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
END;
CREATE TRIGGER captures_only_switched BEFORE INSERT ON captures WHEN NEW.segment_no IS NOT NULL AND (
    NEW.place IS NULL OR NEW.length IS NULL OR NEW.counts != x'' OR NEW.saturated != x'' OR NEW.spread IS NOT NULL
    OR NOT EXISTS (SELECT 1 FROM segments WHERE segment_no = NEW.segment_no))
    BEGIN SELECT RAISE(ABORT, 'a capture has its blobs, or is in a segment'); END;
"""
_CAPTURE = "capture_no, record_id, device_no, kind, integration_us, taken_at_us, header, heading_no, sha256"
_RESULT = "result_no, entry_no, revision, made_at_us, peaks, elements, content, sha256"


def seal(connection: Connection, segment: Segment, found: Sequence[Record]) -> int:
    """Let captures have their blobs in a segment: those whose own are the same, or are in another one.

    With a capture goes its result, where that is the same.

    Returns
    -------
    int
        How many have.
    """
    connection.execute("PRAGMA defer_foreign_keys = ON")  # to be looked at when the rows are there again
    switched = [record for record in found if _may_go(connection, segment.segment_no, record)]
    captures = [_taken_out(connection, record) for record in switched]
    results = [row for record in switched if (row := _result_taken_out(connection, record)) is not None]
    places = [(segment.segment_no, record.place, record.length) for record in switched]
    connection.executemany(
        f"INSERT INTO captures ({_CAPTURE}, saturated, counts, segment_no, place, length) "  # noqa: S608  (fixed texts)
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, x'', x'', ?, ?, ?)",
        [(*row, *place) for row, place in zip(captures, places, strict=True)],
    )
    connection.executemany(
        f"INSERT INTO results ({_RESULT}, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?, x'')",  # noqa: S608
        results[::-1],
    )
    connection.execute("PRAGMA defer_foreign_keys = OFF")
    return len(switched)


def _may_go(connection: Connection, segment_no: int, record: Record) -> bool:
    """Whether a capture is in its pages, the same, or in another segment."""
    row = connection.execute(
        "SELECT segment_no, saturated, counts, spread FROM captures WHERE capture_no = ?", (record.capture_no,)
    ).fetchone()
    if row is None or row[0] == segment_no:
        return False
    return row[0] is not None or _are_same(Blobs(*row[1:]), record.blobs)


def _are_same(there: Blobs, sealed: Blobs) -> bool:
    others = (there.saturated, there.spread) == (sealed.saturated, sealed.spread)
    try:
        return others and same_counts(there.counts, sealed.counts)
    except ValueError:  # the one in the pages has been damaged since it was copied: it stays, and is found there
        return False


def _taken_out(connection: Connection, record: Record) -> tuple[Any, ...]:
    connection.execute("INSERT INTO let_go VALUES (?)", (record.capture_no,))
    row: tuple[Any, ...] = connection.execute(
        f"DELETE FROM captures WHERE capture_no = ? RETURNING {_CAPTURE}",  # noqa: S608  (fixed texts)
        (record.capture_no,),
    ).fetchone()
    return row


def _result_taken_out(connection: Connection, record: Record) -> tuple[Any, ...] | None:
    """The result whose payload is in the record, byte for byte; None when there is none in the pages."""
    row: tuple[Any, ...] | None = connection.execute(
        "DELETE FROM results WHERE entry_no = (SELECT entry_no FROM entries WHERE sample_no = ?) "  # noqa: S608
        f"AND revision = ? AND payload = ? AND payload != x'' RETURNING {_RESULT}",
        (record.capture_no, record.blobs.revision, record.blobs.result),
    ).fetchone()
    return row
