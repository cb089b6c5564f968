"""The tables, and how a file gets to them from any earlier version.

``user_version`` is the number of steps a file has been through: a new file goes through all of them, an old one
through those it lacks, each in one transaction. A released step is never edited; a change is a new step.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from oesd.store.batches import SCHEMA as BATCH_TABLES
from oesd.store.connection import PAGE_SIZE, open_untouched
from oesd.store.errors import StoreDamaged, StoreNewer, translated
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
from oesd.store.watch_events import SCHEMA as WATCH_TABLES

APPLICATION_ID = 0x6F657364  # "oesd"

_TABLES = """
CREATE TABLE devices (
    device_no   INTEGER PRIMARY KEY,
    digest      BLOB NOT NULL UNIQUE,       -- sha256 of all the rest: a device is stored once per content
    name        TEXT NOT NULL,
    model       TEXT NOT NULL,
    simulated   INTEGER NOT NULL,
    description TEXT NOT NULL,              -- JSON: serial, limits, coefficients ...
    wavelengths BLOB NOT NULL
) STRICT;
CREATE INDEX devices_by_name ON devices (name);

CREATE TABLE captures (
    capture_no  INTEGER PRIMARY KEY,        -- order of storing
    record_id   TEXT NOT NULL UNIQUE,
    device_no   INTEGER NOT NULL REFERENCES devices,
    kind        TEXT NOT NULL CHECK (kind IN ('sample', 'reference', 'dark')),
    integration_us INTEGER NOT NULL,
    taken_at_us INTEGER NOT NULL,
    header      TEXT NOT NULL,              -- JSON: run, sequence, slot, clocks, temperatures, labels
    sha256      BLOB NOT NULL,              -- of every other column and of the device's digest
    saturated   BLOB NOT NULL,
    counts      BLOB NOT NULL
) STRICT;
CREATE INDEX captures_latest ON captures (device_no, kind, capture_no);
CREATE INDEX captures_calibration ON captures (device_no, kind, integration_us, capture_no) WHERE kind != 'sample';

CREATE TABLE entries (
    entry_no    INTEGER PRIMARY KEY,        -- order of storing
    data_id     TEXT NOT NULL UNIQUE,
    sample_no   INTEGER UNIQUE REFERENCES captures,   -- NULL for a file
    dark_no     INTEGER REFERENCES captures,
    reference_no INTEGER REFERENCES captures,
    dark_reason TEXT NOT NULL,
    reference_reason TEXT NOT NULL,
    created_at_us INTEGER NOT NULL,
    taken_at_us INTEGER NOT NULL,
    device_name TEXT NOT NULL,
    model       TEXT NOT NULL,
    simulated   INTEGER NOT NULL
) STRICT;
CREATE INDEX entries_by_device ON entries (device_name, entry_no);

CREATE TABLE files (
    entry_no    INTEGER PRIMARY KEY REFERENCES entries,
    filename    TEXT NOT NULL,              -- foreign text, never a path
    format      TEXT NOT NULL,
    record_id   TEXT NOT NULL,
    size_bytes  INTEGER NOT NULL,
    sha256      TEXT NOT NULL,              -- of the file's bytes
    spectrum_sha256 BLOB NOT NULL,          -- of the spectrum column
    spectrum    BLOB NOT NULL,
    data        BLOB NOT NULL               -- the file's bytes, zstd
) STRICT;
CREATE INDEX files_by_sha256 ON files (sha256);
CREATE INDEX files_by_record ON files (record_id);

CREATE TABLE processing (
    entry_no    INTEGER PRIMARY KEY REFERENCES entries,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'processed', 'failed')),
    reason      TEXT NOT NULL DEFAULT '',
    revision    INTEGER NOT NULL DEFAULT 0, -- the latest, 0 for none
    next_peak   INTEGER NOT NULL DEFAULT 1  -- number of the next fresh peak id: ids are never used twice
) STRICT;
CREATE INDEX processing_waiting ON processing (entry_no) WHERE state = 'waiting';

CREATE TABLE results (
    result_no   INTEGER PRIMARY KEY,
    entry_no    INTEGER NOT NULL REFERENCES entries,
    revision    INTEGER NOT NULL,
    made_at_us  INTEGER NOT NULL,
    peaks       INTEGER NOT NULL,
    elements    TEXT NOT NULL,              -- JSON list of symbols, overrides applied: what a list shows
    content     BLOB NOT NULL,              -- sha256 of what the engine said: equal content is no new revision
    sha256      BLOB NOT NULL,              -- of the payload
    payload     BLOB NOT NULL,
    UNIQUE (entry_no, revision)
) STRICT;

