"""``oesd reprocess`` as it is run: without a daemon, beside one, stopped in the middle, on a cluster."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.daemon.web import spectra
from tests.support.daemons import OESD, Daemon, oesd, until

from oesd.cli.reprocess import _Count, _count_difference
from oesd.model import Device, ElementFinding, Recipe
from oesd.processing.differences import Difference, Renamed
from oesd.processing.jobs import versions
from oesd.processing.reprocessing import Task
from oesd.store import Store
from oesd.store.onlooker import Onlooker
from oesd.store.standing import Wanted


def filled(data: Path, entries: int, pixels: int = 1024) -> list[str]:
    """Entries whose results an older engine made, which took something for xenon."""
    device = spectra.device(pixels=pixels)
    with Store.open(data) as store:
        return [_by_an_older_engine(store, device, seed) for seed in range(entries)]


def _by_an_older_engine(store: Store, device: Device, seed: int) -> str:
    data_id = spectra.store_spectrum(store, device, seed=seed, processed=False)
    measured = store.measurement(data_id)
    assert measured is not None
    made = spectra.analysis(measured.wavelengths_nm, measured.sample, dark=measured.dark)
    store.save_result(data_id, replace(made, elements=(*made.elements, ElementFinding("Xe", 0.7))), {}).result()
    return data_id


def by_today(data: Path) -> int:
    today = (versions().engine, versions().line_table)
    with Onlooker(data) as store:
        return sum(standing.made_with == today for standing in store.standings(Wanted()))


def contents(data: Path) -> list[tuple[str, bytes]]:
    with Onlooker(data) as store:
        query = "SELECT data_id, content FROM results JOIN entries USING (entry_no) ORDER BY data_id, revision"
        return store.read(lambda connection: connection.execute(query).fetchall())


def test_a_dry_run_tells_and_keeps_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    entries = filled(data, 3)
    before = contents(data)
    done = oesd("reprocess", "--all", "--dry-run", "--data", data)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line[:36] for line in lines[:3]] == entries
    assert re.search(r"chamber-a  .*-Xe.*; .*p\d+ \d+\.\d\d \S+>\S+.*; peaks 29>\d+", lines[0])
    assert lines[3].startswith("3 differ in names or peaks, 0 in numbers only")
    assert "Xe -3" in lines[4]
    told = oesd("reprocess", entries[0], "--dry-run", "--json", "--data", data)
    (document,) = [json.loads(line) for line in told.stdout.splitlines()]
    assert (document["data_id"], document["peaks_before"]) == (entries[0], 29)
    assert contents(data) == before


def test_it_is_done_once_and_the_same_on_any_number_of_workers(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    filled(one, 4, 512)
    subprocess.run(["cp", "-r", one, other], check=True)
    for data, jobs in ((one, "1"), (other, "2")):
        done = oesd("reprocess", "--all", "--jobs", jobs, "--data", data)
        assert (done.returncode, done.stdout) == (0, "4 analysed again\n"), done.stderr
    assert contents(one) == contents(other)
    same = oesd("reprocess", "--all", "--again", "--dry-run", "--data", one)
    assert same.stdout == "0 differ in names or peaks, 0 in numbers only, 4 in nothing\n"


def test_what_is_stopped_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    filled(data, 60, 128)
    words = [*OESD, "reprocess", "--all", "--jobs", "1", "--data", str(data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: by_today(data) > 0)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130, (out, err)
    assert "still to do" in out
    assert "goes on from here" in err
    there = by_today(data)
    assert f"{there} analysed again" in out
    done = oesd("reprocess", "--all", "--data", data)
    assert done.stdout == f"{60 - there} analysed again, {there} of today's engine and recipe already\n"
    assert len(contents(data)) == 120


def test_a_configuration_is_todays_recipe_without_a_daemon(tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "oesd.toml"
    (data_id,) = filled(data, 1)
    config.write_text('[identify]\nprocess = "sputter Ar"\n')
    assert oesd("reprocess", "--all", "--data", data, "--config", config).returncode == 0
    recipe = json.loads(oesd("show", data_id, "--json", "--data", data).stdout)["spectral_metadata"]["recipe"]
    assert "Cu" in recipe["expected"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--all"),
        (("--all", "0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90"), "--all"),
        (("0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90",), "no such entry"),
        (("x",), "no data id"),
        (("--all", "--scheduler", "tcp://127.0.0.1:1"), "no Dask scheduler answers at tcp://127.0.0.1:1"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    data = tmp_path / "data"
    filled(data, 1)
    done = oesd("reprocess", *words, "--data", data)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_beside_a_daemon_it_keeps_by_the_daemon(tmp_path: Path) -> None:
    data = tmp_path / "data"
    entries = filled(data, 3)
    with Daemon.simulated(data) as daemon:
        daemon.url()
        done = oesd("reprocess", *entries, "--data", data)
        assert (done.returncode, done.stdout) == (0, "3 analysed again\n"), done.stderr
        again = oesd("reprocess", *entries, "--data", data)
        assert again.stdout == "0 analysed again, 3 of today's engine and recipe already\n"
        assert daemon.get(f"/oes/{entries[0]}")["id"] == "oes_002"
        why = daemon.get(f"/oes/{entries[0]}/evidence")
        assert why["note"] == ""
        assert "Ar" in {one["element"] for one in why["evidence"]}
        tunnel = daemon.url().replace("127.0.0.1", "localhost")  # as one to another computer: our directory is not its
        other = oesd("reprocess", *entries, "--url", tunnel)
        assert (other.returncode, other.stderr.count("\n")) == (2, 1)
        assert "run the command on the daemon's own computer" in other.stderr
        daemon.end(signal.SIGTERM)


@contextmanager
def cluster(directory: Path, workers: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Dask scheduler and workers, each a process on loopback; its address, and the scheduler's process."""
    told = directory / "scheduler.json"
    dask = [sys.executable, "-m", "distributed.cli.dask_"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter", "--scheduler-file", str(told)]
    parts = [[*dask[:2], "distributed.cli.dask_scheduler", *words]]
    with subprocess.Popen(parts[0], **quiet) as scheduler:  # type: ignore[call-overload]
        try:
            address = str(json.loads(until(lambda: told.exists() and told.read_text()))["address"])
            given = [address, "--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", "127.0.0.1"]
            command = [*dask[:2], "distributed.cli.dask_worker", *given, "--local-directory", str(directory)]
            working = [subprocess.Popen(command, **quiet) for _ in range(workers)]  # type: ignore[call-overload]
            try:
                yield address, scheduler
            finally:
                for worker in working:
                    worker.kill()
                    worker.wait()
        finally:
            scheduler.kill()


def test_a_cluster_says_the_same_bit_for_bit(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    one, other = tmp_path / "one", tmp_path / "other"
    filled(one, 4, 512)
    subprocess.run(["cp", "-r", one, other], check=True)
    assert oesd("reprocess", "--all", "--jobs", "1", "--data", one).returncode == 0
    with cluster(tmp_path, 1) as (address, _):
        done = oesd("reprocess", "--all", "--scheduler", address, "--data", other)
    assert (done.returncode, done.stdout) == (0, "4 analysed again\n"), done.stderr
    assert contents(one) == contents(other)


LEFT_WAITING = """
import sys
from oesd.processing.cluster import Cluster
from oesd.processing.crew import CrewError
with Cluster(sys.argv[1]) as crew:
    asked = crew.submit(b"a job")
    print("asked", flush=True)
    print(asked.exception(60))
"""


def test_a_cluster_that_is_lost_is_told_in_one_line_and_by_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    with cluster(tmp_path, 0) as (address, scheduler):
        words = [sys.executable, "-c", LEFT_WAITING, address]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
            assert asking.stdout is not None and asking.stdout.readline() == "asked\n"
            scheduler.kill()
            out, told = asking.communicate(timeout=60)
    assert out == "the Dask scheduler was lost, or gave it up (cancelled)\n"
    assert (asking.returncode, told) == (0, "")


def test_objects_are_for_a_dry_run(tmp_path: Path) -> None:
    done = oesd("reprocess", "--all", "--json", "--data", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("oesd: --json is for --dry-run")


def test_what_a_dry_run_will_tell_of_millions_is_not_held_in_memory() -> None:
    task = Task("0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90", Recipe(), "a", datetime(2026, 1, 1, tzinfo=UTC))
    count = _Count()
    tracemalloc.start()
    for number in range(2000):
        renamed = tuple(Renamed(f"p{k}", 300.0 + k + number, "Ar", "Xe") for k in range(60))
        found = Difference(task.data_id, ("Ar",), ("Xe",), renamed, 60, 61, (), numbers=True)
        _count_difference(count, task, found, True)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    with count.lines as lines:
        assert lines.seek(0) == 0 and sum(len(json.loads(line)["renamed"]) for line in lines) == 120_000
    assert most < 8e6
    assert count.changes.lines() == ["elements by entries: Ar +2000, Xe -2000"]
