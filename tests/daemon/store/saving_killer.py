"""Saves captures and is killed at a step on the way; ``python -m tests.daemon.store.saving_killer DIRECTORY``.

A server of forks, as ``crash_writer``. Each line on stdin is an order in JSON: the capture to save, and the step at
which to die: the number of a statement (those of triggers among them), or of a call to the disk, before which SIGKILL
comes. The child first looks at what the one before it left. It prints ``wrong ...`` for what should not be, ``told``
when the capture was acknowledged, and at the end of a life that nobody ended ``lived STATEMENTS CALLS``; the server
then prints ``gone``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.daemon.store.crash_writer import say
from tests.daemon.store.making import NOW, capture, device, entry, same
from tests.support.recording_vfs import OK, Event, recorded

from oesd.model import Capture, Entry, Kind, RunRecord
from oesd.store import Store
from oesd.store.database import Connection
from oesd.store.slots import free_slots

OF = device(pixels=64)
SAMPLE, SHORT, DARK = (capture(kind, seed, OF) for seed, kind in enumerate((Kind.SAMPLE, Kind.SAMPLE, Kind.DARK)))
RUN = RunRecord("run-1", OF.name, 1_000_000, True, NOW, 0, "boot")


class Steps:
    """Counts statements and calls from a moment on, and dies at one of them."""

    def __init__(self, statement: int, call: int) -> None:
        self.ends = {"statement": statement, "call": call}
        self.seen = {"statement": 0, "call": 0}
        self.armed = False

    def taken(self, kind: str) -> None:
        if self.armed:
            if self.seen[kind] == self.ends[kind]:
                os.kill(os.getpid(), signal.SIGKILL)
            self.seen[kind] += 1

    def statement(self, _sql: str) -> None:
        self.taken("statement")

    def call(self, _event: Event) -> int:
        self.taken("call")
        return OK


def made_of(order: dict[str, Any]) -> tuple[Capture, Entry, Capture, RunRecord]:
    """What an order is to save: a sample with its entry, its shorter exposure and the beginning of a run."""
    slot = order["slot"]
    short = replace(SHORT, record_id=order["short_id"], slot=-1, integration_us=1000)
    sample = replace(SAMPLE, record_id=order["record_id"], run_id=order["run_id"], slot=slot, sequence=slot)
    made = replace(entry(sample), data_id=order["data_id"], short_id=short.record_id)
    return sample, made, short, replace(RUN, run_id=order["run_id"])


def free_of(db: Connection, run_id: str, slot: int) -> bool:
    """Whether a slot has no fate."""
    row = db.execute("SELECT run_no FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    return row is None or bool(free_slots(db, row[0], slot, 1))


def wrong_after(store: Store, order: dict[str, Any], told: bool) -> Iterator[str]:
    """What should not be of an order: it is there, all of it, or nothing of it is; and all of it when it was told."""
    sample, made, short, run = made_of(order)
    known = (made.data_id,)
    there = [
        store.capture(sample.record_id) is not None,
        store.capture(short.record_id) is not None,
        store.entry(made.data_id) is not None,
        store.outbox.item(made.data_id) is not None,
        store.read(lambda db: db.execute("SELECT count(*) FROM entries JOIN processing USING (entry_no) "
                                         "WHERE data_id = ?", known).fetchone()[0]) == 1,
        not store.read(lambda db: free_of(db, run.run_id, sample.slot)),
    ]  # fmt: skip
    if len(set(there)) != 1:
        yield f"half of it is there: {there}"
    if told and not all(there):
        yield "it was told as stored and is not there"
    if there[0] and not same(store.capture(sample.record_id), sample):
        yield "another capture is served"
    tally = store.tally()
    rows = store.read(lambda db: db.execute("SELECT count(*) FROM entries").fetchone()[0])
    if not rows == tally.stored == tally.pending == tally.waiting:
        yield f"{rows} entries, and the sums are {tally}"


def live(directory: Path, order: dict[str, Any]) -> None:
    steps = Steps(order["statement"], order["call"])
    with recorded() as disk, Store.open(directory) as store:
        disk.refuse = steps.call
        for before in order["before"]:
            for text in wrong_after(store, before, before["told"]):
                say("wrong", text)
        store.write(lambda db: db.set_trace_callback(steps.statement)).result()  # type: ignore[attr-defined]
        sample, made, short, run = made_of(order)
        steps.armed = True
        store.save_capture(sample, made, upload=True, short=short, run=run).result()
        say("told")
        steps.armed = False
        say("lived", steps.seen["statement"], steps.seen["call"])


def serve(directory: Path) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(directory, json.loads(line))
            os._exit(0)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
