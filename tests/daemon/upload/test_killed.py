"""Kill -9 at every step, before and after its effect: another process on the same store finishes the record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support import fault_server as faults
from tests.support.fault_server import FaultServer
from tests.support.upload_bench import Bench

from oesd.model import new_id
from oesd.store import OutboxState as S
from oesd.upload.journey import Journey

ROOT = Path(__file__).parents[3]
REPEATS = 20
ROUTES = ("presign", "put", "complete", "entries", "download", "fetch", "oes")


class Nursery:
    """A process that forks forwarding processes for the server to kill from within a request."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.forward_child"]
        self._parent = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._born = threading.Event()
        self._child = 0

    def close(self) -> None:
        self._parent.communicate(timeout=30)

    def forward_until_killed(self, *arguments: object) -> None:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._born.clear()
        self._parent.stdin.write("\t".join(map(str, arguments)) + "\n")
        self._parent.stdin.flush()
        self._child = int(self._parent.stdout.readline())
        self._born.set()
        assert int(self._parent.stdout.readline()) == -signal.SIGKILL

    def killing(self, *, after_effect: bool) -> faults.Fault:
        def kill(handler: faults.Handler, effect: Callable[[], faults.Reply]) -> None:
            if after_effect:
                effect()
            assert self._born.wait(10)
            os.kill(self._child, signal.SIGKILL)
            handler.cut()

        return kill


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    made.close()


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_kill_at_any_step_loses_nothing(
    bench: Bench, server: FaultServer, nursery: Nursery, route: str, after_effect: bool
) -> None:
    """The process dies at that request, before or after it took effect; the next one finishes what it finds."""
    for _ in range(REPEATS):
        server.reset()
        known = bench.record()
        bench.store.close()
        server.script(route, nursery.killing(after_effect=after_effect))
        nursery.forward_until_killed(bench.directory, bench.files, server.url, 1)
        bench.now = max(bench.now, datetime.now(UTC))  # by which the killed process wrote its times
        bench.reopen()
        assert bench.item(known).state is not S.QUARANTINED
        item = bench.until(known, S.PROCESSED)
        assert [e.data for e in server.uploaded(known.record_id)] == [bench.render(known.data_id).data]
        same_name = {e.data_id for e in server.entries.values() if known.record_id in e.name}
        assert same_name == {item.remote_data_id, *item.orphaned_ids}
        # Only a presign is ever repeated blindly, and only where its reply never came.
        assert server.count("presign") == (2 if route == "presign" else 1)
        assert len(same_name) == (2 if route == "presign" and after_effect else 1)


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("route", ROUTES)
def test_a_kill_at_any_step_of_a_batch_loses_nothing(
    bench: Bench, server: FaultServer, nursery: Nursery, route: str, after_effect: bool
) -> None:
    run = new_id()
    for _ in range(REPEATS // 10):
        server.reset()
        many = [bench.record(run_id=run) for _ in range(3)]
        bench.store.close()
        server.script(route, nursery.killing(after_effect=after_effect))
        nursery.forward_until_killed(bench.directory, bench.files, server.url, 3)
        bench.now = max(bench.now, datetime.now(UTC))
        bench.reopen()
        bench.new_forwarder(replace(bench.pace, batch=3))
        for known in many:
            bench.until(known, S.PROCESSED)
            assert {e.data for e in server.uploaded(known.record_id)} == {bench.render(known.data_id).data}
        archives = [e for e in server.entries.values() if e.name.endswith(".zip")]
        assert len({e.name for e in archives}) == 1, "the same batch, however often it was asked for"
        assert server.count("presign") == (2 if route == "presign" else 1)


@pytest.mark.parametrize("steps", range(1, 7))
def test_a_stop_between_any_two_steps_goes_on_where_it_stood(bench: Bench, server: FaultServer, steps: int) -> None:
    """An orderly stop after each step in turn; nothing is done twice."""
    known = bench.record()
    taken = 0

    def stopping() -> bool:
        nonlocal taken
        taken += 1
        return taken > steps

    Journey(bench.forwarder._means, known, bench.now, stopping).go()
    expected = [S.PRESIGNED, S.UPLOADED, S.COMPLETED, S.CONFIRMED]
    assert bench.item(known).state is expected[min(steps, 4) - 1]
    bench.restart()
    bench.until(known, S.PROCESSED)
    assert {r: server.count(r) for r in ROUTES} == dict.fromkeys(ROUTES, 1)
