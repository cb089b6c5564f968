"""SQLite's log beside the database, kept from growing for ever.

SQLite begins the log anew only at a commit at which nobody reads in it. Where readers overlap without a gap, those of
a hub for one, that moment never comes: all that is worked into the database stays in the log, too. So now and then the
writer waits for the readers of that moment, those that come meanwhile need the log no more, and the log is empty.
"""

from __future__ import annotations

from pathlib import Path

from oesd.store.connection import BUSY_S
from oesd.store.database import Connection

LIMIT_BYTES = 1 << 26
_WAITED_MS, _USUAL_MS = 250, round(1000 * BUSY_S)


class LogKeeping:
    """What the writer does between two groups.

    Parameters
    ----------
    database : Path
        The SQLite file.
    limit_bytes : int
        Size from which on the log is too long. A reader that stays longer than a quarter of a second, such as a
        backup, is not waited for again before the log has grown by as much once more.
    """

    def __init__(self, database: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._log = database.with_name(f"{database.name}-wal")
        self._limit_bytes = self._allowed_bytes = limit_bytes

    def look(self, connection: Connection) -> None:
        """Empty the log when it is too long and its readers let it; raises sqlite3.Error."""
        try:
            size_bytes = self._log.stat().st_size
        except OSError:
            return  # there is none yet; a disk that cannot tell is met at the next commit
        if size_bytes > self._allowed_bytes:
            self._allowed_bytes = size_bytes + self._limit_bytes  # also where emptying it fails: a disk that is full
            if _emptied(connection):
                self._allowed_bytes = self._limit_bytes


def _emptied(connection: Connection) -> bool:
    connection.execute(f"PRAGMA busy_timeout = {_WAITED_MS}")
    try:
        ((busy, *_),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_USUAL_MS}")
    return bool(busy == 0)
