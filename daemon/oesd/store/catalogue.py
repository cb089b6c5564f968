"""The hub's catalogue: what arrived, with its physical sample, its projects and its state."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from oesd.model import is_uuid, new_id
from oesd.store.claims import was_let_go
from oesd.store.database import Connection
from oesd.store.ingest import UPLOAD_COLUMNS, Upload, upload_of_row
from oesd.store.moments import from_us, to_us

if TYPE_CHECKING:
    from oesd.store import Store

T = TypeVar("T")


_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)  # as the databases' lower() has it
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
    """

    upload: Upload
    status: Status
    reason: str
    last_updated_utc: datetime
    sample: Named | None
    projects: tuple[Named, ...]

    @property
    def duplicate_of(self) -> str | None:
        """The first entry with the same record and the same bytes, when this is another name of it."""
        return self.upload.same_as


@dataclass(frozen=True, slots=True)
class CatalogueQuery:
    """What GET /data_entries may ask; None and empty mean no bound. ``before`` is the last data id of a page."""

    data_ids: tuple[str, ...] = ()
    physical_sample_ids: tuple[str, ...] = ()
    project_ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    uploaded_from_utc: datetime | None = None
    uploaded_to_utc: datetime | None = None
    touched_from_utc: datetime | None = None
    touched_to_utc: datetime | None = None
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

        def collect(db: Connection) -> list[CatalogueEntry]:
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

        def put(db: Connection) -> None:
            if active:
                db.execute("UPDATE hub_tracking SET active = 0 WHERE project_id = ?", (project_id,))
            values = (project_id, physical_sample_id, int(active))
            db.execute(
                "INSERT INTO hub_tracking VALUES (?, ?, ?) ON CONFLICT (project_id, physical_sample_id) "
                "DO UPDATE SET active = excluded.active",
                values,
            )

        self._write(put)

    def _add(self, table: str, name: str, now: datetime) -> Named:
        made = Named(new_id(), name.strip(), now)

        def put(db: Connection) -> Named:
            key = made.name.casefold()
            taken = db.execute(f"SELECT * FROM {table} WHERE name_key = ?", (key,)).fetchone()  # noqa: S608
            if taken is not None:
                raise NameTaken(str(taken[0]))
            db.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", (made.id, made.name, key, to_us(now)))  # noqa: S608
            return made

        return self._write(put)

    def _write(self, task: Callable[[Connection], T]) -> T:
        return self._store.write(task).result()


def _named(db: Connection, sql: str, values: Sequence[object]) -> list[Named]:
    return [Named(row[0], row[1], from_us(row[3])) for row in db.execute(sql, values)]


def _catalogue_entry(db: Connection, upload: Upload) -> CatalogueEntry:
    sample = _named(db, "SELECT * FROM hub_sample WHERE physical_sample_id = ?", (upload.physical_sample_id,))
    projects = _named(
        db,
        "SELECT p.* FROM hub_project p JOIN hub_tracking t USING (project_id) WHERE t.physical_sample_id = ?",
        (upload.physical_sample_id,),
    )
    status, reason, updated = _progress(db, upload)
    return CatalogueEntry(upload, status, reason, updated, sample[0] if sample else None, tuple(projects))


def _progress(db: Connection, upload: Upload) -> tuple[Status, str, datetime]:
    """Status, reason and time of the last change of an upload."""
    if upload.finished_at_utc is None:
        return Status.PENDING, "", upload.begun_at_utc
    if upload.unreadable:
        return Status.ERROR, upload.unreadable, upload.finished_at_utc
    touched = max(upload.touched_at_utc or upload.finished_at_utc, upload.finished_at_utc)
    if upload.members:
        return Status.SUCCESS, "", touched
    entry_id = upload.same_as or upload.data_id
    row = db.execute(_PROCESSING, (entry_id,)).fetchone()
    if row is None and was_let_go(db, entry_id):
        return Status.ERROR, "kept no longer: its time was over", touched
    if row is None or row[0] == "waiting":
        return Status.RUNNING, "", touched
    updated = max(touched if row[2] is None else from_us(row[2]), touched)
    return (Status.SUCCESS, "", updated) if row[0] == "processed" else (Status.ERROR, row[1], updated)


def _conditions(query: CatalogueQuery) -> tuple[str, list[object]]:
    terms: list[tuple[str, Sequence[object]]] = [("1 = 1", ())]
    if query.data_ids:
        terms.append((f"data_id IN ({_marks(query.data_ids)})", query.data_ids))
    if query.physical_sample_ids:
        terms.append((f"physical_sample_id IN ({_marks(query.physical_sample_ids)})", query.physical_sample_ids))
    if query.project_ids:
        tracked = "SELECT physical_sample_id FROM hub_tracking WHERE project_id IN"
        terms.append((f"physical_sample_id IN ({tracked} ({_marks(query.project_ids)}))", query.project_ids))
    for bound, term in ((query.touched_from_utc, "touched_at_us >= ?"), (query.touched_to_utc, "touched_at_us <= ?")):
        if bound is not None:
            terms.append((term, (to_us(bound),)))
    if query.uploaded_from_utc is not None:
        terms.append(("begun_at_us >= ?", (to_us(query.uploaded_from_utc),)))
    if query.uploaded_to_utc is not None:
        terms.append(("begun_at_us <= ?", (to_us(query.uploaded_to_utc),)))
    if query.before is not None:
        terms.append(("data_id < ?", (query.before,)))
    terms += [_searched(keyword) for keyword in query.keywords]
    if not query.data_ids and not any(is_uuid(keyword.lower()) for keyword in query.keywords):
        terms.append(("same_as IS NULL AND members = 0", ()))  # each spectrum once
    return " AND ".join(term for term, _ in terms), [value for _, values in terms for value in values]


def _searched(keyword: str) -> tuple[str, Sequence[object]]:
    """Term for a keyword; an id is looked up by indexes: its entry, its record, its file's name, its batch."""
    if is_uuid(keyword.lower()):
        named = "SELECT data_id FROM hub_upload WHERE substr(file_name, 1, 36) = ?"
        found = (
            f"{named} UNION SELECT data_id FROM hub_upload WHERE record_id = ? AND record_id <> '' UNION SELECT ? "  # noqa: S608
            f"UNION SELECT data_id FROM hub_member WHERE batch_data_id IN ({named})"
        )
        return f"data_id IN ({found})", (keyword.lower(),) * 4
    # instr on lower case instead of LIKE: a keyword may hold % and _ as letters.
    return "instr(lower(data_id || ' ' || file_name || ' ' || record_id), ?) > 0", (keyword.translate(_LOWER),)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
