"""Everything checked that can be: the file's structure, references, each checksum, each sum.

Reads only, beside a daemon or without one. Records are read in short turns: a reader that stays in one state of the
database for long keeps the writer's log from being worked in. What is stored meanwhile is checked or not; what is
found is true at that moment.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from oesd.store import named_traces, traces
from oesd.store.captures import load_capture
from oesd.store.dark_cells import CELLS_APART, load_cell
from oesd.store.database import Connection
from oesd.store.errors import StoreDamaged, StoreError
from oesd.store.files import load_file, load_spectrum
from oesd.store.integrity import intact, verify
from oesd.store.modelled import load_modelled
from oesd.store.named_reading import read_named_block
from oesd.store.place import place_of
from oesd.store.recount import wrong_runs, wrong_sums
from oesd.store.sealed_results import whole_payload
from oesd.store.trace_reading import read_block
from oesd.store.watch_events import check_event

Sort = Literal["structure", "reference", "checksum", "sum"]
_TURN_ROWS = 200
_DANGLING = {
    "entries without a state": "SELECT data_id FROM entries LEFT JOIN processing USING (entry_no) "
    "WHERE processing.entry_no IS NULL",
    "entries of neither a capture nor a file": "SELECT data_id FROM entries LEFT JOIN files USING (entry_no) "
    "WHERE sample_no IS NULL AND files.entry_no IS NULL",
    "processed entries without their latest result": "SELECT data_id FROM entries JOIN processing p USING (entry_no) "
    "LEFT JOIN results r ON r.entry_no = p.entry_no AND r.revision = p.revision "
    "WHERE p.revision > 0 AND r.entry_no IS NULL",
    "entries that are there, and were let go": "SELECT e.data_id FROM tombstones JOIN entries e USING (entry_no)",
    "entries whose sample is no sample": "SELECT data_id FROM entries JOIN captures ON capture_no = sample_no "
    "WHERE kind != 'sample'",
    "entries that tell another time or spectrometer than their sample": "SELECT data_id FROM entries e "
    "JOIN captures c ON c.capture_no = e.sample_no JOIN devices d ON d.device_no = c.device_no "
    "WHERE e.taken_at_us != c.taken_at_us OR (e.device_name != d.name OR e.model != d.model "
    "OR e.simulated != d.simulated) AND NOT EXISTS (SELECT 1 FROM devices o WHERE o.device_no != d.device_no "
    "AND substr(o.digest, 1, 32) = substr(d.digest, 1, 32))",  # its copy: captures are read, and checked, with that
    "records that wait for a batch which is not there": "SELECT data_id FROM outbox JOIN entries USING (entry_no) "
    "WHERE open = 0 AND state NOT IN ('processed', 'quarantined') "
    "AND NOT EXISTS (SELECT 1 FROM batches WHERE batches.batch_no = outbox.batch_no)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was stored: of what sort, about what, and a sentence for a person."""

    sort: Sort
    about: str
    text: str

    def to_api(self) -> dict[str, str]:
        """JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Records:
    """A sort of records: their table and key, and how one of them is checked by its key and its name."""

    table: str
    key: str
    name: str
    check: Callable[[Connection, Any, str], object]


class Inspection:
    """One inspection of a data directory; to be used as a context manager.

    Parameters
    ----------
    directory : Path
        Of a store that is in use or not; nothing in it is changed.

    Attributes
    ----------
    total : int
        Records there are to check: what progress is counted in.
    checked : Counter
        Records checked so far, by what they are.

    Raises
    ------
    StoreError
        When there is no store, or not one of this version.
    """

    def __init__(self, directory: Path) -> None:
        self._place = place = place_of(directory)
        if not place.exists():
            raise StoreError(f"{directory}: no data of oesd there")
        if (found := place.version()) != place.newest:
            raise StoreError(
                f"{place} was written by an earlier oesd (schema {found}, today {place.newest}): "
                "start the daemon on it once, which brings it forward, then verify"
            )
        self._connection = place.open_untouched()
        self.checked: Counter[str] = Counter()
        self.total = sum(self._rows(records.table) for records in _RECORDS)

    def __enter__(self) -> Inspection:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def findings(self, told: Callable[[int], None] = lambda _: None) -> Iterator[Finding]:
        """Check everything; ``told`` gets the number of records checked since the last time."""
        checks: list[Callable[[], Iterator[Finding]]] = [self._structure, self._references, self._sums]
        for check in checks + [partial(self._checksums, records, told) for records in _RECORDS]:
            try:
                yield from check()
            except (sqlite3.Error, StoreError) as error:
                yield Finding("structure", str(self._place), f"cannot be read on: {error}")

    def _structure(self) -> Iterator[Finding]:
        for table in self._place.tables(self._connection):  # one by one: each is a short look at the database
            try:
                for text in self._place.structure(self._connection, table):
                    yield Finding("structure", f"table {table}", text)
            except (sqlite3.Error, StoreError) as error:  # the other tables are looked at all the same
                yield Finding("structure", f"table {table}", f"cannot be read on: {error}")
            self.checked["tables"] += 1

    def _references(self) -> Iterator[Finding]:
        for row in self._place.dangling(self._connection):
            yield Finding(
                "reference", f"{row.row} of {row.table}", f"refers to a row of {row.parent} that is not there"
            )
        for what, query in _DANGLING.items():
            for (data_id,) in self._connection.execute(query).fetchall():
                yield Finding("reference", f"entry {data_id}", f"is one of the {what}")

    def _sums(self) -> Iterator[Finding]:
        self._connection.execute("BEGIN")
        try:
            wrong = [*wrong_sums(self._connection), *wrong_runs(self._connection)]
        finally:
            self._connection.rollback()
        yield from (Finding("sum", about, text) for about, text in wrong)

    def _checksums(self, records: _Records, told: Callable[[int], None]) -> Iterator[Finding]:
        after = -1
        while rows := self._turn(records, after):
            for key, name in rows:
                yield from self._checked(records, key, name)
            self.checked[records.table] += len(rows)
            told(len(rows))
            after = rows[-1][0]

    def _turn(self, records: _Records, after: int) -> list[tuple[int, str]]:
        query = f"SELECT {records.key}, {records.name} FROM {records.table} "  # noqa: S608  (texts of this module)
        where = f"WHERE {records.key} > ? ORDER BY {records.key} LIMIT {_TURN_ROWS}"
        return self._connection.execute(query + where, (after,)).fetchall()

    def _checked(self, records: _Records, key: int, name: str) -> Iterator[Finding]:
        try:
            if records.check(self._connection, key, name) is None and self._there(records, key):
                yield Finding(
                    "checksum", f"{records.table} {name}", "cannot be found by its name: its index is damaged"
                )
        except (sqlite3.DatabaseError, StoreDamaged) as error:  # pages that are no pages, or what is on them
            yield Finding("checksum", f"{records.table} {name}", str(error))

    def _there(self, records: _Records, key: int) -> bool:
        """Whether a record is still there: it may have been let go since it was listed."""
        query = f"SELECT 1 FROM {records.table} WHERE {records.key} = ?"  # noqa: S608
        return self._connection.execute(query, (key,)).fetchone() is not None

    def _rows(self, table: str) -> int:
        try:
            return int(self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
        except (sqlite3.Error, StoreError):
            return 0  # its structure is damaged, which is found and named


def _check_result(connection: Connection, number: int, _: str) -> bool | None:
    row = connection.execute(
        "SELECT data_id, sha256, elements, entry_no, revision, made_at_us, content, payload "
        "FROM results JOIN entries USING (entry_no) WHERE result_no = ?",
        (number,),
    ).fetchone()
    if row is None:
        return None
    what, (entry_no, revision, made_at_us, content, payload) = f"result {row[4]} of entry {row[0]}", row[3:]
    with intact(what):
        json.loads(row[2])
        whole = whole_payload(connection, entry_no, revision, payload)
        verify(what, row[1], entry_no, revision, made_at_us, content, whole)
    return True


def _check_block(connection: Connection, number: int, device_name: str) -> bool:
    read_block(connection, number, device_name)
    return True


def _check_named_block(connection: Connection, number: int, device_name: str) -> bool:
    read_named_block(connection, number, device_name)
    return True


def _check_remote(connection: Connection, number: int, data_id: str) -> bool:
    rows = connection.execute("SELECT sha256, document FROM remote_results WHERE entry_no = ?", (number,)).fetchall()
    for sha256, document in rows:
        verify(f"remote result of entry {data_id}", sha256, document)
    return True


def _check_file(connection: Connection, _: int, data_id: str) -> object:
    return load_file(connection, data_id) and load_spectrum(connection, data_id)


_DATA_ID = "(SELECT data_id FROM entries WHERE entries.entry_no = {}.entry_no)"
_RECORDS = (
    _Records("captures", "capture_no", "record_id", lambda db, _, name: load_capture(db, name)),
    _Records("files", "entry_no", _DATA_ID.format("files"), _check_file),
    _Records("results", "result_no", _DATA_ID.format("results"), _check_result),
    _Records("modelled_darks", "modelled_no", "record_id", lambda db, _, name: load_modelled(db, name)),
    _Records("remote_results", "entry_no", _DATA_ID.format("remote_results"), _check_remote),
    _Records("trace_blocks", "block_no", "device_name", _check_block),
    _Records("named_blocks", "block_no", "device_name", _check_named_block),
    _Records(
        "dark_cells",
        f"library_no * {CELLS_APART} + cell",
        "library_no || '/' || cell",
        lambda db, key, _: load_cell(db, *divmod(key, CELLS_APART)),
    ),
    _Records("trace_tail", "entry_no", "device_name", traces.check_tail),
    _Records("named_tail", "order_no", "device_name", named_traces.check_tail),
    _Records("watch_events", "event_no", "name", lambda db, key, _: check_event(db, key)),
)
