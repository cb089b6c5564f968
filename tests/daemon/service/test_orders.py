"""Runs as people order them, through a real daemon: labels arrive everywhere, the standing order takes over again."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.daemons import Daemon, oesd, until

CONFIG = """
data_dir = "/unused"
[capture]
every = "200 ms"
integration = "10 ms"
[run]
start = "{start}"
labels = {{ project = "P-1" }}
[hub]
enabled = true
[simulation]
enabled = true
devices = ["USB2000+:SIM00001"]
"""
LABELS = {"project": "P-1", "sample": "GaN-7", "operator": "µ <b>"}


class Lab:
    """A daemon that is spoken to by command."""

    def __init__(self, directory: Path, start: str) -> None:
        self.data = directory / "data"
        self._config = directory / "lab.toml"
        self._config.write_text(CONFIG.format(start=start))

    def daemon(self) -> Daemon:
        return Daemon.simulated(self.data, "--config", str(self._config))

    def said(self, *words: str, status: int = 0) -> str:
        done: subprocess.CompletedProcess[str] = oesd(*words, "--data", self.data)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.said("run", "list", "--json"))["runs"]
        return found


@pytest.fixture
def on_order(tmp_path: Path) -> Iterator[tuple[Lab, Daemon]]:
    lab = Lab(tmp_path, "on order")
    with lab.daemon() as daemon:
        until(lambda: len(daemon.get("/status")["spectrometers"]) == 1)
        yield lab, daemon


def line(daemon: Daemon) -> str:
    (unit,) = daemon.get("/status")["spectrometers"]
    return str(unit["line"])


def test_a_run_with_labels_from_its_order_to_the_hub(on_order: tuple[Lab, Daemon]) -> None:
    lab, daemon = on_order
    assert line(daemon).startswith("idle since ") and lab.runs() == []
    words = ["--label", "sample=GaN-7", "--label", "operator=µ <b>", "--every", "100ms", "--for", "2s"]
    assert lab.said("run", "start", *words) == "SIM00001: a run begins\n"
    until(lambda: daemon.get("/runs")["runs"])
    (run,) = until(lambda: [run for run in daemon.get("/runs")["runs"] if not run["on"]])
    assert (run["cause"], run["labels"], run["period_us"], run["due"]) == ("order", LABELS, 100_000, 20)
    assert run["due"] == run["stored"] + sum(run["lost"].values())
    until(lambda: line(daemon).startswith("idle"))
    data_id = daemon.get("/latest")["SIM00001"]
    metadata = until(lambda: _document(daemon, data_id))["spectral_metadata"]
    assert (metadata["run_id"], metadata["labels"]) == (run["run_id"], LABELS)
    until(lambda: daemon.tally()["confirmed"] == run["stored"])
    listed = lab.said("run", "list")
    assert "project=P-1, sample=GaN-7, operator=µ <b>" in listed and "the configuration's own order: on order" in listed
    assert daemon.end(signal.SIGTERM) in (0, 1)
    at_hub = [document["spectral_metadata"] for document in _at_hub(lab.data / "hub")]
    assert len(at_hub) == run["stored"] and all(found["labels"] == LABELS for found in at_hub)


def _document(daemon: Daemon, data_id: str) -> Any:
    (found,) = [entry for entry in daemon.get("/entries") if entry["data_id"] == data_id]
    return daemon.get(f"/oes/{data_id}") if found["revision"] else None


def _at_hub(directory: Path) -> list[dict[str, Any]]:
    from oesd.store import Store

    with Store.open(directory) as store:
        return [result.to_api() for entry in store.entries(100) if (result := store.result(entry.data_id))]


def test_pause_resume_stop_and_a_kill(on_order: tuple[Lab, Daemon]) -> None:
    lab, daemon = on_order
    assert "no ordered run is on; idle until its next order" in lab.said("run", "stop")
    lab.said("run", "start", "--label", "sample=GaN-7")
    until(lambda: daemon.tally()["stored"] >= 3)
    assert line(daemon).startswith("measuring by order since ") and "sample=GaN-7" in line(daemon)
    changed = lab.said("run", "label", "sample=GaN-8", "--remove", "project", "--device", "SIM00001")
    assert changed == "SIM00001: sample=GaN-8 from the next spectrum on\n"
    labels = {"sample": "GaN-8"}
    until(lambda: daemon.get(f"/oes?limit=1&label=sample={labels['sample']}")["entries"])
    first_entry = daemon.get("/oes?order=oldest&limit=1")["entries"][0]
    assert first_entry["labels"]["sample"] == "GaN-7", "what was taken keeps its labels"
    assert daemon.get("/runs")["runs"][0]["labels"] == labels and "sample=GaN-8" in line(daemon)
    assert "paused" in lab.said("run", "pause", "--device", "SIM00001")
    until(lambda: daemon.get("/ledger")["total"]["lost"].get("paused", 0) >= 3)
    told = lab.said("status")
    assert "paused since" in told and "to go on: oesd run resume" in told and "somebody paused it" in told
    assert lab.said("run", "resume") == "SIM00001: goes on\n"
    stored = daemon.tally()["stored"]
    until(lambda: daemon.tally()["stored"] >= stored + 3)
    daemon.end(signal.SIGKILL)
    assert len(lab.runs()) == 1, "the ledger can be listed without a daemon"
    with lab.daemon() as again:
        until(lambda: len(again.get("/runs")["runs"]) == 2)
        second, first = again.get("/runs")["runs"]
        assert (first["on"], second["on"]) == (False, True)
        assert first["labels"] == second["labels"] == labels
        assert first["lost"].keys() <= {"paused", "overrun", "daemon down", "not stored"}
        assert first["lost"]["daemon down"] >= 1
        assert "the ordered run ends; idle until its next order" in lab.said("run", "stop")
        until(lambda: line(again).startswith("idle"))
        again.end(signal.SIGTERM)


def test_a_dark_with_light_is_refused_and_the_command_says_so(on_order: tuple[Lab, Daemon]) -> None:
    lab, daemon = on_order
    said = lab.said("capture", "dark", "--device", "SIM00001", status=1)
    assert said.startswith("dark of SIM00001: refused: not dark"), said
    told = lab.said("status")
    assert "was refused: not dark" in told and "block the light, then: oesd capture dark --device SIM00001" in told
    assert lab.said("capture", "sample") == "sample ordered of SIM00001\n"
    daemon.end(signal.SIGTERM)


def test_always_goes_on_after_a_burst(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "always")
    with lab.daemon() as daemon:
        until(lambda: daemon.tally()["stored"] >= 2)
        assert lab.said("run", "start", "--burst", "30", "--device", "SIM00001") == (
            "SIM00001: the run that is on ends, another begins\n"
        )
        last, burst, first = until(lambda: found if len(found := daemon.get("/runs")["runs"]) == 3 else None)
        assert [run["cause"] for run in (first, burst, last)] == ["always", "order", "always"]
        assert (burst["paced"], burst["stored"], burst["due"]) == (False, 30, 30)
        assert last["labels"] == {"project": "P-1"}
        daemon.end(signal.SIGTERM)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("start", "--device", "nobody"), "no spectrometer called 'nobody' is at work"),
        (("start", "--every", "10 us"), 'every: must be "1 ms" or more'),
        (("start", "--burst", "5", "--for", "1 s"), "neither every nor duration"),
        (("start", "--label", "sample"), "write NAME=TEXT"),
        (("start", "--label", "Sample=x"), "label 'Sample'"),
        (("label",), "nothing to change"),
        (("label", "sample"), "write NAME=TEXT"),
        (("label", "sample=x"), "no run is on"),
        (("label", "sample=x", "--device", "nobody"), "no run of 'nobody' is on"),
    ],
)
def test_mistakes_are_one_line(shared: Lab, words: tuple[str, ...], said: str) -> None:
    done = oesd("run", *words, "--data", shared.data)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and said in done.stderr


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("shared"), "on order")
    with lab.daemon() as daemon:
        until(lambda: len(daemon.get("/status")["spectrometers"]) == 1)
        yield lab


def test_without_a_daemon_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    for where in (("--url", "http://127.0.0.1:9"), ("--data", str(tmp_path))):
        done = oesd("run", "stop", *where)
        assert done.returncode == 2
        assert "start one with oesd run --config FILE" in done.stderr and done.stderr.count("\n") == 1
