"""Kill -9 at random moments: what was acknowledged is there, whole, and the store always opens."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.store.test_inspection import inspected
from tests.daemon.store.test_keeping import adds_up

from oesd.store import Store

KILLS = 200
LOOKED_INTO_EVERY = 3
WHOLE_EVERY = 30
TELL_AN_ENTRY = ("sample", "result", "override", "confirmed")
SEED = 20260301


@pytest.fixture
def writers(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.daemon.store.crash_writer", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


def killed_after(server: subprocess.Popen[str], acknowledgements: int, delay_s: float) -> list[list[str]]:
    """Let a writer write, kill it, and return all that it said was stored."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write("go\n")
    pid = int(server.stdout.readline().split()[1])
    said: list[list[str]] = []
    killed = False
    while (words := server.stdout.readline().split()) != ["gone"]:
        said.append(words)
        if len(said) > acknowledgements and not killed:
            time.sleep(delay_s)
            os.kill(pid, signal.SIGKILL)
            killed = True
    assert killed
    return said


def check(store: Store, said: list[list[str]]) -> None:
    told = {kind: [words[1:] for words in said if words[0] == kind] for kind in ("dark", "sample", "result")}
    confirmed = {words[1] for words in said if words[0] == "confirmed"}
    named = {words[2 if words[0] == "sample" else 1] for words in said if words[0] in TELL_AN_ENTRY}
    gone = {data_id for data_id in named if store.tombstone(data_id) is not None}
    for record_id, *_ in told["dark"] + [words for words in told["sample"] if words[1] not in gone]:
        assert store.capture(record_id) is not None
    for _, data_id in told["sample"]:
        assert (store.measurement(data_id) is None) is (data_id in gone)
    for data_id, revision in told["result"]:
        assert (store.result(data_id, int(revision)) is None) is (data_id in gone)
    for (data_id,) in [words[1:] for words in said if words[0] == "override"]:
        assert [o.candidate_key for o in store.overrides(data_id)] == ([] if data_id in gone else ["Ar_417.3"])
    for data_id in confirmed - gone:
        assert store.outbox.item(data_id).state in ("confirmed", "processed")


def check_sums(store: Store, said: list[list[str]]) -> None:
    tally = store.tally()
    assert tally.captured == tally.stored + sum(tally.lost.values())
    assert tally.stored >= sum(words[0] == "sample" for words in said)
    assert sum(tally.lost.values()) >= sum(int(words[1]) for words in said if words[0] == "loss")
    adds_up(store)


@pytest.mark.timeout(900)
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path, writers: subprocess.Popen[str]) -> None:
    chance = random.Random(SEED)
    said: list[list[str]] = []
    for kill in range(KILLS):
        long = kill % 5 == 0  # so long that something is let go, and sealed
        said += killed_after(
            writers, chance.randrange(20, 30) if long else chance.randrange(0, 12), chance.random() * 0.003
        )
        if kill % LOOKED_INTO_EVERY:
            continue  # the next writer opens what is left, and says so
        with Store.open(tmp_path / "data") as store:
            check_sums(store, said)
            check(store, said[-40:])
            assert all(store.measurement(e.data_id) is not None for e in store.entries(5)), "nothing torn is served"
        if kill % WHOLE_EVERY == 0:
            assert inspected(tmp_path / "data") == []
    with Store.open(tmp_path / "data") as store:
        check(store, said)
        assert sum(store.tally().tombstoned.values()) > KILLS // 10
        assert (
            store.read(lambda db: db.execute("SELECT count(*) FROM captures WHERE segment_no > 0").fetchone()[0]) > 10
        )
    assert inspected(tmp_path / "data") == []
    assert sum(words[0] == "sample" for words in said) > KILLS
