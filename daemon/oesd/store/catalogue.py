"""The hub's catalogue: what arrived, with its physical sample, its projects and its state."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from oesd.model import new_id
from oesd.store.ingest import UPLOAD_COLUMNS, Upload, upload_of_row
from oesd.store.moments import from_us, to_us

if TYPE_CHECKING:
    from oesd.store import Store

T = TypeVar("T")


_PROCESSING = """
SELECT p.state, p.reason, r.made_at_us FROM entries e JOIN processing p USING (entry_no)
LEFT JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision WHERE e.data_id = ?
"""


class NameTaken(Exception):
    """A physical sample or project of that name exists; ``existing_id`` tells which."""

    def __init__(self, existing_id: str) -> None:
        super().__init__(f"the name is taken by {existing_id}")
        self.existing_id = existing_id


@dataclass(frozen=True, slots=True)
class Named:
    """A physical sample or a project."""

    id: str
    name: str
    made_at_utc: datetime


class Status(StrEnum):
    """How far an upload has come: on its way, waiting for the engine, done, or of no use to it."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCESS = "success"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """An upload with what is known about it elsewhere.

    Attributes
    ----------
    reason : str
        Why the status is error; empty otherwise.
    duplicate_of : str or None
        The first entry with the same record and the same bytes, when this is not it.
    """

    upload: Upload
    status: Status
    reason: str
    last_updated_utc: datetime
    sample: Named | None
    projects: tuple[Named, ...]
    duplicate_of: str | None


@dataclass(frozen=True, slots=True)
class CatalogueQuery:
    """What GET /data_entries may ask; None and empty mean no bound. ``before`` is the last data id of a page."""

    data_ids: tuple[str, ...] = ()
    physical_sample_ids: tuple[str, ...] = ()
    project_ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    uploaded_from_utc: datetime | None = None
    uploaded_to_utc: datetime | None = None
    before: str | None = None

    def after(self, entry: CatalogueEntry) -> CatalogueQuery:
        """Return the query of the page that follows this entry."""
        return replace(self, before=entry.upload.data_id)


class Catalogue:
    """Reads the catalogue; makes samples and projects. Every method returns after the commit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def entries(self, query: CatalogueQuery, limit: int) -> list[CatalogueEntry]:
        """Entries that match, newest first, at most ``limit``."""
        where, values = _conditions(query)
        sql = f"SELECT {UPLOAD_COLUMNS} FROM hub_upload u WHERE {where} ORDER BY data_id DESC LIMIT ?"  # noqa: S608

        def collect(db: sqlite3.Connection) -> list[CatalogueEntry]:
            rows = db.execute(sql, (*values, limit)).fetchall()
            return [_catalogue_entry(db, upload_of_row(row)) for row in rows]

        return self._store.read(collect)

    def samples(self) -> list[Named]:
        """Return physical samples, oldest first."""
        return self._store.read(lambda db: _named(db, "SELECT * FROM hub_sample ORDER BY physical_sample_id", ()))

    def add_sample(self, name: str, now: datetime) -> Named:
        """Make a physical sample; raises :class:`NameTaken`."""
        return self._add("hub_sample", name, now)

    def projects(self) -> list[Named]:
        """Return projects, oldest first."""
        return self._store.read(lambda db: _named(db, "SELECT * FROM hub_project ORDER BY project_id", ()))

    def add_project(self, name: str, now: datetime) -> Named:
        """Make a project; raises :class:`NameTaken`."""
        return self._add("hub_project", name, now)

    def track(self, project_id: str, physical_sample_id: str, *, active: bool) -> None:
        """Put a sample on a project's list; when active, the others of the project are not any more."""

        def put(db: sqlite3.Connection) -> None:
            if active:
                db.execute("UPDATE hub_tracking SET active = 0 WHERE project_id = ?", (project_id,))
            values = (project_id, physical_sample_id, int(active))
            db.execute("INSERT OR REPLACE INTO hub_tracking VALUES (?, ?, ?)", values)

        self._write(put)

    def _add(self, table: str, name: str, now: datetime) -> Named:
        made = Named(new_id(), name.strip(), now)

        def put(db: sqlite3.Connection) -> Named:
            key = made.name.casefold()
            taken = db.execute(f"SELECT * FROM {table} WHERE name_key = ?", (key,)).fetchone()  # noqa: S608
            if taken is not None:
                raise NameTaken(str(taken[0]))
            db.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (made.id, made.name, key, to_us(now)))  # noqa: S608
            return made

        return self._write(put)

    def _write(self, task: Callable[[sqlite3.Connection], T]) -> T:
        return self._store.write(task).result()


