"""The tables of the first step, and the triggers that keep raw data as they are and sums with the rows they count.

A released step is never edited: what these tables are today, :mod:`oesd.store.schema` tells with the steps that follow.
"""

from __future__ import annotations

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


SCHEMA = _TABLES + (
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
