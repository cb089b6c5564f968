"""Files of earlier versions: what is stored today, in the tables of then."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from oesd.store.headings import head_of
from oesd.store.integrity import fingerprint
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
        _with_whole_headers(db)
        for _, sql in triggers:
            db.execute(sql)
        db.execute("DETACH today")
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    old.replace(path)
    for rest in ("-wal", "-shm"):
        path.with_name(path.name + rest).unlink(missing_ok=True)


def _with_whole_headers(db: sqlite3.Connection) -> None:
    """Captures of then have all in their header, and a checksum of the blobs as they are."""
    rows = db.execute(
        "SELECT capture_no, record_id, kind, integration_us, taken_at_us, saturated, counts, spread, digest, header, "
        "(SELECT text FROM today.headings h WHERE h.heading_no = c.heading_no) "
        "FROM today.captures c JOIN today.devices USING (device_no)"
    ).fetchall()
    for number, *columns, saturated, counts, spread, digest, header, heading in rows:
        whole = json.dumps(head_of(header, heading))
        spreads = () if spread is None else (spread,)
        sha256 = fingerprint(*columns, whole, digest, saturated, counts, *spreads)
        db.execute("UPDATE main.captures SET header = ?, sha256 = ? WHERE capture_no = ?", (whole, sha256, number))
