"""The description of the API, the page of it, and requests made from it at random."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from tests.daemon.service.test_watching import CONFIG, stored
from tests.daemon.web import spectra
from tests.daemon.web.conftest import TOKEN, Api, served

from oesd.config import parse_config
from oesd.service.elements import element_lines
from oesd.service.exporting import exporter
from oesd.service.golden import Golden
from oesd.service.watch_desk import WatchDesk
from oesd.service.watching import Watching
from oesd.store import Store
from oesd.web import documents

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "unsupported_method", "allow_header_conformance", "ignored_auth",
)  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(tmp_path_factory.mktemp("openapi")) as opened:
        for number in range(3):
            spectra.store_spectrum(opened, spectra.device(pixels=64), seed=number, processed=number != 2)
        yield opened


@pytest.fixture(scope="module")
def api(store: Store) -> Iterator[Api]:
    golden = Golden(store.directory)
    watching = Watching(parse_config(CONFIG, "test"), store)
    watching.start()
    for second in range(5):
        stored(store, watching, second, 4.0)
    watching.stop()
    options: dict[str, Any] = {
        "lines": element_lines, "export": exporter(store, store.directory), "golden": golden,
        "watching": WatchDesk(store, watching),
    }  # fmt: skip
    with served(store, **options) as running:
        running.daemon.status = {"version": "1", "healthy": True, "spectrometers": [], "tally": {"captured": 3}}
        yield running


@pytest.fixture(scope="module")
def described(api: Api) -> dict[str, Any]:
    return dict(api.client.get("/openapi.json").json())


def test_every_call_is_described_once_and_nothing_else(described: dict[str, Any]) -> None:
    paths = set(described["paths"])
    assert {"/oes", "/oes/{data_id}", "/oes/{data_id}/peaks", "/runs", "/captures", "/darks", "/devices", "/ledger",
            "/status", "/healthz", "/metrics", "/events", "/export", "/trace", "/golden"} <= paths  # fmt: skip
    assert not {"/", "/page.js", "/docs", "/openapi.json"} & paths
    operations = [one for item in described["paths"].values() for one in item.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    assert all(one["summary"] and one["tags"] for one in operations)
    assert {one for item in described["paths"].values() for one in item} <= {"get", "post", "put", "patch", "delete"}


def test_every_change_needs_the_token_and_no_reading_does(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            assert ("security" in operation) == (method != "get"), path
            assert ("401" in operation["responses"]) == (method != "get"), path


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    text = str(described)
    names = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert names <= set(described["components"]["schemas"]) and "Problem" in names


def test_the_answers_are_as_described(api: Api, described: dict[str, Any]) -> None:
    data_id = api.client.get("/oes?state=processed").json()["entries"][0]["data_id"]
    record_id = api.client.get("/captures").json()["captures"][0]["record_id"]
    asking = {"/oes/{data_id}/remote"}  # nothing was fetched
    asked = {"/compare": "run=run-1&golden=run-1", "/traces": "name=ratio", "/alarms/events": "limit=5"}
    checked = set()
    for path, item in described["paths"].items():
        if path in asking or not (path in asked or _answers_json_unasked(item.get("get"))):
            continue
        answer = api.client.get(path.format(data_id=data_id, record_id=record_id), params=asked.get(path))
        assert answer.status_code == 200, (path, answer.text)
        schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        model = getattr(documents, schema["$ref"].rpartition("/")[2])
        TypeAdapter(model).validate_json(answer.content)
        checked.add(path)
    assert len(checked) >= 15 and {*asked, "/alarms"} <= checked
    back_test = api.client.post("/backtest", json={"rule": "gone"}, headers={"X-API-KEY": TOKEN})
    tried = documents.BackTest.model_validate_json(back_test.content)
    alarms = documents.Alarms.model_validate_json(api.client.get("/alarms").content)
    assert alarms.alarms and alarms.endpoints and tried.runs


def _answers_json_unasked(operation: dict[str, Any] | None) -> bool:
    if operation is None or "application/json" not in operation["responses"]["200"]["content"]:
        return False
    return not any(one["required"] for one in operation["parameters"] if one["in"] == "query")


def test_it_is_read_again_only_when_it_is_another(api: Api) -> None:
    etag = api.client.get("/openapi.json").headers["etag"]
    assert api.client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


def test_the_page_of_it_needs_nothing_from_outside(api: Api) -> None:
    page = api.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="(/[^"]*)"', page.text)
    assert {"/docs.js", "/docs.css", "/openapi.json"} <= set(files)
    assert all(api.client.get(file).status_code == 200 for file in files)
    assert "//" not in re.sub(r"</?!?[a-z]", "", page.text.replace("://", "OUTSIDE"))


def test_other_methods_are_told_the_right_ones(api: Api) -> None:
    answer = api.client.request("DELETE", "/runs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.json() == {"detail": "Method Not Allowed"}


def test_random_requests_make_no_server_error(api: Api, tmp_path: Path) -> None:
    """schemathesis, bounded; `python -m tests.bench.schema` goes on for longer, against a whole daemon."""
    ran = fuzz(api.url, TOKEN, tmp_path, "--phases", "fuzzing", "--max-examples", "6", "--seed", "1")
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert int((re.search(r"(\d+) generated", ran.stdout) or [0, 0])[1]) >= 100, ran.stdout[-2000:]


def fuzz(url: str, token: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against an API; /events has no end and is left out."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/openapi.json",
        "--header", f"Authorization: Bearer {token}", "--exclude-path", "/events", "--checks", ",".join(CHECKS),
        "--continue-on-failure", "--no-color", "--warnings", "off", *words,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=directory)
