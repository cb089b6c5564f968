"""Labels of a run, which may change while it is on: each change is kept, the beginning of the run stays as it was.

What a spectrum carries stands in its own header, and is what it was taken and is forwarded with; here stands what the
run's next ones carry.
"""

from __future__ import annotations

from datetime import datetime

from oesd.model import RunRecord
from oesd.store.database import Connection
from oesd.store.headings import compact_json
from oesd.store.moments import to_us
from oesd.store.runs import insert_run

SCHEMA = """
CREATE TABLE run_labels (
    change_no   INTEGER PRIMARY KEY,
    run_no      INTEGER NOT NULL REFERENCES runs,
    at_us       INTEGER NOT NULL,
    labels      TEXT NOT NULL               -- all of them from then on
) STRICT;
CREATE INDEX run_labels_by_run ON run_labels (run_no, change_no);
CREATE TRIGGER run_labels_no_update BEFORE UPDATE ON run_labels
    BEGIN SELECT RAISE(ABORT, 'labels that a run had are never changed'); END;
CREATE TRIGGER run_labels_no_delete BEFORE DELETE ON run_labels
    BEGIN SELECT RAISE(ABORT, 'labels that a run had are never changed'); END;
"""


def label_run(connection: Connection, run: RunRecord, now: datetime) -> None:
    """Record the labels that a run has from now on; its beginning too if need be."""
    insert_run(connection, run)
    connection.execute(
        "INSERT INTO run_labels (run_no, at_us, labels) "
        "SELECT run_no, ?, ? FROM runs WHERE run_id = ? AND device_name = ?",
        (
            to_us(now),
            compact_json(dict(run.labels)),
            run.run_id,
            run.device_name,
        ),
    )
