"""The whole life of spectra, seen from outside: real daemons, kills, restarts."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.daemons import Daemon, oesd, summary, until

SCENE = {"Ar", "Cu", "Al"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Data and words of a simulation that ended by itself."""
    data = tmp_path_factory.mktemp("simulated") / "data"
    done = oesd("simulate", "--for", "7s", "--data", data, "--port", "0", "--hub-port", "0")
    assert done.returncode == 0, done.stderr
    yield data, done.stdout


def test_a_simulation_ends_by_itself_and_adds_up(finished: tuple[Path, str]) -> None:
    _, words = finished
    numbers = summary(words)
    assert numbers["captured"] == numbers["stored"] == numbers["processed"]
    assert numbers["stored"] == numbers["uploaded"] == numbers["confirmed"]
    assert numbers["lost"] == 0
    assert numbers["captured"] >= 2 * 7
    darks, references = re.findall(r"(\d+) darks, (\d+) references", words)[0]
    assert int(darks) >= 2 and int(references) >= 2


def test_what_burns_is_what_is_named(finished: tuple[Path, str]) -> None:
    data, _ = finished
    document = json.loads(oesd("show", "latest", "--json", "--data", data).stdout)
    named = {finding["element"] for finding in document["elements"]}
    assert "Ar" in named
    assert "Cu" in named
    assert named <= SCENE
    assert {peak["element"] for peak in document["detected_peaks"]} <= {*SCENE, None}
    assert document["spectral_metadata"]["simulated"]
    assert document["spectral_metadata"]["dark_reason"].startswith("dark of ")
    assert len(document["dark"]) == len(document["reference"]) == len(document["wavelengths"])


def test_the_hub_says_the_same(finished: tuple[Path, str]) -> None:
    data, _ = finished
    (local,) = _documents(data, 1)
    hub = {d["spectral_metadata"]["record_id"]: d for d in _documents(data / "hub", 500)}  # whatever came last
    theirs = hub[local["spectral_metadata"]["record_id"]]
    assert theirs["detected_peaks"] == local["detected_peaks"]
    assert theirs["sample"] == local["sample"]
    mine, told = local["spectral_metadata"], theirs["spectral_metadata"]
    assert {name: told.get(name) for name in mine} == mine  # that it is simulated, of which run, its dark and why
    assert set(told) - set(mine) == {"format", "file_header"}


def _documents(data: Path, number: int) -> list[dict[str, Any]]:
    from oesd.store import Store

    with Store.open(data) as store:
        found = [store.result(entry.data_id) for entry in store.entries(number)]
        return [result.to_api() for result in found if result is not None]


def test_a_choice_made_by_hand_survives_reprocessing(finished: tuple[Path, str]) -> None:
    data, _ = finished
    document = json.loads(oesd("show", "latest", "--json", "--data", data).stdout)
    peak = next(p for p in document["detected_peaks"] if len(p["candidates"]) > 1)
    key = peak["candidates"][1]["candidate_key"]
    done = oesd("assign", document["data_id"], peak["peak_id"], key, "--data", data)
    assert done.returncode == 0, done.stderr
    assert oesd("reprocess", document["data_id"], "--data", data).returncode == 0
    again = json.loads(oesd("show", document["data_id"], "--json", "--data", data).stdout)
    chosen = next(p for p in again["detected_peaks"] if p["peak_id"] == peak["peak_id"])
    assert chosen["manual"] is True
    assert chosen["element"] == key.partition("_")[0]
    unchanged = [p for p in again["detected_peaks"] if p["peak_id"] != peak["peak_id"]]
    assert unchanged == [p for p in document["detected_peaks"] if p["peak_id"] != peak["peak_id"]]


def test_a_killed_daemon_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Daemon.simulated(data) as daemon:
        until(lambda: daemon.tally()["stored"] >= 8)
        acknowledged = {entry["data_id"] for entry in daemon.get("/entries?limit=1000")}
        daemon.end(signal.SIGKILL)
    done = oesd("simulate", "--for", "3s", "--data", data, "--port", "0", "--hub-port", "0")
    numbers = summary(done.stdout)
    assert numbers["confirmed"] == numbers["stored"] >= len(acknowledged), done.stdout + done.stderr
    assert acknowledged <= {d["data_id"] for d in _documents(data, 10_000)}


def test_a_killed_worker_is_replaced_within_five_seconds(tmp_path: Path) -> None:
    with Daemon.simulated(tmp_path / "data") as daemon:
        until(lambda: daemon.tally()["stored"] >= 4)
        workers = _children(daemon.process.pid, "oesd_drivers.worker")
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len(set(_children(daemon.process.pid, "oesd_drivers.worker")) - {workers[0]}) == 2, 5.0)
        stored = daemon.tally()["stored"]
        until(lambda: daemon.tally()["stored"] >= stored + 6)
        status = daemon.get("/status")
        assert [unit["state"] for unit in status["spectrometers"]] == ["measuring", "measuring"]
        assert set(status["tally"]["lost"]) <= {"worker lost"}
        assert daemon.end(signal.SIGTERM) in (0, 1)


def _children(pid: int, what: str) -> list[int]:
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for path in listed for child in path.read_text().split()]
    return sorted(p for p in pids if what.encode() in Path(f"/proc/{p}/cmdline").read_bytes())


def test_an_ordered_dark_is_taken_and_the_page_is_there(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Daemon.simulated(data) as daemon:
        until(lambda: daemon.tally()["stored"] >= 2)
        done = oesd("capture", "dark", "--device", "SIM00001", "--data", data)
        assert done.stdout.startswith("dark of SIM00001: accepted: "), done.stdout + done.stderr
        assert done.returncode == 0
        assert oesd("status", "--data", data).returncode == 0
        with urllib.request.urlopen(daemon.url(), timeout=10) as page:
            assert b"<html" in page.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            _patch(daemon, "wrong")
        with refused.value as answer:
            assert answer.code == 401
        assert daemon.end(signal.SIGINT) == 0
    assert "Traceback" not in daemon_log(data)


def _patch(daemon: Daemon, key: str) -> None:
    data_id = next(iter(daemon.get("/latest").values()))
    headers = {"Content-Type": "application/json", "X-API-KEY": key}
    body = json.dumps({"peak_id": "p1", "candidate_key": "Ar_763.5"}).encode()
    url = f"{daemon.url()}/oes/{data_id}/peaks"
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="PATCH"), timeout=10).close()


def daemon_log(data: Path) -> str:
    return (data.parent / f"{data.name}.log").read_text(errors="replace")


def test_reload_changes_the_pace_and_a_bad_file_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    config = tmp_path / "lab.toml"
    text = f'data_dir = "{data}"\n[web]\nport = 0\n[simulation]\nenabled = true\n[capture]\nintegration = "10 ms"\n'
    config.write_text(text + 'every = "10 s"\n')
    with Daemon(data, "run", "--config", config) as daemon:
        until(lambda: daemon.tally()["stored"] == 2)
        config.write_text(text + 'evry = "100 ms"\n')
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "did you mean 'every'" in daemon.log())
        config.write_text(text + "x = " + "[" * 3000)
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: "too deep to be read" in daemon.log())
        config.write_text(text + 'every = "100 ms"\n')
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: daemon.tally()["stored"] >= 20)
        assert daemon.end(signal.SIGTERM) == 0
    assert "Traceback" not in daemon_log(data)
