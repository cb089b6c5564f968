"""Triggers in PostgreSQL's words: raw data never change, and sums are kept with the rows they count.

::

    oesd_refuse(text)      says no
    oesd_keep_...()        says no to a DELETE, unless a tombstone stands
    oesd_count_...()       adds to a sum of the ledger
    oesd_by_state()        moves a row from one sum to another
"""

from __future__ import annotations

FUNCTIONS = """
CREATE FUNCTION oesd_count(TEXT, TEXT, BIGINT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN  -- plpgsql keeps the plan, a function in SQL is planned anew with each row
    INSERT INTO ledger VALUES ($1, $2, $3)
    ON CONFLICT (account, name) DO UPDATE SET number = ledger.number + excluded.number;
END $$;
CREATE FUNCTION oesd_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$;
CREATE FUNCTION oesd_keep_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM tombstones WHERE entry_no = OLD.entry_no) THEN
        RAISE EXCEPTION '% are never changed: they go with a tombstone or not at all', TG_TABLE_NAME;
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION oesd_keep_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM let_go WHERE capture_no = OLD.capture_no) THEN
        RAISE EXCEPTION 'captures are never changed: they go with a tombstone or not at all';
    END IF;
    RETURN OLD;
END $$;
CREATE FUNCTION oesd_let_captures_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO let_go SELECT no FROM unnest(ARRAY[OLD.sample_no, OLD.short_no]) AS no WHERE no IS NOT NULL;
    RETURN NULL;
END $$;
CREATE FUNCTION oesd_capture_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN DELETE FROM let_go WHERE capture_no = OLD.capture_no; RETURN NULL; END $$;
CREATE FUNCTION oesd_by_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP != 'INSERT' THEN PERFORM oesd_count(TG_TABLE_NAME, OLD.state, -1); END IF;
    IF TG_OP != 'DELETE' THEN PERFORM oesd_count(TG_TABLE_NAME, NEW.state, 1); END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION oesd_count_capture() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM oesd_count('captures', NEW.kind, 1); RETURN NULL; END $$;
CREATE FUNCTION oesd_count_short() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN  -- it was counted as a sample
    PERFORM oesd_count('captures', 'sample', -1), oesd_count('captures', 'short', 1);
    RETURN NULL;
END $$;
CREATE FUNCTION oesd_count_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM oesd_count('files', 'stored', 1); RETURN NULL; END $$;
CREATE FUNCTION oesd_count_loss() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oesd_count(CASE NEW.kind WHEN 'sample' THEN 'lost' ELSE 'lost calibration' END, NEW.reason, NEW.slots);
    RETURN NULL;
END $$;
CREATE FUNCTION oesd_count_tombstone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM oesd_count(CASE NEW.of_file WHEN 1 THEN 'tombstoned files' ELSE 'tombstoned' END, NEW.reason, 1);
    RETURN NULL;
END $$;
CREATE FUNCTION instr(within TEXT, sought TEXT) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT strpos(within, sought)::bigint
$$;
"""

_RAW = ("devices", "captures", "entries", "files", "losses", "libraries", "verdicts", "modelled_darks", "tombstones")
_GO = {"entries": "oesd_keep_entry()", "files": "oesd_keep_entry()", "captures": "oesd_keep_capture()"}
_BEGINNING = "run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id, cause, labels"


def refused(name: str, when: str, table: str, text: str, per: str = "ROW") -> str:
    """A trigger that says no."""
    return f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH {per} EXECUTE FUNCTION oesd_refuse('{text}');\n"


def called(name: str, when: str, table: str, function: str, condition: str = "") -> str:
    """A trigger that calls a function for each row, where a condition holds."""
    only = f"WHEN ({condition}) " if condition else ""
    return f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW {only}EXECUTE FUNCTION {function};\n"


def immutable(table: str) -> str:
    """Rows of a table are never changed, and go only where :data:`_GO` says how; nor is it emptied."""
    text = f"{table} are never changed"
    return (
        refused(f"{table}_no_update", "UPDATE", table, text)
        + refused(f"{table}_no_truncate", "TRUNCATE", table, text, "STATEMENT")
        + (
            called(f"{table}_no_delete", "BEFORE DELETE", table, _GO[table])
            if table in _GO
            else refused(f"{table}_no_delete", "DELETE", table, text)
        )
    )


def _summed_by_state(table: str) -> str:
    moved = "OLD.state IS DISTINCT FROM NEW.state"
    return (
        called(f"ledger_{table}", "AFTER INSERT OR DELETE", table, "oesd_by_state()")
        + called(f"ledger_{table}_moved", "AFTER UPDATE OF state", table, "oesd_by_state()", moved)
        + refused(f"{table}_no_truncate", "TRUNCATE", table, f"{table} is never emptied", "STATEMENT")
    )


TRIGGERS = (
    FUNCTIONS
    + "".join(immutable(table) for table in _RAW)
    + refused("runs_no_delete", "DELETE", "runs", "runs are never deleted")
    + refused("runs_no_truncate", "TRUNCATE", "runs", "runs are never deleted", "STATEMENT")
    + refused("runs_no_update", f"UPDATE OF {_BEGINNING}", "runs", "the beginning of a run is never changed")
    + _summed_by_state("processing")
    + _summed_by_state("outbox")
    + called("ledger_captures", "AFTER INSERT", "captures", "oesd_count_capture()")
    + called("ledger_short", "AFTER INSERT", "entries", "oesd_count_short()", "NEW.short_no IS NOT NULL")
    + called("ledger_files", "AFTER INSERT", "files", "oesd_count_file()")
    + called("ledger_losses", "AFTER INSERT", "losses", "oesd_count_loss()")
    + called("ledger_tombstones", "AFTER INSERT", "tombstones", "oesd_count_tombstone()")
    + called("let_captures_go", "AFTER DELETE", "entries", "oesd_let_captures_go()", "OLD.sample_no IS NOT NULL")
    + called("captures_gone", "AFTER DELETE", "captures", "oesd_capture_gone()")
)
