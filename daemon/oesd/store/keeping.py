"""How long what is kept, and what goes when the disk has no room.

1. Nothing goes for its age by a clock, on an answer of the API, or because it cannot be read.
2. Old spectra are thinned where that is asked for: what the API has, confirmed, or what is not to be uploaded at all.
3. What is golden is held: it goes neither by thinning nor for room, as long as it is golden.
4. When there is no room, nothing more is taken in. Only where ``on_full`` says so, what is confirmed and was kept as
   long as was asked goes first, the oldest first; and only where it says that, too, then what is not confirmed.

Each record that goes leaves a tombstone. Age is the time that daemons have run on these data, by their monotonic
clocks: no step of the host's date makes anything old. It is counted in marks of ten minutes (``ages``). Freed pages of
the file are used again: they are room as the disk's own free space is. The file itself never shrinks.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oesd.store import thinning, traces
from oesd.store.database import Connection
from oesd.store.dropping import droppable
from oesd.store.errors import StoreDamaged, StoreError
from oesd.store.held import NOTHING, Held
from oesd.store.hub_expiry import MARK_US
from oesd.store.results import trace_points
from oesd.store.room import KeepingRules, Room
from oesd.store.sealing import Sealing
from oesd.store.segments import sealed_bytes
from oesd.store.tombstones import SCHEMA as TOMBSTONE_TABLES
from oesd.store.tombstones import let_go

if TYPE_CHECKING:
    from oesd.store.store import Store

__all__ = ["Keeping", "KeepingRules", "Room", "free_bytes"]

log = logging.getLogger(__name__)

MARK_S = MARK_US / 1e6
_BATCH = 20
_DROPPED = {"stop": (), "drop_confirmed": ("confirmed",), "drop_oldest_unconfirmed": ("confirmed", "unconfirmed")}
_TELL_S = 3600.0
_BEYOND = 1 << 60  # bytes that no disk has: nobody can say how much is left
_SOFT = 2.0
"""Room is called low below so many times what must stay free."""

_TABLES = """
CREATE TABLE ages (                         -- ten minutes of a daemon's life each
    mark        INTEGER PRIMARY KEY,
    entry_no    INTEGER NOT NULL            -- the newest at its end
) STRICT;
CREATE TABLE keeping (name TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO keeping SELECT 'traced', 0 UNION ALL SELECT 'thinned', 0
    UNION ALL SELECT 'to trace', coalesce(max(entry_no), 0) FROM entries;  -- of an earlier version
"""
SCHEMA = TOMBSTONE_TABLES + traces.SCHEMA + _TABLES


def free_bytes(path: Path) -> int:
    """Bytes that the disk of a directory has free for us."""
    return shutil.disk_usage(path).free


class Keeping:
    """Keeps a store within its rules, a little at a time; every turn waits for the disk, so give it a thread.

    Parameters
    ----------
    store : Store
    rules : KeepingRules
    monotonic_s : callable
        The clock by which time passes.
    free : callable
        Bytes free on the disk of a directory.
    held : callable
        What is kept whatever the rules say; asked each time before anything goes.
    """

    def __init__(
        self,
        store: Store,
        rules: KeepingRules,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        free: Callable[[Path], int] = free_bytes,
        held: Callable[[], Held] = lambda: NOTHING,
    ) -> None:
        self._held = held
        self._passed: dict[str, int] = {}
        self._store = store
        self._rules = rules
        self._monotonic_s = monotonic_s
        self._free = free
        self._mark_due_s = monotonic_s() + MARK_S
        self._sealing = Sealing(store, monotonic_s=monotonic_s) if store.has_files else None
        self._room: Room | None = None
        self._stopped = ""
        self._low = False
        self._gone: Counter[str] = Counter()
        self._told_s = -_TELL_S

    def use(self, rules: KeepingRules) -> None:
        """Keep by other rules from now on."""
        self._rules = rules

    def look(self) -> bool:
        """One turn: bounded work; True when more of it waits.

        Raises
        ------
        StoreError
            When the disk refuses; the next turn tries again.
        """
        self._age()
        self._room = room = self._measure()
        left = room.left(self._rules)
        self._warn(left)
        # Once closed, a little more than nothing is needed, or it would open and close with every spectrum.
        if left < (self._rules.min_free_bytes // 100 if self._stopped else 0):
            return self._make_room(room, left)
        self._open()
        return self._trace() or self._expire() or self._thin() or self._seal(left)

    def state(self) -> dict[str, Any]:
        """What a person wants to know, JSON-ready: the room, its level ``good``, ``low`` or ``full``, and a line."""
        room = self._room
        if room is None:
            return {"level": "good", "line": "not measured yet"}
        left = room.left(self._rules)
        level = "full" if self._stopped else "low" if self._low else "good"
        free = f"{room.used_bytes / 1e9:.1f} GB in the database; its server keeps the disk"
        line = self._stopped or (free if left > _BEYOND else f"{left / 1e9:.1f} GB left for spectra")
        return {
            "level": level,
            "line": line,
            "used_bytes": room.used_bytes,
            "free_bytes": room.free_bytes,
            "reusable_bytes": room.reusable_bytes,
            "on_full": self._rules.on_full,
        }

    def _age(self) -> None:
        if self._monotonic_s() >= self._mark_due_s:
            self._mark_due_s = self._monotonic_s() + MARK_S
            self._passed.clear()
            self._store.write(_mark).result()

    def _older_than(self, connection: Connection, age_us: int) -> int:
        """The newest entry that has an age; 0 when none has."""
        if age_us <= 0:
            return _newest(connection) - 1
        row = connection.execute(
            "SELECT entry_no FROM ages WHERE mark = (SELECT max(mark) FROM ages) - ?", (-(-age_us // MARK_US),)
        ).fetchone()
        return int(row[0]) if row else 0

    def _measure(self) -> Room:
        room = self._store.room(self._free)
        if self._sealing is None:
            return room
        used, ready = self._store.read(sealed_bytes), self._sealing.leaving_bytes
        return replace(room, used_bytes=room.used_bytes + used, reusable_bytes=room.reusable_bytes + ready)

    def _make_room(self, room: Room, left: int) -> bool:
        if self._reclaimed(room.free_bytes or 0):
            return True
        for reason in _DROPPED[self._rules.on_full]:
            age_us = self._rules.keep_confirmed_us if reason == "confirmed" else 0
            if gone := self._let_go(reason, age_us):
                self._tell(gone, reason)
                return True
        self._close(left)
        return False

    def _reclaimed(self, free_bytes: int) -> bool:
        """Whether files were made smaller; where the disk refuses that, room is made in the other ways all the same."""
        if self._sealing is None:
            return False
        try:
            # What is left of a file is written anew before the file goes: so much is taken a while of what stays free.
            return self._sealing.reclaim(min(self._rules.min_free_bytes // 4, free_bytes))
        except StoreError as error:
            if not self._stopped:
                log.error("files of which much has gone cannot be made smaller: %s", error)
            return False

    def _let_go(self, reason: str, age_us: int) -> int:
        """Let the first go that may; looked for beside the writer, which has other things to do."""

        def found(connection: Connection) -> list[int]:
            until = min(self._older_than(connection, age_us), _newest(connection) - 1)
            return droppable(connection, reason, self._held(), self._passed.get(reason, 0), until, _BATCH)

        first = self._store.read(found)
        if not first:
            return 0
        # What stays before it, a golden run of a day for one, is not gone through again with each piece of work.
        self._passed[reason] = first[0] - 1
        # Once more where nothing changes meanwhile: an upload may have begun, an analysis been asked for.
        return self._store.write(lambda db: let_go(db, found(db), reason, self._store.now())).result()

    def _tell(self, gone: int, reason: str) -> None:
        """Say now and then what went; the tombstones say it of each."""
        self._gone[reason] += gone
        if self._monotonic_s() >= self._told_s + _TELL_S:
            told = ", ".join(f"{number} {name}" for name, number in self._gone.items())
            log.warning("the disk has no room, and spectra are let go, the oldest first: %s since the last word", told)
            self._gone.clear()
            self._told_s = self._monotonic_s()

    def _close(self, left: int) -> None:
        if not self._stopped:
            log.error("the data have no room: nothing more is taken in until there is")
        missing = f"{max(0, -left) / 1e6:.0f} MB are missing under [store] min_free and max_size"
        cure = f'free some, or set on_full (now "{self._rules.on_full}")'
        self._stopped = f"the data directory has no room: {missing}; {cure}"
        self._store.refuse(self._stopped)

    def _open(self) -> None:
        if self._stopped:
            self._stopped = ""
            self._store.refuse("")
            log.info("the data have room again")

    def _warn(self, left: int) -> None:
        low = left < _SOFT * self._rules.min_free_bytes
        if low and not self._low and left > 0:
            log.warning("the data have little room left: %.1f GB above [store] min_free and max_size", left / 1e9)
        self._low = low

    # -- old spectra -------------------------------------------------------------------------------------------------

    def _trace(self) -> bool:
        """Take results of an earlier version into the traces, before anything of them may go."""
        done, to_do = self._store.read(lambda db: (_number(db, "traced"), _number(db, "to trace")))
        if done >= to_do:
            return False
        self._store.write(lambda db: _trace_on(db, done, to_do)).result()
        return True

    def _seal(self, left: int) -> bool:
        size = self._rules.segment_bytes
        return bool(size and self._sealing and self._sealing.look(left, size))

    def _expire(self) -> bool:
        return bool(self._rules.expire_us) and self._let_go("expired", self._rules.expire_us) > 0

    def _thin(self) -> bool:
        rules = self._rules
        if not rules.full_rate_us:
            return False

        def thin(connection: Connection) -> bool:
            after = _number(connection, "thinned")
            until = self._older_than(connection, max(rules.full_rate_us, rules.keep_confirmed_us))
            if until <= after:
                return False
            numbers, cursor = thinning.window(connection, after, until, rules.thin_to_us, self._held())
            let_go(connection, numbers, "thinned", self._store.now())
            _set_number(connection, "thinned", cursor)
            return cursor > after

        return self._store.write(thin).result()


def _mark(connection: Connection) -> None:
    connection.execute("INSERT INTO ages SELECT coalesce(max(mark), 0) + 1, ? FROM ages", (_newest(connection),))


def _newest(connection: Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(entry_no), 0) FROM entries").fetchone()[0])


def _number(connection: Connection, name: str) -> int:
    """How far a chore has come; one of which the disk has lost that begins anew, which changes nothing."""
    row = connection.execute("SELECT number FROM keeping WHERE name = ?", (name,)).fetchone()
    return 0 if row is None else int(row[0])


def _set_number(connection: Connection, name: str, number: int) -> None:
    query = "INSERT INTO keeping VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET number = excluded.number"
    connection.execute(query, (name, number))


def _trace_on(connection: Connection, done: int, to_do: int) -> None:
    rows = connection.execute(
        "SELECT entry_no, data_id FROM entries JOIN processing USING (entry_no) "
        "WHERE entry_no > ? AND entry_no <= ? AND revision > 0 ORDER BY entry_no LIMIT ?",
        (done, to_do, _BATCH),
    ).fetchall()
    for number, data_id in rows:
        try:
            traces.note(connection, number, trace_points(connection, data_id))
        except StoreDamaged as error:
            log.error("%s; it is left out of the traces", error)
    _set_number(connection, "traced", rows[-1][0] if len(rows) == _BATCH else to_do)
