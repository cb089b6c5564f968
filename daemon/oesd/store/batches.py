"""Batches: several records that go up as one file, and one by one again when that file is refused.

::

    fresh records --gather--> batch: stored -> presigned -> ... -> confirmed --settle--> each record: confirmed, and on
         ^                                        |
         '---- each on its own, for good ---- refused

A batch is an item of the outbox with a number of its own; its records stand still (``open = 0``) and show its state.
A record that was ever tried by itself never joins one.
"""

from __future__ import annotations

from collections.abc import Mapping

from oesd.model import new_id
from oesd.store.database import Connection
from oesd.store.headings import HEADER, head_or_none
from oesd.store.waiting import UNTRIED

SCHEMA = """
ALTER TABLE outbox ADD COLUMN alone INTEGER NOT NULL DEFAULT 0;  -- tried by itself: never to join a batch
ALTER TABLE outbox ADD COLUMN batch_no INTEGER;                  -- of the batch it goes, or went up, with
UPDATE outbox SET alone = 1 WHERE state != 'stored' OR next_attempt_us > 0 OR sha256 != '';
DROP INDEX outbox_oldest;
CREATE INDEX outbox_fresh ON outbox (alone, entry_no) WHERE ready = 1 AND open = 1 AND next_attempt_us = 0;
CREATE INDEX outbox_of_batch ON outbox (batch_no) WHERE batch_no IS NOT NULL;
CREATE TABLE batches (
    batch_no    INTEGER PRIMARY KEY,
    batch_id    TEXT NOT NULL UNIQUE,       -- its file is named by it, as a record's by the record id
    state       TEXT NOT NULL DEFAULT 'stored',
    open        INTEGER NOT NULL DEFAULT 1,
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_attempt_us INTEGER NOT NULL DEFAULT 0,
    revision    INTEGER,                    -- always NULL: a file of several has none
    file_name   TEXT NOT NULL DEFAULT '',
    sha256      TEXT NOT NULL DEFAULT '',
    size_bytes  INTEGER NOT NULL DEFAULT 0,
    remote_data_id TEXT NOT NULL DEFAULT '',
    upload_id   TEXT NOT NULL DEFAULT '',
    new_filename TEXT NOT NULL DEFAULT '',
    parts       TEXT NOT NULL DEFAULT '[]',
    issued_at_us INTEGER,
    orphaned_ids TEXT NOT NULL DEFAULT '[]',
    last_error  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX batches_next ON batches (next_attempt_us) WHERE open = 1;
"""

_FRESH = f"{UNTRIED} AND alone = 0"
_LOOKED_AT = 4  # times the size of a batch: records of other runs in between are left for the next one


def fresh_waiting(connection: Connection, most: int) -> int:
    """Number of records that could join a batch, counted up to a limit."""
    query = f"SELECT count(*) FROM (SELECT 1 FROM outbox INDEXED BY outbox_fresh WHERE {_FRESH} LIMIT ?) f"  # noqa: S608
    return int(connection.execute(query, (most,)).fetchone()[0])


def unbegun(connection: Connection) -> int:
    """Number of batches that nobody has begun to send."""
    query = "SELECT count(*) FROM batches WHERE open = 1 AND next_attempt_us = 0 AND state = 'stored'"
    return int(connection.execute(query).fetchone()[0])


def gather(connection: Connection, most: int, newest_first: bool) -> int:
    """Make a batch of at most ``most`` fresh records of one run, beginning at one end; returns how many it took.

    Of one run, because a run's labels say where its records are filed. A record without company is marked to go
    alone.
    """
    numbers = _of_one_run(connection, most, newest_first)
    if len(numbers) == 1:
        connection.execute("UPDATE outbox SET alone = 1 WHERE entry_no = ?", numbers)
    elif numbers:
        query = "INSERT INTO batches (batch_id) VALUES (?) RETURNING batch_no"
        (batch_no,) = connection.execute(query, (new_id(),)).fetchone()
        connection.executemany(
            "UPDATE outbox SET batch_no = ?, open = 0 WHERE entry_no = ?", [(batch_no, number) for number in numbers]
        )
    return len(numbers)


def follow(connection: Connection, batch_no: int, state: str) -> None:
    """Let the records of a batch show its state."""
    connection.execute("UPDATE outbox SET state = ?1 WHERE batch_no = ?2 AND state != ?1", (state, batch_no))


def dissolve(connection: Connection, batch_no: int) -> None:
    """Let each record of a refused batch go alone: the one that is poison is then found by itself."""
    connection.execute(
        "UPDATE outbox SET state = 'stored', open = 1, alone = 1, batch_no = NULL WHERE batch_no = ?", (batch_no,)
    )


def expel(connection: Connection, batch_no: int, data_id: str, reason: str) -> None:
    """Put one record of a batch in quarantine; the others go on without it."""
    connection.execute(
        "UPDATE outbox SET state = 'quarantined', open = 0, batch_no = NULL, last_error = ? WHERE batch_no = ? AND "
        "entry_no = (SELECT entry_no FROM entries WHERE data_id = ?)",
        (reason, batch_no, data_id),
    )


def settle(
    connection: Connection, batch_no: int, remote_ids: Mapping[str, str], poll_us: int | None, reason: str
) -> None:
    """Let the records of a confirmed batch go on by themselves, as what the server made of each.

    Parameters
    ----------
    remote_ids : mapping
        Remote data id by local one; a record without one has arrived, and that is all (``reason``).
    poll_us : int or None
        When to look for their results first; None when nobody looks: they are through.
    """
    connection.executemany(
        "UPDATE outbox SET open = ?, remote_data_id = ?, next_attempt_us = ? WHERE batch_no = ? AND state = "
        "'confirmed' AND entry_no = (SELECT entry_no FROM entries WHERE data_id = ?)",
        [(poll_us is not None, remote, poll_us or 0, batch_no, data_id) for data_id, remote in remote_ids.items()],
    )
    connection.execute(
        "UPDATE outbox SET state = 'processed', last_error = CASE remote_data_id WHEN '' THEN ? ELSE '' END "
        "WHERE batch_no = ? AND open = 0 AND state = 'confirmed'",
        (reason, batch_no),
    )


def members(connection: Connection, batch_no: int) -> dict[str, str]:
    """Record ids of a batch's records by data id, in the order of storing."""
    rows = connection.execute(
        "SELECT e.data_id, coalesce(c.record_id, e.data_id) FROM outbox o JOIN entries e USING (entry_no) "
        "LEFT JOIN captures c ON c.capture_no = e.sample_no WHERE o.batch_no = ? ORDER BY o.entry_no",
        (batch_no,),
    )
    return dict(rows.fetchall())


def _of_one_run(connection: Connection, most: int, newest_first: bool) -> list[int]:
    rows = connection.execute(
        f"SELECT o.entry_no, {HEADER} FROM outbox o INDEXED BY outbox_fresh "  # noqa: S608
        "JOIN entries e USING (entry_no) LEFT JOIN captures c ON c.capture_no = e.sample_no "
        f"WHERE {_FRESH} ORDER BY o.entry_no {'DESC' if newest_first else 'ASC'} LIMIT ?",
        (most * _LOOKED_AT,),
    ).fetchall()
    runs = [(number, _run_of(*header)) for number, *header in rows]
    return [number for number, run in runs if run == runs[0][1]][:most]


def _run_of(header: str | None, heading: str | None) -> object:
    """The run of a capture and its labels; the same for all files, and damaged headers: their own upload finds that."""
    head = head_or_none(header, heading)
    return head and (head.get("run_id"), head.get("labels"))
