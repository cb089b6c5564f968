"""What a hub keeps no longer of uploads that are no entries, or whose entries were let go.

::

    begun --keep--> unreadable, or never finished: its bytes and its row go
          --keep--> its entry is let go, the row says so --keep--> the row goes

Age is counted as :mod:`oesd.store.keeping` counts it, in marks of ten minutes of the hub's own life: no date makes
anything old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oesd.store.database import Connection

SCHEMA = """
ALTER TABLE hub_upload ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;  -- of the hub's life (ages), when it was begun
UPDATE hub_upload SET mark = (SELECT coalesce(max(mark), 0) FROM ages);
CREATE INDEX hub_upload_by_mark ON hub_upload (mark);
"""

MARK_US = 600_000_000  # as keeping counts
_NO_ENTRY = """
NOT EXISTS (SELECT 1 FROM entries e WHERE e.data_id = coalesce(u.same_as, u.data_id))
AND NOT EXISTS (SELECT 1 FROM hub_member m JOIN entries e ON e.data_id = m.data_id WHERE m.batch_data_id = u.data_id)
"""
_EXPIRED = f"""
SELECT u.data_id, u.upload_id FROM hub_upload u WHERE u.mark <= (SELECT max(mark) FROM ages) - ?1 AND (
    u.finished_at_us IS NULL OR u.unreadable <> ''
    OR (u.taken = 1 AND u.mark <= (SELECT max(mark) FROM ages) - 2 * ?1 AND {_NO_ENTRY})
) ORDER BY u.mark LIMIT ?2
"""  # noqa: S608  (texts of this module)


@dataclass(frozen=True, slots=True)
class Expired:
    """An upload whose time is over."""

    data_id: str
    upload_id: str


def expired_uploads(connection: Connection, keep_marks: int, limit: int) -> list[Expired]:
    """Uploads that are to go when entries are kept for so many marks, the oldest first."""
    return [Expired(*row) for row in connection.execute(_EXPIRED, (keep_marks, limit)).fetchall()]


def forget_uploads(connection: Connection, gone: Sequence[Expired]) -> None:
    """Remove all that is known of uploads; their bytes have gone before, or would never be found again."""
    for one in gone:
        connection.execute("DELETE FROM hub_part WHERE upload_id = ?", (one.upload_id,))
        connection.execute("DELETE FROM hub_member WHERE batch_data_id = ?1 OR data_id = ?1", (one.data_id,))
        connection.execute("DELETE FROM hub_upload WHERE data_id = ?", (one.data_id,))
