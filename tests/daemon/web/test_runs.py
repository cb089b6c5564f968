"""GET and POST /runs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api

from oesd.model import Kind, Loss, RunOrder, RunRecord
from oesd.store import Store

AUTH = {"X-API-KEY": TOKEN}
BEGAN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def post(api: Api, **body: Any) -> tuple[int, Any]:
    answer = api.client.post("/runs", json=body, headers=AUTH)
    return answer.status_code, answer.json()


def test_a_run_is_ordered_with_all_that_it_can_have(api: Api) -> None:
    labels = {"sample": "GaN-7", "operator": "<b>mk</b>"}
    status, said = post(
        api, action="start", device="chamber-a", labels=labels, every="200 ms", duration="8 h", lock_exposure=True
    )
    assert (status, said) == (202, {"action": "start", "spectrometers": {"chamber-a": "it is done"}})
    order = RunOrder("order", labels, 8 * 3600 * 1_000_000, 0, 200_000, True)
    assert api.daemon.ordered == [("start", order, "chamber-a")]


def test_the_shortest_orders(api: Api) -> None:
    for action in ("start", "stop", "pause", "resume"):
        assert post(api, action=action)[0] == 202
    assert post(api, action="start", burst=500)[0] == 202
    assert api.daemon.ordered == [
        ("start", RunOrder("order"), ""), ("stop", ""), ("pause", True, ""), ("pause", False, ""),
        ("start", RunOrder("order", burst=500), ""),
    ]  # fmt: skip


@pytest.mark.parametrize("key", [None, "wrong"])
def test_nothing_is_ordered_without_the_token(api: Api, key: str | None) -> None:
    answer = api.client.post("/runs", json={"action": "stop"}, headers={} if key is None else {"X-API-KEY": key})
    assert answer.status_code == 401
    foreign = api.client.post("/runs", json={"action": "stop"}, headers={**AUTH, "Origin": "http://evil.example"})
    assert foreign.status_code == 403
    assert api.daemon.ordered == []


def test_an_unknown_spectrometer(api: Api) -> None:
    status, said = post(api, action="start", device='"><b>')
    assert (status, said) == (404, {"detail": "no spectrometer called '\"><b>' is at work"})


@pytest.mark.parametrize(
    ("body", "where", "words"),
    [
        ({}, "action", "must be one of start, stop, pause, resume"),
        ({"action": "begin"}, "action", "must be one of"),
        ({"action": ["start"]}, "action", "must be one of"),
        ({"action": "start", "label": {}}, "label", "'label' is none of action, burst, device"),
        ({"action": "stop", "labels": {}}, "labels", "'labels' goes with \"start\" only"),
        ({"action": "start", "device": 3}, "device", "the name or the serial number"),
        ({"action": "start", "labels": []}, "labels", "an object of texts"),
        ({"action": "start", "labels": {"sample": 7}}, "labels", "label sample: a text"),
        ({"action": "start", "labels": {"Sample": "x"}}, "labels", "label 'Sample'"),
        ({"action": "start", "labels": {"sample": "a\nb"}}, "labels", "printable"),
        ({"action": "start", "labels": {f"l{n}": "" for n in range(17)}}, "labels", "at most 16"),
        ({"action": "start", "labels": {f"l{n}": "" for n in range(11)}}, "labels", "those of the configuration"),
        ({"action": "start", "every": "200"}, "every", "no duration"),
        ({"action": "start", "every": "10 us"}, "every", '"1 ms" or more'),
        ({"action": "start", "every": 0.2}, "every", "a duration is a text"),
        ({"action": "start", "duration": "0"}, "duration", "longer than nothing"),
        ({"action": "start", "duration": "400 d"}, "duration", "longer than a year"),
        ({"action": "start", "burst": 0}, "burst", "whole number"),
        ({"action": "start", "burst": True}, "burst", "whole number"),
        ({"action": "start", "burst": 1e3}, "burst", "whole number"),
        ({"action": "start", "burst": 5, "every": "1 s"}, "burst", "neither every nor duration"),
        ({"action": "start", "lock_exposure": 1}, "lock_exposure", "true or false"),
    ],
)
def test_what_cannot_be_ordered_is_named(api: Api, body: dict[str, Any], where: str, words: str) -> None:
    status, said = post(api, **body)
    assert status == 422
    assert said["detail"][0]["loc"] == ["body", where]
    assert words in said["detail"][0]["msg"]
    assert [order for order in api.daemon.ordered if order[0] != "start"] == []


def test_all_faults_are_said_at_once(api: Api) -> None:
    said = post(api, action="start", labels=3, every="x", duration="y", burst="z")[1]
    assert [fault["loc"][1] for fault in said["detail"]] == ["labels", "every", "duration", "burst"]


def test_runs_are_listed_by_the_ledger(api: Api, store: Store) -> None:
    for hours, name in ((0, "a"), (1, "b")):
        began = BEGAN + timedelta(hours=hours)
        run = RunRecord(f"run-{name}", name, 1_000_000, True, began, 0, "boot", cause="order", labels={"sample": name})
        loss = Loss(name, run.run_id, Kind.SAMPLE, 0, 15, "device gone", "", began + timedelta(seconds=14))
        store.record_loss(loss, run=run).result()
    store.end_run(RunRecord("run-b", "b", 1_000_000, True, BEGAN, 0, "boot", BEGAN + timedelta(hours=2), 15)).result()
    document = api.client.get("/runs").json()
    assert document["standing"]["start"] == "always"
    second, first = document["runs"]
    assert (first["run_id"], first["on"], second["run_id"], second["on"]) == ("run-a", True, "run-b", False)
    assert (first["cause"], first["labels"], first["due"]) == ("order", {"sample": "a"}, 15)
    assert first["lost"] == {"device gone": 15}
    assert [run["run_id"] for run in api.client.get("/runs", params={"limit": "1"}).json()["runs"]] == ["run-b"]
    assert [r["run_id"] for r in api.client.get("/runs", params={"device_name": "a"}).json()["runs"]] == ["run-a"]
    since = {"since": "2026-03-01T15:00:00Z"}
    assert [run["run_id"] for run in api.client.get("/runs", params=since).json()["runs"]] == ["run-a"]
    assert api.client.get("/runs", params={"limit": "0"}).status_code == 422


def test_losses_that_the_disk_cannot_take_are_beside_the_ledger(api: Api) -> None:
    assert api.client.get("/ledger").json()["unrecorded"] == {}
    api.daemon.unrecorded = {"disk full": 12}
    assert api.client.get("/ledger").json()["unrecorded"] == {"disk full": 12}


def patched(api: Api, run_id: str, headers: dict[str, str] | None = None, **body: Any) -> tuple[int, Any]:
    answer = api.client.patch(f"/runs/{run_id}", json=body, headers=AUTH if headers is None else headers)
    return answer.status_code, answer.json()


def test_labels_of_a_run_that_is_on_are_changed_and_told_to_all_pages(api: Api) -> None:
    with api.client.stream("GET", "/events") as stream:
        news = stream.iter_lines()
        next(line for line in news if line == "event: state")
        changed = patched(api, "on", labels={"sample": "GaN-8", "note": None})
        assert changed == (200, {"run_id": "on", "labels": {"chamber-a": {"sample": "GaN-8"}}})
        next(line for line in news if line == "event: run")
        told = json.loads(next(news).removeprefix("data: "))
    assert told == {"run_id": "on", "device": "chamber-a", "labels": {"sample": "GaN-8"}}
    assert api.daemon.ordered == [("label", "on", {"sample": "GaN-8", "note": None}, "")]


def test_a_run_that_is_over_keeps_its_labels(api: Api, store: Store) -> None:
    store.begin_run(RunRecord("over", "chamber-a", 1_000_000, True, BEGAN, 0, "boot")).result(30)
    dark = replace(spectra.capture(spectra.device(pixels=64), Kind.DARK), run_id="over")
    store.save_capture(dark, None, upload=False).result(30)
    status, said = patched(api, "over", labels={"sample": "x"})
    assert (status, "this run is over" in said["detail"]) == (409, True)
    assert patched(api, "no-such", labels={"sample": "x"})[0] == 404
    assert patched(api, "over", labels={"sample": "x"}, device="chamber-b")[0] == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "required"),
        ({"labels": {"a": 3}}, "string"),
        ({"labels": {"bad": "x"}}, "cannot be"),
        ({"labels": {}, "x": 1}, "is none of"),
    ],
)
def test_labels_that_cannot_be(api: Api, body: dict[str, Any], words: str) -> None:
    answer = api.client.patch("/runs/on", json=body, headers=AUTH)
    assert (answer.status_code, words in answer.text) == (422, True), answer.text
    assert api.daemon.ordered == []
    assert patched(api, "on", {}, labels={"sample": "x"})[0] == 401
