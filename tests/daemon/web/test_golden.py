"""What people call golden, by HTTP and in its file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Daemon

from oesd.model import RunRecord, new_id
from oesd.service.golden import Golden, GoldenError
from oesd.store import Store
from oesd.store.directory import GOLDEN_NAME
from oesd.web import Feed, Server, create_api

AUTH = {"X-API-KEY": TOKEN}


@pytest.fixture
def golden(tmp_path: Path) -> Golden:
    return Golden(tmp_path)


@pytest.fixture
def client(store: Store, golden: Golden) -> Iterator[httpx.Client]:
    daemon = Daemon()
    feed = Feed(daemon.tell, dict)
    app = create_api(
        store, status=daemon.tell, healthy=lambda: True, token=TOKEN, runs=daemon, golden=golden, feed=feed
    )
    server = Server(app)
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=AUTH) as one:
        yield one
    feed.end()
    server.stop()


def begun(store: Store, run_id: str, *names: str) -> None:
    for name in names:
        sample = replace(spectra.capture(spectra.device(name, pixels=64)), run_id=run_id)
        run = RunRecord(run_id, name, 1_000_000, True, spectra.NOW, 0, "boot")
        store.save_capture(sample, None, upload=False, run=run).result(30)


def chosen(client: httpx.Client, sort: str, name: str) -> dict[str, str]:
    return {device: one[name] for device, one in client.get("/golden").json()[sort].items()}


def test_a_run_is_golden_for_its_spectrometers_until_another_is(client: httpx.Client, store: Store) -> None:
    begun(store, "first", "a", "b")
    begun(store, "second", "b")
    assert client.get("/golden").json() == {"runs": {}, "spectra": {}}
    client.put("/runs/first/golden").raise_for_status()
    assert chosen(client, "runs", "run_id") == {"a": "first", "b": "first"}
    answer = client.put("/runs/second/golden", json={"device": "b"})
    assert answer.json() == client.get("/golden").json()
    assert chosen(client, "runs", "run_id") == {"a": "first", "b": "second"}
    listed = {(run["run_id"], run["device_name"]): run["golden"] for run in client.get("/runs").json()["runs"]}
    assert listed == {("first", "a"): True, ("first", "b"): False, ("second", "b"): True}
    client.request("DELETE", "/runs/first/golden", json={}).raise_for_status()
    assert chosen(client, "runs", "run_id") == {"b": "second"}


def test_a_spectrum_is_golden_until_it_is_taken_back(client: httpx.Client, store: Store) -> None:
    first, second = (spectra.store_spectrum(store, spectra.device(pixels=64)) for _ in range(2))
    client.put(f"/oes/{first}/golden").raise_for_status()
    client.put(f"/oes/{second}/golden", json={}).raise_for_status()
    assert chosen(client, "spectra", "data_id") == {"chamber-a": second}
    client.delete(f"/oes/{first}/golden").raise_for_status()
    assert chosen(client, "spectra", "data_id") == {"chamber-a": second}
    client.delete(f"/oes/{second}/golden").raise_for_status()
    assert chosen(client, "spectra", "data_id") == {}


def test_what_cannot_be_golden(client: httpx.Client, store: Store) -> None:
    begun(store, "first", "a")
    waiting = spectra.store_spectrum(store, spectra.device(pixels=64), processed=False)
    assert client.put("/runs/none/golden").status_code == 404
    assert client.put("/runs/first/golden", json={"device": "b"}).status_code == 404
    assert client.put("/runs/first/golden", json={"colour": "b"}).status_code == 422
    assert client.put(f"/oes/{new_id()}/golden").status_code == 404
    assert client.put("/oes/x/golden").status_code == 404
    assert client.put(f"/oes/{waiting}/golden").status_code == 422
    assert client.put("/runs/first/golden", headers={"X-API-KEY": "no"}).status_code == 401
    assert client.put("/runs/first/golden", headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.get("/golden").json() == {"runs": {}, "spectra": {}}


def test_every_open_page_is_told(client: httpx.Client, store: Store) -> None:
    begun(store, "first", "a")
    with client.stream("GET", "/events") as stream:
        lines = stream.iter_lines()
        next(line for line in lines if line == "event: state")
        for _ in range(2):  # the second time nothing changes, and nothing is told
            client.put("/runs/first/golden").raise_for_status()
        client.delete("/runs/first/golden").raise_for_status()
        told: list[Any] = []
        while len(told) < 2:
            if next(lines) == "event: golden":
                told.append(json.loads(next(lines).removeprefix("data: ")))
    assert [list(one["runs"]) for one in told] == [["a"], []]


def test_the_choice_outlives_the_daemon(tmp_path: Path) -> None:
    told: list[int] = []
    first = Golden(tmp_path, lambda: told.append(1))
    first.keep("runs", {"a": {"run_id": "r", "at_utc": "t"}})
    first.keep("runs", {"a": {"run_id": "r", "at_utc": "t"}})
    assert Golden(tmp_path).run_ids() == {"a": "r"} and told == [1]
    assert (tmp_path / GOLDEN_NAME).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("text", ["", "{}", '{"runs": []}', '{"runs": {"a": {"x": 1}}, "spectra": {}}', "\x00"])
def test_a_damaged_choice_is_none(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / GOLDEN_NAME).write_text(text)
    assert Golden(tmp_path).document() == {"runs": {}, "spectra": {}}
    assert "nothing is golden" in caplog.text


def test_a_choice_that_cannot_be_kept_is_none(tmp_path: Path, store: Store) -> None:
    gone = Golden(tmp_path / "gone")
    with pytest.raises(GoldenError, match="cannot be written"):
        gone.keep("runs", {"a": {"run_id": "r"}})
    assert gone.run_ids() == {}


def test_what_is_golden_is_held_and_no_longer_when_it_is_not(
    client: httpx.Client, store: Store, golden: Golden
) -> None:
    begun(store, "first", "a", "b")
    client.put("/runs/first/golden", json={"device": "a"}).raise_for_status()
    data_id = spectra.store_spectrum(store, spectra.device("b", pixels=64))
    client.put(f"/oes/{data_id}/golden").raise_for_status()
    held = golden.held(["beef-1", "no"])
    assert held.has("x", "a", "first") and not held.has("x", "b", "first") and held.has(data_id, "b", "")
    assert held.has("x", "b", "beef-1234") and not held.has("x", "b", "notes") and not held.has("x", "b", "")
    client.delete("/runs/first/golden").raise_for_status()
    client.delete(f"/oes/{data_id}/golden").raise_for_status()
    assert not golden.held()