def _named(db: sqlite3.Connection, sql: str, values: Sequence[object]) -> list[Named]:
    return [Named(row[0], row[1], from_us(row[3])) for row in db.execute(sql, values)]


def _catalogue_entry(db: sqlite3.Connection, upload: Upload) -> CatalogueEntry:
    sample = _named(db, "SELECT * FROM hub_sample WHERE physical_sample_id = ?", (upload.physical_sample_id,))
    projects = _named(
        db,
        "SELECT p.* FROM hub_project p JOIN hub_tracking t USING (project_id) WHERE t.physical_sample_id = ?",
        (upload.physical_sample_id,),
    )
    status, reason, updated = _progress(db, upload)
    twin = _first_twin(db, upload)
    return CatalogueEntry(upload, status, reason, updated, sample[0] if sample else None, tuple(projects), twin)


def _progress(db: sqlite3.Connection, upload: Upload) -> tuple[Status, str, datetime]:
    """Status, reason and time of the last change of an upload."""
    if upload.finished_at_utc is None:
        return Status.PENDING, "", upload.begun_at_utc
    if upload.unreadable:
        return Status.ERROR, upload.unreadable, upload.finished_at_utc
    row = db.execute(_PROCESSING, (upload.data_id,)).fetchone()
    if row is None or row[0] == "waiting":
        return Status.RUNNING, "", upload.finished_at_utc
    made_at = upload.finished_at_utc if row[2] is None else from_us(row[2])
    updated = max(made_at, upload.finished_at_utc)
    return (Status.SUCCESS, "", updated) if row[0] == "processed" else (Status.ERROR, row[1], updated)


def _first_twin(db: sqlite3.Connection, upload: Upload) -> str | None:
    """Return the earlier entry with the same record and the same bytes."""
    if not upload.record_id:
        return None
    sql = "SELECT min(data_id) FROM hub_upload WHERE record_id = ? AND sha256 = ? AND record_id <> ''"
    first = str(db.execute(sql, (upload.record_id, upload.sha256)).fetchone()[0])
    return None if first == upload.data_id else first


def _conditions(query: CatalogueQuery) -> tuple[str, list[object]]:
    terms: list[tuple[str, Sequence[object]]] = [("1", ())]
    if query.data_ids:
        terms.append((f"data_id IN ({_marks(query.data_ids)})", query.data_ids))
    if query.physical_sample_ids:
        terms.append((f"physical_sample_id IN ({_marks(query.physical_sample_ids)})", query.physical_sample_ids))
    if query.project_ids:
        tracked = "SELECT physical_sample_id FROM hub_tracking WHERE project_id IN"
        terms.append((f"physical_sample_id IN ({tracked} ({_marks(query.project_ids)}))", query.project_ids))
    if query.uploaded_from_utc is not None:
        terms.append(("begun_at_us >= ?", (to_us(query.uploaded_from_utc),)))
    if query.uploaded_to_utc is not None:
        terms.append(("begun_at_us <= ?", (to_us(query.uploaded_to_utc),)))
    if query.before is not None:
        terms.append(("data_id < ?", (query.before,)))
    # instr on lower case instead of LIKE: a keyword may hold % and _ as letters.
    searched = "lower(data_id || ' ' || file_name || ' ' || record_id)"
    terms += [(f"instr({searched}, lower(?)) > 0", (keyword,)) for keyword in query.keywords]
    return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
