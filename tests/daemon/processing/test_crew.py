"""Worker processes: a job that ends its process costs no other one, and no process outlives us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from tests.support.daemons import until

from oesd.processing.crew import Crew, CrewError, WorkerDied, each

# What a worker is, without what it imports: it starts in hundredths of a second.
WORKER = """
import os, socket, struct, sys, time
with socket.socket(fileno=int(sys.argv[1])) as channel, channel.makefile("rwb") as stream:
    while head := stream.read(8):
        job = stream.read(struct.unpack("<Q", head)[0])
        if job == b"die":
            os._exit(3)
        if job == b"hang":
            time.sleep(1000)
        if job.startswith(b"once ") and not os.path.exists(job[5:]):
            open(job[5:], "w").close()
            os._exit(3)
        answer = b"done " + job + b" " + str(os.getpid()).encode()
        stream.write(struct.pack("<Q", len(answer)) + answer)
        stream.flush()
"""


@pytest.fixture
def command(tmp_path: Path) -> tuple[str, ...]:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    return (sys.executable, str(script))


@pytest.fixture
def crew(command: tuple[str, ...]) -> Iterator[Crew]:
    with Crew(2, command=command) as running:
        yield running


def test_jobs_are_answered_in_their_order(crew: Crew) -> None:
    jobs = [(i, str(i).encode()) for i in range(50)]
    answers = [(key, future.result().split()[1]) for key, future in each(crew, iter(jobs))]
    assert answers == jobs


def test_both_hands_work(crew: Crew) -> None:
    futures = [crew.submit(b"x" * 100_000) for _ in range(20)]
    assert len({future.result(30).split()[-1] for future in futures}) == 2


def test_a_job_that_kills_its_worker_fails_alone(crew: Crew) -> None:
    jobs = [b"a", b"die", b"b", b"die", b"c"]
    told = []
    for _, future in each(crew, enumerate(jobs)):
        error = future.exception()
        told.append("died" if isinstance(error, WorkerDied) else "done")
    assert told == ["done", "died", "done", "died", "done"]


def test_a_worker_that_dies_once_costs_nothing(crew: Crew, tmp_path: Path) -> None:
    assert crew.submit(b"once " + str(tmp_path / "mark").encode()).result(30).startswith(b"done once")


def test_a_job_that_hangs_is_ended_by_deadline(command: tuple[str, ...]) -> None:
    with Crew(1, deadline_s=2.0, command=command) as crew:
        hanging = crew.submit(b"hang")
        assert crew.submit(b"next").result(30).startswith(b"done next")
        with pytest.raises(WorkerDied):
            hanging.result(0)


def test_closing_waits_for_no_job(command: tuple[str, ...]) -> None:
    crew = Crew(1, command=command)
    assert crew.submit(b"first").result(30)
    hanging, waiting = crew.submit(b"hang"), crew.submit(b"never")
    until(hanging.running)
    crew.close()
    with pytest.raises(WorkerDied):
        hanging.result(0)
    with pytest.raises((CancelledError, CrewError)):
        waiting.result(0)
    with pytest.raises(CrewError, match="ended"):
        crew.submit(b"late").result(0)


def test_what_waits_is_given_up_when_nobody_wants_it(crew: Crew) -> None:
    served = each(crew, ((i, b"x") for i in range(1000)))
    next(served)
    served.close()  # type: ignore[attr-defined]
    assert crew.submit(b"y").result(30).startswith(b"done y")


def test_a_command_that_is_none_is_said(tmp_path: Path) -> None:
    with Crew(1, command=(str(tmp_path / "none"),)) as crew, pytest.raises(WorkerDied):
        crew.submit(b"x").result(30)


PARENT = """
import sys, time
from oesd.processing.crew import Crew
from oesd.processing.jobs import pack_job
from oesd.model import Measurement, Recipe
import numpy as np
crew = Crew(1)
measurement = Measurement(np.linspace(300.0, 800.0, 512), np.full(512, 100.0))
crew.submit(pack_job(measurement, Recipe())).result()
print([child._process.pid for child in crew._children][0], flush=True)
time.sleep(1000)
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        os.kill(worker, 0)
        os.kill(worker, signal.SIGINT)  # the terminal's Ctrl-C is the parent's business
        time.sleep(0)
        assert not _ended(worker)
        parent.kill()
    until(lambda: _ended(worker))


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_defect_in_a_worker_is_one_line_and_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with Crew(1) as crew:
        error = crew.submit(b"M no job").exception(60)
    assert isinstance(error, WorkerDied)
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 2, "tried twice"
    assert all(line.startswith("oesd: a defect ended an analysis: ") for line in said)
