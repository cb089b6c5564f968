"""What waits to be uploaded, and for how long: two indices, and what they are asked for.

A record that was never put off stands in ``outbox_fresh``, one that was in ``outbox_next``, one that is through in
neither. SQLite ends every index with the row's number, so that the order of storing need not be a column of its own.
"""

from __future__ import annotations

from datetime import datetime

from oesd.store.database import Database
from oesd.store.moments import from_us

INDICES = """
DROP INDEX outbox_next;
CREATE INDEX outbox_next ON outbox (next_attempt_us) WHERE ready = 1 AND open = 1 AND next_attempt_us > 0;
"""
SHORTER_INDICES = """
DROP INDEX outbox_fresh;
CREATE INDEX outbox_fresh ON outbox (alone) WHERE ready = 1 AND open = 1 AND next_attempt_us = 0;
DROP INDEX entries_by_device;
CREATE INDEX entries_by_device ON entries (device_name);
"""
"""In SQLite alone: PostgreSQL's have no row's number at their end."""
UNTRIED = "ready = 1 AND open = 1 AND next_attempt_us = 0"
PUT_OFF = "ready = 1 AND open = 1 AND next_attempt_us > 0"
_OLDEST = f"""
SELECT created_at_us FROM entries WHERE entry_no = (SELECT min(number) FROM (
    SELECT min(entry_no) AS number FROM outbox INDEXED BY outbox_fresh WHERE {UNTRIED} AND alone = 0
    UNION ALL SELECT min(entry_no) FROM outbox INDEXED BY outbox_fresh WHERE {UNTRIED} AND alone = 1
    UNION ALL SELECT min(entry_no) FROM outbox INDEXED BY outbox_next WHERE {PUT_OFF}) n)
"""  # noqa: S608  (texts of this module)


def oldest_waiting(database: Database) -> datetime | None:
    """When the oldest spectrum was stored that is to be uploaded and is not confirmed; None when there is none."""
    row = database.read(lambda connection: connection.execute(_OLDEST).fetchone())
    return None if row is None else from_us(row[0])


def waited_s(database: Database, now: datetime) -> float | None:
    """How long it has waited, by the host's clock; None when nothing waits."""
    oldest = oldest_waiting(database)
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
