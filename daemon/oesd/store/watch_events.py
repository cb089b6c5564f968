"""What became of alarms and endpoint rules: every change, in order, never edited.

The newest event of an alarm is its state: a daemon that starts goes on from there. An endpoint rule decides once in a
run; the same decision made again (the values of a run are gone through again after a restart) is the same event. That
a rule is on in a run is noted as a mark, so that one that decides nothing there is known to have been silent.

Each document carries a checksum of the row; rows of earlier versions have none, and must make sense at least.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from oesd.store.database import Connection, Database
from oesd.store.integrity import SHORT, damaged, fingerprint

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE watch_events (
    event_no    INTEGER PRIMARY KEY,        -- order of storing
    at_us       INTEGER NOT NULL,           -- of the value that it was decided by, or of the host's clock
    kind        TEXT NOT NULL CHECK (kind IN ('alarm', 'endpoint')),
    name        TEXT NOT NULL,
    device_name TEXT NOT NULL,              -- '' for what concerns the daemon as a whole
    run_no      INTEGER NOT NULL,           -- 0 outside of a run
    order_no    INTEGER NOT NULL,           -- the value (named_tail, named_blocks) that it was decided by; 0 for none
    definition  TEXT NOT NULL,
    document    TEXT NOT NULL               -- JSON
) STRICT;
CREATE INDEX watch_events_newest ON watch_events (kind, name, device_name, event_no);
CREATE UNIQUE INDEX watch_events_once ON watch_events (name, device_name, run_no, definition) WHERE kind = 'endpoint';
CREATE TRIGGER watch_events_no_update BEFORE UPDATE ON watch_events
    BEGIN SELECT RAISE(ABORT, 'watch_events are never changed'); END;
CREATE TRIGGER watch_events_no_delete BEFORE DELETE ON watch_events
    BEGIN SELECT RAISE(ABORT, 'watch_events are never changed'); END;
"""

WatchKind = Literal["alarm", "endpoint"]
WATCHED, LEFT = "watched: ", "left: "
"""Begin the definition of a mark: the rule is on in the run; it was taken away with the run still to come."""
_NO_MARK = "NOT (kind = 'endpoint' AND order_no = 0)"
_CHECKSUM = "checksum"
_PHASES = {"ok", "pending", "raised", "acknowledged", "cleared"}  # as in watching/alarms.py, which no store knows
_COLUMNS = "at_us, kind, name, device_name, run_no, order_no, definition, document, event_no"
LIMIT = 1000


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """A change of an alarm, the decision of an endpoint rule, or the mark that such a rule is on in a run.

    Attributes
    ----------
    at_us : int
        us of UTC.
    run_no, order_no : int
        The run and the stored value that it belongs to; 0 for none.
    definition : str
        What was asked, so that another rule under the same name decides anew.
    document : mapping
        JSON-ready: states, value, limit, sentence.
    event_no : int
        Order of storing; 0 before.
    is_damaged : bool
        It is not what was stored: nothing of it may be believed, and the document is empty.
    """

    at_us: int
    kind: WatchKind
    name: str
    device_name: str
    run_no: int
    order_no: int
    definition: str
    document: Mapping[str, Any]
    event_no: int = 0
    is_damaged: bool = False

    @property
    def is_mark(self) -> bool:
        """Whether it tells only that a rule is on, or is on no more, in a run: nobody is told."""
        return self.kind == "endpoint" and not self.order_no


