"""What became of each slot: a run's slots are stored or lost, never both, never twice.

Two tables are kept in the transactions that store captures and losses::

    run_slots    per run, neighbouring slots of one fate as one row: says at once whether a slot is free
    slot_hours   per hour, spectrometer, run and fate the number of slots: what the ledger's tables are read from

A run that was announced (``runs``) has both. Slots of a run that nobody announced are counted by hour alone.

Hours are those of the host's clock as it stood. Where that was set back, an hour holds more slots than it has seconds,
and none where it was set forward; the sums are exact all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from oesd.model import Capture, Kind, Loss
from oesd.store.database import Connection
from oesd.store.errors import SlotTaken
from oesd.store.moments import to_us

STORED = ""
"""The fate of a stored slot; that of a lost one is its reason."""
HOUR_US = 3_600_000_000
_UNNAMED = "no reason given"

SCHEMA = """
CREATE TABLE runs (
    run_no      INTEGER PRIMARY KEY,        -- order of storing
    run_id      TEXT NOT NULL,
    device_name TEXT NOT NULL,
    period_us   INTEGER NOT NULL CHECK (period_us > 0),
    paced       INTEGER NOT NULL,
    began_at_us INTEGER NOT NULL,
    monotonic_ns INTEGER NOT NULL,          -- when slot 0 was due, on the clock of that boot
    boot_id     TEXT NOT NULL,
    ended_at_us INTEGER,                    -- NULL while it lasts
    slots       INTEGER,                    -- that came due, known from the end on
    ending      TEXT NOT NULL DEFAULT '',   -- how the end was found when nobody told it
    settled     INTEGER NOT NULL DEFAULT 0, -- ended, and every slot that came due is in run_slots
    UNIQUE (run_id, device_name)
) STRICT;
CREATE INDEX runs_unsettled ON runs (run_no) WHERE settled = 0;
CREATE TRIGGER runs_no_delete BEFORE DELETE ON runs BEGIN SELECT RAISE(ABORT, 'runs are never deleted'); END;
CREATE TRIGGER runs_no_update BEFORE UPDATE OF
    run_no, run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id ON runs
    BEGIN SELECT RAISE(ABORT, 'the beginning of a run is never changed'); END;

