"""The ledger of a long time: what accounting costs with each spectrum, and how long the ledger takes to read.

    python tests/bench/ledger.py [SLOTS]

Slots at 1 Hz, a million by default (twelve days), one in six hundred of them lost: in a store of its own, in the
transactions and by the statements that the daemon uses, captures of few pixels. "Bare" is the same without a schedule.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from oesd.model import Capture, Device, Kind, Loss, RunRecord, new_id
from oesd.store import HostTime, Store, StoreError
from oesd.store.captures import insert_capture, pack_capture
from oesd.store.ledger import insert_loss

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
RUN = RunRecord(new_id(), "chamber-a", 1_000_000, True, BEGAN, 0, "boot")
PIXELS = 4
GROUP = 10_000
FAULT_EVERY = 600
COMMITS = 40
DEVICE = Device("S", "chamber-a", "USB2000+", np.arange(PIXELS, dtype=np.float64), 65535)
FIRST = Capture(
    record_id="", device=DEVICE, kind=Kind.SAMPLE, run_id=RUN.run_id, sequence=0, slot=0, taken_at_utc=BEGAN,
    monotonic_ns=0, boot_id="boot", integration_us=1, scans=1, boxcar_half_width_px=0,
    counts_sum=np.zeros(PIXELS, dtype=np.uint32), saturated=np.zeros(PIXELS, dtype=np.bool_),
)  # fmt: skip


def fill(store: Store, slots: int, *, scheduled: bool) -> float:
    """Store and lose slots; seconds in the writer's thread, without encoding and commits."""
    packed = pack_capture(FIRST)
    spent_s = 0.0

    def group(connection: sqlite3.Connection, first: int) -> None:
        nonlocal spent_s
        rows = []
        for slot in range(first, min(first + GROUP, slots)):
            at = BEGAN + timedelta(seconds=slot)
            if slot % FAULT_EVERY == FAULT_EVERY - 1:
                rows.append(Loss("chamber-a", RUN.run_id, Kind.SAMPLE, slot, 1, "device gone", "", at))
                continue
            taken_at_us = int(at.timestamp()) * 1_000_000
            place = replace(packed.slot, number=slot, taken_at_us=taken_at_us) if scheduled and packed.slot else None
            columns = {**packed.columns, "record_id": new_id(), "taken_at_us": taken_at_us}
            rows.append(replace(packed, columns=columns, slot=place))
        began_s = time.perf_counter()
        for row in rows:
            if isinstance(row, Loss):
                insert_loss(connection, row)
            else:
                insert_capture(connection, row)
        spent_s += time.perf_counter() - began_s

    for first in range(0, slots, GROUP):
        store.write(lambda connection, first=first: group(connection, first)).result()
    return spent_s


def timed(what: str, query: Callable[[], object], repeat: int = 5) -> None:
    """Print the best time of some."""
    times_s = []
    for _ in range(repeat):
        began_s = time.perf_counter()
        query()
        times_s.append(time.perf_counter() - began_s)
    print(f"{what:60} {1e3 * min(times_s):9.2f} ms")


def log_bytes_of_a_commit(directory: Path, *, scheduled: bool) -> float:
    """Mean growth of the log with each of a few captures committed alone, before the first checkpoint."""
    with Store.open(directory) as store:
        store.begin_run(RUN).result()
        log = directory / "oesd.sqlite-wal"
        before = log.stat().st_size
        for slot in range(COMMITS):
            made = replace(FIRST, record_id=new_id(), slot=slot if scheduled else -1)
            store.save_capture(made, None, upload=False).result()
        return (log.stat().st_size - before) / COMMITS


def main(slots: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        for scheduled in (False, True):
            grown = log_bytes_of_a_commit(Path(folder) / f"log-{scheduled}", scheduled=scheduled)
            print(f"{'log per commit, ' + ('scheduled' if scheduled else 'bare'):60} {grown / 1e3:9.1f} kB")
        with Store.open(Path(folder) / "bare") as store:
            print(f"{'insert, bare':60} {1e6 * fill(store, slots // 5, scheduled=False) / (slots // 5):9.1f} us")
        with Store.open(Path(folder) / "data") as store:
            store.begin_run(RUN).result()
            print(f"{'insert, scheduled':60} {1e6 * fill(store, slots, scheduled=True) / slots:9.1f} us")
            sizes = "SELECT sum(pgsize) FROM dbstat WHERE name IN ('run_slots', 'slot_hours', 'slot_hours_by_run')"
            try:
                size = store.read(lambda db: db.execute(sizes).fetchone()[0])
                print(f"{f'tables of the ledger for {slots} slots':60} {size / 1e3:9.1f} kB")
            except StoreError as error:  # SQLite built without dbstat
                print(f"size of the ledger's tables not known: {error}")
            end = BEGAN + timedelta(seconds=slots)
            timed("ledger_hours of the last day", lambda: store.ledger_hours(since=end - timedelta(days=1)))
            timed("ledger_hours of all", store.ledger_hours)
            timed("run_accounts", store.run_accounts)
            timed("tally", store.tally)
            account = store.run_accounts()[0]
            assert account.slots.due == slots == sum(hour.slots.due for hour in store.ledger_hours())
            started = HostTime(end + timedelta(days=30), (slots + 30 * 86_400) * 10**9, "boot")
            timed(
                "settle_runs: the first start after a kill and 30 days", lambda: store.settle_runs(started).result(), 1
            )
            assert store.run_accounts()[0].slots.due == slots + 30 * 86_400


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
