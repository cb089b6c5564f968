"""Writes to a store until it is killed; ``python -m tests.daemon.store.crash_writer DIRECTORY``.

A server of forks, so that a kill costs no start of Python: for each line on stdin a child is forked that prints its
pid, then a line for everything that was acknowledged, until someone kills it; then the server prints ``gone``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.daemon.store.making import NOW, analysis, capture, device, entry, loss

from oesd.model import Kind, new_id
from oesd.store import OutboxState, Store
from oesd.store.keeping import Keeping, KeepingRules
from oesd.store.sealing import Sealing

LET_GO_EVERY = 4
SEGMENT_BYTES = 8_000
OF = device(pixels=512)
MADE = [capture(seed=seed, of=OF) for seed in range(16)]


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write_for_ever(directory: Path, round_: int) -> None:
    say("pid", os.getpid())
    store = Store.open(directory)
    say("open")
    dark = capture(Kind.DARK, round_, OF)
    store.save_capture(dark, None, upload=False).result()
    say("dark", dark.record_id)
    keeping = Keeping(store, KeepingRules("drop_confirmed"), free=lambda _: 0)
    sealing = Sealing(store)
    for seed in range(100_000):
        step(store, replace(MADE[seed % len(MADE)], record_id=new_id(), slot=seed, sequence=seed), dark)
        sealing.look(10**9, SEGMENT_BYTES)
        if seed % LET_GO_EVERY == LET_GO_EVERY - 1:
            keeping.look()
            say("let go")


def step(store: Store, sample, dark) -> None:
    made = entry(sample, dark)
    captured = store.save_capture(sample, made, upload=True)
    lost = store.record_loss(loss(slots=2))
    captured.result()
    say("sample", sample.record_id, made.data_id)
    lost.result()
    say("loss", 2)
    result = store.save_result(made.data_id, analysis(store.measurement(made.data_id)), {}).result()
    say("result", made.data_id, result.revision)
    store.assign(made.data_id, "p2", "Ar_417.3", now=NOW)
    say("override", made.data_id)
    item = replace(store.outbox.item(made.data_id), state=OutboxState.CONFIRMED, next_attempt_at_utc=NOW + timedelta(1))
    store.outbox.update(item).result()
    say("confirmed", made.data_id)
    store.outbox.update(replace(item, state=OutboxState.PROCESSED, remote_data_id=made.data_id)).result()
    for patch in store.outbox.patches_due(NOW):  # what a person said goes with its entry only when the API knows it
        store.outbox.update_patch(replace(patch, state="sent")).result()


def serve(directory: Path) -> None:
    for round_, _ in enumerate(sys.stdin):
        child = os.fork()
        if child == 0:
            write_for_ever(directory, round_)
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
