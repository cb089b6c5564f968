"""How long what is to be uploaded has waited."""

from __future__ import annotations

from datetime import datetime

from oesd.store.database import Database
from oesd.store.moments import from_us

_OLDEST = """
SELECT e.created_at_us FROM outbox o JOIN entries e ON e.entry_no = o.entry_no WHERE o.ready = 1 AND o.open = 1
ORDER BY o.entry_no LIMIT 1
"""


def oldest_waiting(database: Database) -> datetime | None:
    """When the oldest spectrum was stored that is to be uploaded and is not confirmed; None when there is none."""
    row = database.read(lambda connection: connection.execute(_OLDEST).fetchone())
    return None if row is None else from_us(row[0])


def waited_s(database: Database, now: datetime) -> float | None:
    """How long it has waited, by the host's clock; None when nothing waits."""
    oldest = oldest_waiting(database)
    return None if oldest is None else max(0.0, (now - oldest).total_seconds())
