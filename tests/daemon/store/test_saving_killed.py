"""Kill -9 at every step of saving a capture: each statement, the log's first, last and some other write, its sync."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.daemon.store.test_inspection import inspected

from oesd.model import new_id
from oesd.store import Store

ROUNDS = 20
NEVER = -1


class Killed:
    """A server of children that save and die, and what they said."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server
        self._last: list[dict[str, Any]] = []
        self.slot = 0
        self.wrong: list[str] = []
        self.outcomes = Counter[str]()

    def saving(self, *, statement: int = NEVER, call: int = NEVER) -> list[str]:
        """Let a child save one more capture, to die at a step; returns its last line."""
        ids = {name: new_id() for name in ("record_id", "short_id", "data_id")}
        run_id = f"run-{self.slot // 7}"  # now and then a new one
        order: dict[str, Any] = {**ids, "slot": self.slot, "run_id": run_id, "statement": statement, "call": call}
        self.slot += 1
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps({**order, "before": self._last}) + "\n")
        said: list[list[str]] = []
        while (words := self._server.stdout.readline().split()) != ["gone"]:
            said.append(words)
        self.wrong += [" ".join(words) for words in said if words[0] == "wrong"]
        order["told"] = ["told"] in said
        self._last = [order]
        self.outcomes["lived" if said and said[-1][0] == "lived" else "told" if order["told"] else "killed"] += 1
        return said[-1] if said else []


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Killed]:
    Store.open(tmp_path / "data").close()
    command = [sys.executable, "-m", "tests.daemon.store.saving_killer", str(tmp_path / "data")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        yield Killed(server)
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


def test_a_kill_at_any_step_of_saving_costs_nothing(tmp_path: Path, killed: Killed) -> None:
    chance, tried = Random(7), 0
    for _ in range(ROUNDS):
        word, statements, calls = killed.saving()
        assert word == "lived"
        assert int(statements) > 12
        assert int(calls) > 12
        some = {0, chance.randrange(1, int(calls) - 2), int(calls) - 2, int(calls) - 1}  # the last is the sync
        for statement in range(int(statements)):
            killed.saving(statement=statement)
        for call in some:
            killed.saving(call=call)
        tried += int(statements) + len(some)
    killed.saving()
    assert killed.wrong == []
    assert killed.outcomes["killed"] > 0.9 * tried, killed.outcomes
    assert inspected(tmp_path / "data") == []


def test_the_eyes_see_half_a_capture(tmp_path: Path, killed: Killed) -> None:
    """The mutation: what would be left if the capture and its place in the outbox were two transactions."""
    killed.saving()
    with Store.open(tmp_path / "data") as store:
        store.write(lambda db: db.execute("DELETE FROM outbox")).result(10)
    killed.saving()
    assert any("half of it" in text for text in killed.wrong)
