"""The schema in PostgreSQL, step by step: the numbers are those of the SQLite schema.

No store in PostgreSQL is older than step 4, so that the first step here makes all that the first four make there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oesd.store.errors import StoreDamaged, StoreError, StoreNewer
from oesd.store.postgres.connection import Session
from oesd.store.postgres.headed_tables import HEADING_RULES, HEADINGS
from oesd.store.postgres.hub_tables import HUB
from oesd.store.postgres.kept_tables import KEPT, SEGMENTS
from oesd.store.postgres.measured_tables import MEASURED
from oesd.store.postgres.triggers import TRIGGERS
from oesd.store.postgres.watched_tables import WATCHED, WATCHED_RULES
from oesd.store.waiting import INDICES as WAITING_INDICES

_STORE = """
CREATE TABLE oesd_store (version BIGINT NOT NULL);
INSERT INTO oesd_store VALUES (0);
"""


def _packed(table: str, *columns: str) -> str:
    """Blobs that are compressed before they come: the server need not try. A row of up to a page stays in one place."""
    return f"ALTER TABLE {table} SET (toast_tuple_target = 8160);\n" + "".join(
        f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL;\n" for column in columns
    )


_PACKED = (
    _packed("captures", "saturated", "counts", "spread")
    + _packed("results", "payload")
    + _packed("files", "spectrum", "data")
    + _packed("remote_results", "document")
    + _packed("trace_blocks", "spectra")
    + _packed("trace_lines", "peaks")
)
# Rows that change with every spectrum find room for their next version in the same page, without work in the index.
_BUSY = "ALTER TABLE ledger SET (fillfactor = 10); ALTER TABLE processing SET (fillfactor = 70);\n"


def _ordered(text: str) -> str:
    """Texts in the order of their bytes, as SQLite has them: no update of the server's locales touches an index."""
    return text.replace(" TEXT", ' TEXT COLLATE "C"')


STEPS: Mapping[int, str] = {
    4: _STORE + _ordered(MEASURED + KEPT + HUB) + TRIGGERS + _PACKED + _BUSY,
    5: _ordered(WATCHED) + WATCHED_RULES + _packed("named_blocks", "spectra") + _packed("named_columns", "readings"),
    6: _ordered(SEGMENTS),
    7: "SELECT",  # newer forms of headers and peaks: the tables stay as they are
    8: _ordered(HEADINGS) + HEADING_RULES,
    9: WAITING_INDICES,
}
NEWEST = max(STEPS)


def prepare(session: Session, name: str) -> None:
    """See that the database is ours and not newer, and bring it to the present version.

    Parameters
    ----------
    session : Session
        That of the writer: it has the lock.
    name : str
        Of the database, for errors.

    Raises
    ------
    StoreNewer
        It went through more steps than this version knows; it was not touched.
    StoreDamaged
        It has tables of another program.
    """
    version = version_of(session, name)
    for number, step in STEPS.items():
        if number > version:
            with session.transaction():
                session.execute(step.encode())
                session.execute("UPDATE oesd_store SET version = %s", (number,))


def version_of(session: Session, name: str) -> int:
    """Steps the database has been through, 0 for an empty one; raises as :func:`prepare`."""
    if _one(session, "SELECT current_schema()") is None:
        raise StoreError(f"{name}: the search_path of this user names no schema")
    if _one(session, "SELECT to_regclass('oesd_store')") is None:
        if _one(session, "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()"):
            raise StoreDamaged(f"{name} has tables of another program: give oesd a database of its own, see createdb")
        return 0
    version = int(_one(session, "SELECT version FROM oesd_store"))
    if version > NEWEST:
        raise StoreNewer(f"{name} was written by a newer oesd (schema {version}, this one knows {NEWEST})")
    return version


def _one(session: Session, query: str) -> Any:
    row = session.execute(query.encode()).fetchone()
    return None if row is None else row[0]
