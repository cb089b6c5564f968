"""Runs: their beginning, their end, and the end that nobody told because the daemon was killed.

A run that has no end when the daemon starts, or that ended with slots unaccounted for, is settled once::

    slots of the run   0 ............ n ................... m
                       stored or lost | "daemon down"       | the daemon starts again
                       holes: "not stored"
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oesd.model import Kind, Loss, RunRecord
from oesd.store.database import Connection
from oesd.store.headings import HEADER, compact_json, head_or_none
from oesd.store.integrity import intact
from oesd.store.ledger import insert_loss
from oesd.store.moments import from_us, from_us_or_none, to_us, to_us_or_none
from oesd.store.slots import free_slots

RUN_COLUMNS = (
    "run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id, ended_at_us, slots, cause, "
    "coalesce((SELECT l.labels FROM run_labels l WHERE l.run_no = runs.run_no ORDER BY l.change_no DESC LIMIT 1), "
    "labels)"
)
_NO_BOOT = ("", "unknown")
_BELIEVED_US = 366 * 86_400_000_000
"""A host's clock that is ahead by more after a restart of the host was set wrong: nobody plugs it in after a year."""


@dataclass(frozen=True, slots=True)
class HostTime:
    """The host's clocks at one moment, and the boot that the monotonic one belongs to."""

    utc: datetime
    monotonic_ns: int
    boot_id: str


def insert_run(connection: Connection, run: RunRecord) -> None:
    """Record the beginning of a run; twice is once."""
    connection.execute(
        "INSERT INTO runs (run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id, "
        "cause, labels) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            run.run_id,
            run.device_name,
            run.period_us,
            run.paced,
            to_us(run.began_at_utc),
            run.monotonic_ns,
            run.boot_id,
            run.cause,
            compact_json(dict(run.labels)),
        ),
    )


def end_run(connection: Connection, run: RunRecord) -> None:
    """Record the end of a run, its beginning too if need be; an end that is recorded stays as it is."""
    insert_run(connection, run)
    (number,) = connection.execute(
        "SELECT run_no FROM runs WHERE run_id = ? AND device_name = ?", (run.run_id, run.device_name)
    ).fetchone()
    settled = not free_slots(connection, number, 0, run.slots or 0)
    connection.execute(
        "UPDATE runs SET ended_at_us = ?, slots = ?, settled = ? WHERE run_no = ? AND ended_at_us IS NULL",
        (to_us_or_none(run.ended_at_utc), run.slots or 0, settled, number),
    )


def load_run(connection: Connection, run_id: str, device_name: str) -> RunRecord | None:
    """A run of a spectrometer, None when it was not announced."""
    row = connection.execute(
        f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ? AND device_name = ?",  # noqa: S608  (fixed texts)
        (run_id, device_name),
    ).fetchone()
    return None if row is None else run_of_row(row)


def run_of_row(row: tuple[Any, ...]) -> RunRecord:
    """Run from :data:`RUN_COLUMNS`."""
    run_id, device_name, period_us, paced, began_at_us, monotonic_ns, boot_id, ended_at_us, slots, cause, labels = row
    return RunRecord(
        run_id=run_id,
        device_name=device_name,
        period_us=period_us,
        paced=bool(paced),
        began_at_utc=from_us(began_at_us),
        monotonic_ns=monotonic_ns,
        boot_id=boot_id,
        ended_at_utc=from_us_or_none(ended_at_us),
        slots=slots,
        cause=cause,
        labels=_labels(labels),
    )


def settle_runs(connection: Connection, started: HostTime) -> int:
    """Account for the slots that earlier daemons left open, and close their runs; a second time does nothing.

    Parameters
    ----------
    started : HostTime
        When this daemon started; runs that began later in the same boot are its own and are left alone.

    Returns
    -------
    int
        Slots that were recorded as lost.

    Raises
    ------
    StoreDamaged
        When what is on the disk of a run makes no sense.
    """
    rows = connection.execute(
        f"SELECT run_no, {RUN_COLUMNS} FROM runs WHERE settled = 0 "  # noqa: S608  (fixed texts)
        "AND NOT (boot_id = ? AND monotonic_ns > ?) ORDER BY run_no",
        (started.boot_id, started.monotonic_ns),
    ).fetchall()
    slots = 0
    for number, *row in rows:
        with intact(f"run {row[0]!r}"):
            slots += _settle(connection, number, run_of_row(tuple(row)), started)
    return slots


