"""The sums of the ledger counted again from the rows: what the triggers kept must be what is there."""

from __future__ import annotations

from collections.abc import Iterator

from oesd.store.database import Connection

_ROWS = """
SELECT 'captures', sort, count(*) FROM (
    SELECT CASE WHEN kind = 'sample' AND EXISTS (SELECT 1 FROM entries WHERE short_no = capture_no) THEN 'short'
                ELSE kind END AS sort FROM captures
) c GROUP BY sort
UNION ALL SELECT 'captures', 'sample', count(*) FROM tombstones WHERE of_file = 0
UNION ALL SELECT 'captures', 'short', sum(shorts) FROM tombstones
UNION ALL SELECT 'files', 'stored', count(*) FROM files
UNION ALL SELECT 'files', 'stored', count(*) FROM tombstones WHERE of_file = 1
UNION ALL SELECT CASE of_file WHEN 1 THEN 'tombstoned files' ELSE 'tombstoned' END, reason, count(*)
    FROM tombstones GROUP BY 1, 2
UNION ALL SELECT 'processing', state, count(*) FROM processing GROUP BY 2
UNION ALL SELECT 'outbox', state, count(*) FROM outbox GROUP BY 2
UNION ALL SELECT CASE kind WHEN 'sample' THEN 'lost' ELSE 'lost calibration' END, reason, sum(slots)
    FROM losses GROUP BY 1, 2
"""
_RUNS = """
SELECT run_id, device_name, fate, sum(of_run), sum(of_hours), settled, slots FROM (
    SELECT run_no, fate, slots AS of_run, 0 AS of_hours FROM run_slots
    UNION ALL SELECT run_no, fate, 0, slot_hours.slots FROM slot_hours JOIN runs USING (run_id, device_name)
) s JOIN runs USING (run_no) GROUP BY run_no, run_id, device_name, fate, settled, slots
"""
_UNSETTLED = """
SELECT run_id, device_name, slots, (SELECT coalesce(sum(slots), 0) FROM run_slots WHERE run_slots.run_no = runs.run_no)
FROM runs WHERE settled = 1
"""


def wrong_sums(connection: Connection) -> Iterator[tuple[str, str]]:
    """Sums that are not those of the rows: what is summed, and what is wrong with it."""
    kept = {
        (account, name): number
        for account, name, number in connection.execute("SELECT account, name, number FROM ledger")
    }
    rows: dict[tuple[str, str], int] = {}
    for account, name, number in connection.execute(_ROWS):
        rows[account, name] = rows.get((account, name), 0) + (number or 0)
    for key in sorted({*kept, *rows}):
        if kept.get(key, 0) != rows.get(key, 0):
            yield f"ledger of {key[0]}: {key[1]}", f"{kept.get(key, 0)} in the ledger, {rows.get(key, 0)} rows"


def wrong_runs(connection: Connection) -> Iterator[tuple[str, str]]:
    """Runs whose slots by number are not those by hour, or that lack slots after they were settled."""
    for run_id, device_name, fate, of_run, of_hours, *_ in connection.execute(_RUNS):
        if of_run != of_hours:
            what = f"lost ({fate})" if fate else "stored"
            yield f"run {run_id} of {device_name}", f"{of_run} slots {what} by number, {of_hours} by hour"
    for run_id, device_name, due, known in connection.execute(_UNSETTLED):
        if due is None:  # damaged: what is settled has ended
            yield f"run {run_id} of {device_name}", f"how many slots came due is gone, {known} are accounted for"
        elif known < due:
            yield f"run {run_id} of {device_name}", f"{due} slots came due, {known} are accounted for"