CREATE TABLE overrides (
    override_no INTEGER PRIMARY KEY,
    entry_no    INTEGER NOT NULL REFERENCES entries,
    peak_id     TEXT NOT NULL,
    wavelength_nm REAL NOT NULL,
    wavelength_sigma_nm REAL NOT NULL,
    candidate_key TEXT NOT NULL,
    element     TEXT NOT NULL,
    made_at_us  INTEGER NOT NULL,
    replaced_by INTEGER REFERENCES overrides -- NULL while it stands
) STRICT;
CREATE INDEX overrides_by_entry ON overrides (entry_no);

CREATE TABLE outbox (
    entry_no    INTEGER PRIMARY KEY REFERENCES entries,
    state       TEXT NOT NULL DEFAULT 'stored',
    ready       INTEGER NOT NULL DEFAULT 0, -- a result was saved, or none will come
    open        INTEGER NOT NULL DEFAULT 1, -- the state is not a final one
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_attempt_us INTEGER NOT NULL DEFAULT 0,
    revision    INTEGER,
    file_name   TEXT NOT NULL DEFAULT '',
    sha256      TEXT NOT NULL DEFAULT '',
    size_bytes  INTEGER NOT NULL DEFAULT 0,
    remote_data_id TEXT NOT NULL DEFAULT '',
    upload_id   TEXT NOT NULL DEFAULT '',
    new_filename TEXT NOT NULL DEFAULT '',
    parts       TEXT NOT NULL DEFAULT '[]', -- JSON: part, url, etag
    issued_at_us INTEGER,
    orphaned_ids TEXT NOT NULL DEFAULT '[]',
    last_error  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_oldest ON outbox (entry_no) WHERE ready = 1 AND open = 1;
CREATE INDEX outbox_next ON outbox (next_attempt_us) WHERE ready = 1 AND open = 1;

CREATE TABLE patches (
    override_no INTEGER PRIMARY KEY REFERENCES overrides,
    state       TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'refused', 'replaced')),
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_attempt_us INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX patches_pending ON patches (next_attempt_us) WHERE state = 'pending';

CREATE TABLE losses (
    loss_no     INTEGER PRIMARY KEY,
    device_name TEXT NOT NULL,
    run_id      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    first_slot  INTEGER NOT NULL,
    slots       INTEGER NOT NULL CHECK (slots > 0),
    reason      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    at_us       INTEGER NOT NULL
) STRICT;

CREATE TABLE ledger (                       -- running sums, kept by the triggers below
    account     TEXT NOT NULL,              -- captures, files, processing, outbox, lost, lost calibration
    name        TEXT NOT NULL,              -- kind, state or reason
    number      INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
"""

_RAW = ("devices", "captures", "entries", "files", "losses")


def _immutable(table: str) -> str:
    return "".join(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END;\n"
        for action in ("UPDATE", "DELETE")
    )


def _sum(name: str, when: str, account: str, key: str, number: str) -> str:
    return (
        f"CREATE TRIGGER ledger_{name} {when} BEGIN "  # noqa: S608  (texts of this module)
        f"INSERT INTO ledger VALUES ({account}, {key}, {number}) "
        "ON CONFLICT DO UPDATE SET number = number + excluded.number; END;\n"
    )


def _sums_by_state(table: str) -> str:
    """Sums that follow the state of each row."""
    moved = f"AFTER UPDATE OF state ON {table} WHEN OLD.state != NEW.state"
    return (
        _sum(f"{table}_new", f"AFTER INSERT ON {table}", f"'{table}'", "NEW.state", "1")
        + _sum(f"{table}_left", moved, f"'{table}'", "OLD.state", "-1")
        + _sum(f"{table}_came", moved, f"'{table}'", "NEW.state", "1")
    )


_TRIGGERS = (
    "".join(_immutable(table) for table in _RAW)
    + _sum("captures", "AFTER INSERT ON captures", "'captures'", "NEW.kind", "1")
    + _sum("files", "AFTER INSERT ON files", "'files'", "'stored'", "1")
    + _sum(
        "losses",
        "AFTER INSERT ON losses",
        "iif(NEW.kind = 'sample', 'lost', 'lost calibration')",
        "NEW.reason",
        "NEW.slots",
    )
    + _sums_by_state("processing")
    + _sums_by_state("outbox")
)

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
    _TABLES + _TRIGGERS + HUB_TABLES,
    SLOT_TABLES,
    _BETTER_CAPTURES + LIBRARY_TABLES,
    BATCH_TABLES + REMOTE_TABLES + HUB_KEY_TABLES + KEEPING_TABLES,
    NAMED_TABLES + WATCH_TABLES,
    SEGMENT_TABLES + HUB_EXPIRY_TABLES,
    _NEWER_FORMS,
    HEADING_TABLES + SWITCHING + SEALED_RESULTS + LABEL_TABLES + _TOLD_BY_FILES + _ENDED_OVERRIDES,
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