def _settle(connection: Connection, number: int, run: RunRecord, started: HostTime) -> int:
    known = _accounted(connection, number)
    if run.ended_at_utc is not None:
        due, ended_at_utc, ending = run.slots or 0, run.ended_at_utc, ""
    else:
        over, ending = _over(connection, run, known, started)
        due, ended_at_utc = max(known, over), started.utc
    free = free_slots(connection, number, 0, due)
    for piece in free:
        # A hole may reach to where nothing more is known: what is before that is another loss.
        for part in (range(piece.start, min(piece.stop, known)), range(max(piece.start, known), piece.stop)):
            if part:
                down = run.ended_at_utc is None and part.start >= known
                at_us = to_us(ended_at_utc) - (due - part.stop) * run.period_us
                insert_loss(connection, _loss(run, part, at_us, ending if down else ""))
    connection.execute(
        "UPDATE runs SET ended_at_us = ?, slots = ?, ending = ?, settled = 1 WHERE run_no = ?",
        (to_us(ended_at_utc), due, ending, number),
    )
    return sum(map(len, free))


def _loss(run: RunRecord, slots: range, at_us: int, ending: str) -> Loss:
    reason = "daemon down" if ending else "not stored"
    detail = ending or "neither a spectrum nor another reason reached the disk before the daemon ended"
    return Loss(run.device_name, run.run_id, Kind.SAMPLE, slots.start, len(slots), reason, detail, from_us(at_us))


def _accounted(connection: Connection, number: int) -> int:
    """The slot after the last one that is accounted for."""
    row = connection.execute(
        "SELECT first_slot + slots FROM run_slots WHERE run_no = ? ORDER BY first_slot DESC LIMIT 1", (number,)
    ).fetchone()
    return int(row[0]) if row else 0


def _over(connection: Connection, run: RunRecord, known: int, started: HostTime) -> tuple[int, str]:
    """How many slots of a run without an end were over when the daemon started, and how that was found."""
    told = f"no end was recorded after slot {known - 1}" if known else "no slot and no end was recorded"
    if not run.paced:
        return known, f"{told} of a burst, whose slots come one after the other"
    first_due_ns, first_due_us = _first_due(connection, run)
    if run.boot_id == started.boot_id and run.boot_id not in _NO_BOOT:
        passed_us = (started.monotonic_ns - first_due_ns) // 1000
        return passed_us // run.period_us, f"{told}; counted on the monotonic clock of the same boot"
    passed_us = to_us(started.utc) - first_due_us
    behind_us = (known - 1) * run.period_us - passed_us
    if behind_us > 0:
        behind = f"the host's clock is {behind_us / 1e6:.0f} s behind that slot"
        return known, f"{told}; {behind}, none after it can be counted"
    if -behind_us > _BELIEVED_US:
        ahead = f"the host's clock is {-behind_us / 86_400e6:.0f} days ahead of that slot, which is not believed"
        return known, f"{told}; {ahead}, none after it can be counted"
    return passed_us // run.period_us, f"{told}; counted by the host's clock over a restart of the host"


def _first_due(connection: Connection, run: RunRecord) -> tuple[int, int]:
    """When slot 0 was due, as the clocks stood at the run's last spectrum: monotonic ns, and UTC us.

    Steps of UTC before it do not count. A spectrum cannot be older than its slot: where it seems so, the host slept in
    between, which its monotonic clock did not count but the slots did.
    """
    values, taken_at_us = _last_sample(connection, run)
    if not values:
        return run.monotonic_ns, to_us(run.began_at_utc)
    passed_ns = values["monotonic_ns"] - run.monotonic_ns
    first_due_ns = run.monotonic_ns - max(0, values["slot"] * run.period_us * 1000 - passed_ns)
    return first_due_ns, taken_at_us - (values["monotonic_ns"] - first_due_ns) // 1000


def _last_sample(connection: Connection, run: RunRecord) -> tuple[dict[str, Any], int]:
    """Header of the last sample of a spectrometer and when it was taken; empty when that is none of the run's slots."""
    last = connection.execute(
        f"SELECT c.taken_at_us, {HEADER} FROM entries e JOIN captures c ON c.capture_no = e.sample_no "  # noqa: S608
        "WHERE e.device_name = ? ORDER BY e.entry_no DESC LIMIT 1",
        (run.device_name,),
    )
    for taken_at_us, *header in last:
        values = _read(*header)
        if (values.get("run_id"), values.get("boot_id")) == (run.run_id, run.boot_id) and values["slot"] >= 0:
            return values, int(taken_at_us)
    return {}, 0


def _labels(text: str) -> dict[str, str]:
    try:
        labels = json.loads(text)
    except ValueError:
        return {}  # damaged labels do not stop the ledger
    return labels if isinstance(labels, dict) else {}


def _read(header: str, heading: str | None) -> dict[str, Any]:
    values = head_or_none(header, heading)  # a damaged capture does not stop the daemon's start
    if not all(isinstance(values.get(key), int) for key in ("monotonic_ns", "slot")):
        return {}
    return values
