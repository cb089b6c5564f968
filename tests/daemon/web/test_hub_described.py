"""What the hub has of the daemon's calls: events, exports, its own description; for keys that may read."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY, HubMaker
from tests.daemon.web.test_openapi import fuzz
from tests.daemon.web.uploading import upload
from tests.support.certificates import certificate

from oesd.model import new_id
from oesd.service.exporting import exporter
from oesd.store import Store
from oesd.web import Feed, Hub, Shown, documents
from oesd.web.shown import newest_stored


@pytest.fixture
def feed(store: Store) -> Feed:
    return Feed(lambda: {"version": "1", "waiting": 0}, lambda: newest_stored(store))


@pytest.fixture
def hub(hub_maker: HubMaker, store: Store, feed: Feed) -> Hub:
    return hub_maker(export=exporter(store, store.directory), feed=feed)


@pytest.fixture
def data_id(client: httpx.Client, bucket: httpx.Client) -> str:
    return upload(client, bucket, spectra.file_bytes("REC-1"), "first.txt")


@pytest.fixture
def described(client: httpx.Client) -> dict[str, Any]:
    return dict(client.get("/openapi.json").json())


def key_with(client: httpx.Client, *scopes: str) -> dict[str, str]:
    made = client.post("/keys/", json={"name": "some", "scopes": list(scopes)})
    assert made.status_code == 201, made.text
    return {"X-API-KEY": made.json()["key"]}


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in lines:
        if line.startswith("event: "):
            yield line.removeprefix("event: "), json.loads(next(lines).removeprefix("data: "))


def test_events_begin_with_the_newest_and_go_on(
    client: httpx.Client, store: Store, feed: Feed, data_id: str, bucket: httpx.Client
) -> None:
    with client.stream("GET", "/events", headers=key_with(client, "read")) as stream:
        news = events(stream.iter_lines())
        assert next(news) == ("state", {"version": "1", "waiting": 0})
        kind, shown = next(news)
        assert (kind, shown["data_id"]) == ("spectrum", data_id)
        peak = client.get(f"/oes/{data_id}").json()["detected_peaks"][0]
        body = {"peak_id": peak["peak_id"], "candidate_key": peak["candidates"][-1]["candidate_key"]}
        client.patch(f"/oes/{data_id}/peaks", json=body).raise_for_status()
        assert next(one for one in news if one[0] == "change")[1]["data_id"] == data_id
        second = upload(client, bucket, spectra.file_bytes("REC-2", seed=2), "second.txt")
        result = store.result(second)
        assert result is not None
        feed.spectrum(Shown("chamber-b", result, None))
        assert next(one for one in news if one[0] == "spectrum")[1]["data_id"] == second


def test_entries_are_searched_as_the_daemon_s_are(
    client: httpx.Client, bucket: httpx.Client, data_id: str, store: Store
) -> None:
    second = upload(client, bucket, spectra.file_bytes("REC-2", seed=2), "second.txt")
    waiting = new_id()
    store.save_file(waiting, spectra.parse(spectra.file_bytes("REC-3"), ""), spectra.file_bytes("REC-3"), "c").result()

    def found(**query: object) -> list[str]:
        answer = client.get("/oes", params=query)
        assert answer.status_code == 200, answer.text
        return [one["data_id"] for one in answer.json()["entries"]]

    assert found() == [waiting, second, data_id] == found(order="oldest")[::-1]
    assert found(element="Ar") == [second, data_id] and found(element="Ga") == []
    assert found(state="waiting") == [waiting] and found(device="chamber-a") == []
    assert found(since="2100-01-01T00:00:00Z") == []
    page = client.get("/oes?limit=1&element=Ar").json()
    assert [one["data_id"] for one in page["entries"]] == [second]
    assert found(limit=1, element="Ar", cursor=page["next"]) == [data_id]
    assert client.get("/oes", headers={"accept": "text/csv"}).text.count("\n") == 4
    assert client.get("/oes?elemnt=Ar").status_code == 422
    assert client.get("/oes", headers=key_with(client, "write")).status_code == 403


def test_exports_by_any_of_an_entry_s_ids(client: httpx.Client, bucket: httpx.Client, data_id: str) -> None:
    other_name = upload(client, bucket, spectra.file_bytes("REC-1"), "again.txt")
    assert other_name != data_id
    first, again = (client.get("/export", params={"ids": one}) for one in (data_id, other_name))
    assert first.status_code == 200 and first.text.count("\n") > 400
    assert again.content == first.content
    several = client.get("/export", params={"ids": f"{data_id},{other_name}", "format": "txt"})
    assert several.content.startswith(b"PK")


def test_only_a_key_that_may_read_is_told(client: httpx.Client, data_id: str) -> None:
    writer = key_with(client, "write")
    for path in ("/events", f"/export?ids={data_id}"):
        assert client.get(path, headers=writer).status_code == 403
        assert client.get(path, headers={"X-API-KEY": "wrong"}).status_code == 401


def test_every_call_is_described_with_the_key_it_needs(described: dict[str, Any]) -> None:
    assert described["info"]["title"] == "oesd hub"
    paths = described["paths"]
    assert {"/data_entries/", "/oes", "/oes/{data_id}", "/oes/{data_id}/peaks", "/events", "/export", "/keys/",
            "/usage/", "/physical_samples/", "/projects/"} <= set(paths)  # fmt: skip
    open_to_all = [path for path, item in paths.items() for one in item.values() if "security" not in one]
    assert open_to_all == ["/gateway/time"]
    assert all("401" in one["responses"] for path, item in paths.items() for one in item.values() if "security" in one)
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names <= set(described["components"]["schemas"])


def test_the_answers_are_as_described(client: httpx.Client, data_id: str, described: dict[str, Any]) -> None:
    checked = 0
    for path, item in described["paths"].items():
        if (
            "{sample_id}" in path
            or "get" not in item
            or "application/json" not in item["get"]["responses"]["200"]["content"]
        ):
            continue
        answer = client.get(path.format(data_id=data_id))
        assert answer.status_code == 200, (path, answer.text)
        schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        TypeAdapter(getattr(documents, schema["$ref"].rpartition("/")[2])).validate_json(answer.content)
        checked += 1
    assert checked >= 9


def test_the_page_of_it(client: httpx.Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200 and "frame-ancestors" in page.headers["content-security-policy"]
    assert client.get("/docs.js").status_code == 200


def test_random_requests_make_no_server_error(hub: Hub, data_id: str, tmp_path: Path) -> None:
    """schemathesis, bounded; `python -m tests.bench.schema` goes on for longer."""
    ran = fuzz(hub.url, KEY, tmp_path, "--phases", "fuzzing", "--max-examples", "4", "--seed", "1")
    assert ran.returncode == 0, ran.stdout[-4000:]


def test_beyond_loopback_everything_goes_encrypted(hub_maker: HubMaker, tmp_path: Path) -> None:
    pair = certificate(tmp_path / "tls", "DNS:localhost")
    hub = hub_maker(tls=pair, public_host="localhost")
    trusting = ssl.create_default_context(cafile=str(pair.certificate))
    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": KEY}, verify=trusting, trust_env=False) as client:
        with httpx.Client(verify=trusting, trust_env=False) as bucket:
            data_id = upload(client, bucket, spectra.file_bytes("REC-1"))
            url = client.get(f"/data_entries/raw_data/{data_id}").json()["url"]
            assert hub.url.startswith("https://localhost:") and url.startswith(hub.bucket_url + "/")
            assert bucket.get(url).content == spectra.file_bytes("REC-1")
        assert client.get(f"/oes/{data_id}").json()["data_id"] == data_id
    with pytest.raises(httpx.TransportError):
        httpx.get(hub.url.replace("https", "http") + "/gateway/time", trust_env=False)