CREATE TABLE run_slots (
    run_no      INTEGER NOT NULL REFERENCES runs,
    first_slot  INTEGER NOT NULL,
    slots       INTEGER NOT NULL CHECK (slots > 0),
    fate        TEXT NOT NULL,              -- '' stored, else the reason of the loss
    PRIMARY KEY (run_no, first_slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE slot_hours (
    hour        INTEGER NOT NULL,           -- since 1970, UTC
    device_name TEXT NOT NULL,
    run_id      TEXT NOT NULL,
    fate        TEXT NOT NULL,
    slots       INTEGER NOT NULL,
    PRIMARY KEY (hour, device_name, run_id, fate)
) STRICT, WITHOUT ROWID;
CREATE INDEX slot_hours_by_run ON slot_hours (run_id, device_name);

INSERT INTO slot_hours                      -- what an earlier version stored, by hour; its runs are not known
SELECT hour, name, run_id, '', count(*) FROM (
    SELECT taken_at_us / 3600000000 AS hour, name,
           CASE WHEN json_valid(header) THEN json_extract(header, '$.run_id') END AS run_id,
           CASE WHEN json_valid(header) THEN json_extract(header, '$.slot') END AS slot
    FROM captures JOIN devices USING (device_no) WHERE kind = 'sample'
) WHERE typeof(run_id) = 'text' AND slot >= 0 GROUP BY hour, name, run_id;
INSERT INTO slot_hours
SELECT at_us / 3600000000 AS hour, device_name, run_id, reason, sum(slots) FROM losses
WHERE kind = 'sample' AND first_slot >= 0 AND reason != '' GROUP BY hour, device_name, run_id, reason;
"""


@dataclass(frozen=True, slots=True)
class Slot:
    """The slot that a sample was taken for."""

    device_name: str
    run_id: str
    number: int
    taken_at_us: int


def slot_of(capture: Capture) -> Slot | None:
    """The slot of a scheduled sample; None for every other capture."""
    if capture.kind is not Kind.SAMPLE or capture.slot < 0:
        return None
    return Slot(capture.device.name, capture.run_id, capture.slot, to_us(capture.taken_at_utc))


def account_stored(connection: Connection, slot: Slot) -> None:
    """Count a slot as stored.

    Raises
    ------
    SlotTaken
        When it is accounted for already.
    """
    if not _joined(connection, slot):
        _begin(connection, slot)
    _count(connection, slot.taken_at_us // HOUR_US, slot.device_name, slot.run_id, STORED, 1)


def _joined(connection: Connection, slot: Slot) -> bool:
    """Mark a slot as stored with the stored ones right before it: the usual case, in one statement; False otherwise."""
    longer = connection.execute(
        "UPDATE run_slots SET slots = slots + 1 "
        "WHERE run_no = (SELECT run_no FROM runs WHERE run_id = ?1 AND device_name = ?2) AND first_slot = "
        "(SELECT max(s.first_slot) FROM run_slots s WHERE s.run_no = run_slots.run_no AND s.first_slot <= ?3) "
        "AND first_slot + slots = ?3 AND fate = ?4",
        (slot.run_id, slot.device_name, slot.number, STORED),
    )
    return longer.rowcount == 1


def _begin(connection: Connection, slot: Slot) -> None:
    """Mark a slot of an announced run as stored, wherever it lies."""
    run = _run(connection, slot.device_name, slot.run_id)
    if run is not None:
        if not free_slots(connection, run[0], slot.number, 1):
            raise SlotTaken(f"slot {slot.number} of run {slot.run_id} is accounted for already")
        _mark(connection, run[0], range(slot.number, slot.number + 1), STORED)


def account_lost(connection: Connection, loss: Loss) -> list[Loss]:
    """Count slots as lost; returns what of the loss was not accounted for before, which may be nothing.

    A store's error does not tell whether the spectrum is on the disk all the same. Who counts it as lost then is
    mistaken, and the spectrum stands.
    """
    if loss.kind is not Kind.SAMPLE or loss.first_slot < 0:
        return [loss]
    fate, at_us = loss.reason or _UNNAMED, to_us(loss.at_utc)
    run = _run(connection, loss.device_name, loss.run_id)
    if run is None:
        _count(connection, at_us // HOUR_US, loss.device_name, loss.run_id, fate, loss.slots)
        return [loss]
    run_no, period_us = run
    free = free_slots(connection, run_no, loss.first_slot, loss.slots)
    for piece in free:
        _mark(connection, run_no, piece, fate)
        last_at_us = at_us - (loss.first_slot + loss.slots - piece.stop) * period_us
        for hour, slots in by_hour(last_at_us, len(piece), period_us):
            _count(connection, hour, loss.device_name, loss.run_id, fate, slots)
    return [replace(loss, first_slot=piece.start, slots=len(piece)) for piece in free]


def by_hour(last_at_us: int, slots: int, period_us: int) -> Iterator[tuple[int, int]]:
    """Hours, the latest first, and how many of the slots fall into each; the last of them is due at ``last_at_us``."""
    hour, told = last_at_us // HOUR_US, 0
    while told < slots:
        since = min(slots, (last_at_us - hour * HOUR_US) // period_us + 1)
        if since > told:
            yield hour, since - told
        hour, told = hour - 1, since


def free_slots(connection: Connection, run_no: int, first_slot: int, slots: int) -> list[range]:
    """Slots of a stretch that are not accounted for, in order."""
    end = first_slot + slots
    taken = connection.execute(
        "SELECT first_slot, first_slot + slots FROM run_slots WHERE run_no = ?1 AND first_slot < ?3 AND first_slot >= "
        "coalesce((SELECT max(first_slot) FROM run_slots WHERE run_no = ?1 AND first_slot <= ?2), ?2) "
        "ORDER BY first_slot",
        (run_no, first_slot, end),
    )
    free, at = [], first_slot
    for start, stop in taken:
        if start > at:
            free.append(range(at, start))
        at = max(at, stop)
    return [*free, range(at, end)] if at < end else free


def _run(connection: Connection, device_name: str, run_id: str) -> tuple[int, int] | None:
    """Number and period of a run that was announced."""
    row: tuple[int, int] | None = connection.execute(
        "SELECT run_no, period_us FROM runs WHERE run_id = ? AND device_name = ?", (run_id, device_name)
    ).fetchone()
    return row


def _mark(connection: Connection, run_no: int, slots: range, fate: str) -> None:
    """Write the fate of free slots: with the row of the same fate right before them, else as a row of their own."""
    longer = connection.execute(
        "UPDATE run_slots SET slots = slots + ?3 WHERE run_no = ?1 AND first_slot = "
        "(SELECT max(first_slot) FROM run_slots WHERE run_no = ?1 AND first_slot < ?2) "
        "AND first_slot + slots = ?2 AND fate = ?4",
        (run_no, slots.start, len(slots), fate),
    )
    if not longer.rowcount:
        connection.execute("INSERT INTO run_slots VALUES (?, ?, ?, ?)", (run_no, slots.start, len(slots), fate))


def _count(connection: Connection, hour: int, device_name: str, run_id: str, fate: str, slots: int) -> None:
    connection.execute(
        "INSERT INTO slot_hours VALUES (?, ?, ?, ?, ?) ON CONFLICT (hour, device_name, run_id, fate) "
        "DO UPDATE SET slots = slot_hours.slots + excluded.slots",
        (hour, device_name, run_id, fate, slots),
    )
