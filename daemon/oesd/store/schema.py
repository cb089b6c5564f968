"""The tables, and how a file gets to them from any earlier version.

``user_version`` is the number of steps a file has been through: a new file goes through all of them, an old one
through those it lacks, each in one transaction. A released step is never edited; a change is a new step.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from oesd.store.batches import SCHEMA as BATCH_TABLES
from oesd.store.connection import PAGE_SIZE, open_untouched
from oesd.store.errors import StoreDamaged, StoreNewer, translated
from oesd.store.first_tables import SCHEMA as FIRST_TABLES
from oesd.store.headings import SCHEMA as HEADING_TABLES
from oesd.store.hub_expiry import SCHEMA as HUB_EXPIRY_TABLES
from oesd.store.hub_keys import SCHEMA as HUB_KEY_TABLES
from oesd.store.ingest import SCHEMA as HUB_TABLES
from oesd.store.keeping import SCHEMA as KEEPING_TABLES
from oesd.store.labels import SCHEMA as LABEL_TABLES
from oesd.store.library import SCHEMA as LIBRARY_TABLES
from oesd.store.named_traces import SCHEMA as NAMED_TABLES
from oesd.store.remote import SCHEMA as REMOTE_TABLES
from oesd.store.sealed_results import SCHEMA as SEALED_RESULTS
from oesd.store.segments import SCHEMA as SEGMENT_TABLES
from oesd.store.slots import SCHEMA as SLOT_TABLES
from oesd.store.switching import SCHEMA as SWITCHING
from oesd.store.waiting import INDICES as WAITING_INDICES
from oesd.store.waiting import SHORTER_INDICES
from oesd.store.watch_events import SCHEMA as WATCH_TABLES

log = logging.getLogger(__name__)

APPLICATION_ID = 0x6F657364  # "oesd"

_BETTER_CAPTURES = """
ALTER TABLE captures ADD COLUMN spread BLOB;        -- standard deviation of the scans of each pixel; NULL with one scan
ALTER TABLE entries ADD COLUMN short_no INTEGER REFERENCES captures;  -- shorter exposure of a bracketed sample
CREATE UNIQUE INDEX entries_short ON entries (short_no) WHERE short_no IS NOT NULL;
CREATE TRIGGER ledger_short AFTER INSERT ON entries WHEN NEW.short_no IS NOT NULL BEGIN  -- it was counted as a sample
    INSERT INTO ledger VALUES ('captures', 'sample', -1), ('captures', 'short', 1)
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
END;
ALTER TABLE runs ADD COLUMN cause TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN labels TEXT NOT NULL DEFAULT '{}';        -- JSON
DROP TRIGGER runs_no_update;
CREATE TRIGGER runs_no_update BEFORE UPDATE OF
    run_no, run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id, cause, labels ON runs
    BEGIN SELECT RAISE(ABORT, 'the beginning of a run is never changed'); END;
"""

# Tables stay as they are: what versions before this one cannot read are captures whose header leaves out what is not
# known, and results whose peaks are told by predictions (peak_numbers.py).
_NEWER_FORMS = ""

_TOLD_BY_FILES = """
ALTER TABLE entries ADD COLUMN heading_no INTEGER REFERENCES headings;  -- of a file: run and labels of its own header
"""

_ENDED_OVERRIDES = """
ALTER TABLE overrides ADD COLUMN ended_at_us INTEGER;                   -- replaced or taken back; NULL while it stands
"""

STEPS: tuple[str, ...] = (
    FIRST_TABLES + HUB_TABLES,
    SLOT_TABLES,
    _BETTER_CAPTURES + LIBRARY_TABLES,
    BATCH_TABLES + REMOTE_TABLES + HUB_KEY_TABLES + KEEPING_TABLES,
    NAMED_TABLES + WATCH_TABLES,
    SEGMENT_TABLES + HUB_EXPIRY_TABLES,
    _NEWER_FORMS,
    HEADING_TABLES + SWITCHING + SEALED_RESULTS + LABEL_TABLES + _TOLD_BY_FILES + _ENDED_OVERRIDES,
    WAITING_INDICES + SHORTER_INDICES,  # and newer forms: counts in segments (dense_counts.py), shorter checksums
)


def prepare(path: Path) -> None:
    """See that the file is ours and not newer, and bring it to the present version.

    Raises
    ------
    StoreNewer
        The file went through more steps than this version knows; it was not touched.
    StoreDamaged
        It is not an SQLite file, or one of another program.
    """
    version = version_of(path)
    if version == len(STEPS):
        return
    if version:
        log.warning(
            "%s is brought from schema %d to %d: a minute for a million spectra, more on a slow disk; "
            "each step is whole or not done, and a start that is ended goes on with the next one",
            *(path, version, len(STEPS)),
        )
    with translated(f"prepare {path}"):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
            for number, step in enumerate(STEPS[version:], start=version + 1):
                connection.executescript(_transaction(step, number))
        finally:
            connection.close()


def version_of(path: Path) -> int:
    """Steps the file has been through, 0 for a new one; raises as :func:`prepare`."""
    with translated(f"read {path}"):
        try:
            application, version, tables = _known_of(open_untouched(path))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                raise
            # A power cut in the very first transaction: SQLite has to take it back before anything can be read.
            application, version, tables = _known_of(sqlite3.connect(path))
    if application != APPLICATION_ID and (application or version or tables):
        raise StoreDamaged(f"{path} is an SQLite file of another program")
    if version > len(STEPS):
        raise StoreNewer(f"{path} was written by a newer oesd (schema {version}, this one knows {len(STEPS)})")
    return int(version)


def _known_of(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Application id, version and number of tables; closes the connection."""
    with closing(connection):
        found: tuple[int, int, int] = connection.execute(
            "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) "
            "FROM pragma_application_id, pragma_user_version"
        ).fetchone()
    return found


def _transaction(step: str, version: int) -> str:
    return (
        f"BEGIN IMMEDIATE; {step}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT;"
    )
