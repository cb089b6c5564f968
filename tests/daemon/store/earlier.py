"""Files of earlier versions: what is stored today, in the tables of then."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from oesd.store.schema import APPLICATION_ID, STEPS


def set_back(path: Path, version: int) -> None:
    """Put a closed store's file back to the tables of a version; what that version did not know is lost."""
    old = path.with_suffix(".old")
    with sqlite3.connect(old, isolation_level=None) as db:
        db.executescript(";".join(STEPS[:version]))
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:  # they would count the rows again
            db.execute(f"DROP TRIGGER {name}")
        db.execute("ATTACH ? AS today", (str(path),))
        for table in [row[0] for row in db.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]:
            columns = ", ".join(row[1] for row in db.execute(f"PRAGMA main.table_info({table})"))
            db.execute(f"DELETE FROM main.{table}")
            db.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM today.{table}")
        for _, sql in triggers:
            db.execute(sql)
        db.execute("DETACH today")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    old.replace(path)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)