class WatchReading:
    """Questions to the events of a store, or of one that another process writes.

    Parameters
    ----------
    reader : Store or Onlooker
        Whatever reads the tables: its ``read`` is used.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def newest(self, kind: WatchKind) -> dict[tuple[str, str], WatchEvent]:
        """The newest event by name and spectrometer; where that is damaged, the newest that is not."""
        query = (
            f"SELECT {_COLUMNS} FROM watch_events WHERE event_no IN "  # noqa: S608  (fixed texts)
            "(SELECT max(event_no) FROM watch_events WHERE kind = ? GROUP BY name, device_name)"
        )
        found: dict[tuple[str, str], WatchEvent] = {}
        for event in self._read(query, (kind,)):
            known = event if not event.is_damaged else self._before(event)
            if known is not None:
                found[known.name, known.device_name] = known
        return found

    def _before(self, event: WatchEvent) -> WatchEvent | None:
        """The last event before a damaged one that is what was stored, of the same name and spectrometer."""
        query = (
            f"SELECT {_COLUMNS} FROM watch_events WHERE kind = ? AND name = ? AND device_name = ? "  # noqa: S608
            "AND event_no < ? ORDER BY event_no DESC LIMIT 1"
        )
        before: WatchEvent | None = event
        while before is not None and before.is_damaged:
            log.error("event %d of the alarms (%s) is damaged: the one before it counts", before.event_no, before.name)
            found = self._read(query, (before.kind, before.name, before.device_name, before.event_no))
            before = found[0] if found else None
        return before

    def latest(self, limit: int = 100, since_us: int | None = None, until_us: int | None = None) -> list[WatchEvent]:
        """Events, the newest first, of an interval of their own times."""
        query = (
            f"SELECT {_COLUMNS} FROM watch_events WHERE at_us >= ? AND at_us <= ? "  # noqa: S608  (fixed texts)
            f"AND {_NO_MARK} ORDER BY event_no DESC LIMIT ?"
        )
        ever = 1 << 62
        return self._read(
            query, (-ever if since_us is None else since_us, ever if until_us is None else until_us, limit)
        )

    def decision(self, name: str, device_name: str, run_no: int, definition: str) -> WatchEvent | None:
        """What an endpoint rule decided in a run; None when it did not."""
        query = (
            f"SELECT {_COLUMNS} FROM watch_events WHERE kind = 'endpoint' AND name = ? "  # noqa: S608  (fixed texts)
            "AND device_name = ? AND run_no = ? AND definition = ?"
        )
        found = self._read(query, (name, device_name, run_no, definition))
        return found[0] if found else None

    def marks(self, limit: int) -> list[WatchEvent]:
        """In which runs which rules are on (definitions begin with :data:`WATCHED`), the newest first."""
        query = (
            f"SELECT {_COLUMNS} FROM watch_events WHERE kind = 'endpoint' AND order_no = 0 "  # noqa: S608  (fixed texts)
            "AND substr(definition, 1, ?) = ? ORDER BY event_no DESC LIMIT ?"
        )
        return [mark for mark in self._read(query, (len(WATCHED), WATCHED, limit)) if not mark.is_damaged]

    def _read(self, query: str, parameters: tuple[Any, ...]) -> list[WatchEvent]:
        return [_event(row) for row in self._reader.read(lambda db: db.execute(query, parameters).fetchall())]


class WatchEvents(WatchReading):
    """The events of a store that is ours.

    Parameters
    ----------
    database : Store
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database

    def add(self, events: Sequence[WatchEvent]) -> Future[None]:
        """Store events, all or none; the decision of an endpoint rule in a run only once."""
        rows = [_row(event) for event in events]
        query = (
            "INSERT INTO watch_events (at_us, kind, name, device_name, run_no, order_no, definition, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )

        def insert(connection: Connection) -> None:
            connection.executemany(query, rows)

        return self._database.write(insert)


def check_event(connection: Connection, event_no: int) -> bool | None:
    """Whether an event is there; raises StoreDamaged when it is not what was stored."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM watch_events WHERE event_no = ?", (event_no,)).fetchone()  # noqa: S608
    if row is None:
        return None
    if _event(row).is_damaged:
        raise damaged(f"event {event_no} of the alarms")
    return True


def _row(event: WatchEvent) -> tuple[Any, ...]:
    known = (event.at_us, event.kind, event.name, event.device_name, event.run_no, event.order_no, event.definition)
    checksum = {_CHECKSUM: _checksum(known, event.document)}
    return *known, json.dumps({**event.document, **checksum}, separators=(",", ":"), ensure_ascii=False)


def _event(row: Sequence[Any]) -> WatchEvent:
    at_us, kind, name, device_name, run_no, order_no, definition, document, event_no = row
    told, is_damaged = _document(row[:7], document)
    return WatchEvent(at_us, kind, name, device_name, run_no, order_no, definition, told, event_no, is_damaged)


def _document(known: Sequence[Any], document: str) -> tuple[dict[str, Any], bool]:
    """The document of a row, and whether the row is damaged: then it is empty."""
    try:
        told = json.loads(document)
        checksum = told.pop(_CHECKSUM, None)
        is_damaged = checksum != _checksum(known, told) if checksum is not None else not _makes_sense(known[1], told)
    except (ValueError, TypeError, AttributeError):
        return {}, True
    return ({}, True) if is_damaged else (told, False)


def _checksum(known: Sequence[Any], document: Mapping[str, Any]) -> str:
    return fingerprint(*known, json.dumps(document, sort_keys=True)).hex()[: 2 * SHORT]


def _makes_sense(kind: str, told: Mapping[str, Any]) -> bool:
    """Whether a document without a checksum can be one that was stored."""
    return kind != "alarm" or {told.get("from"), told.get("to")} <= _PHASES
