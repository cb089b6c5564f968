"""The hub's keys: what each may do, how much, and that none of them can be read back."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.daemon.web import spectra
from tests.daemon.web.conftest import KEY
from tests.daemon.web.uploading import BEGIN, begin, completion, put, upload

from oesd.model import new_id
from oesd.store import Store
from oesd.store.hub_keys import SCOPES, HubKeys
from oesd.web import Hub

CALLS = {
    "read": [("GET", "/data_entries/"), ("GET", "/physical_samples/"), ("GET", "/projects/"), ("GET", "/oes/{id}"),
             ("GET", "/data_entries/raw_data/{id}"), ("GET", "/data_entries/processed_data/{id}")],
    "write": [("POST", f"{BEGIN}?original_filename=a.txt&num_parts=1"), ("POST", "/physical_samples/"),
              ("POST", "/projects/"), ("POST", f"{BEGIN}complete/"), ("PATCH", "/oes/{id}/peaks")],
    "admin": [("GET", "/keys/"), ("POST", "/keys/"), ("DELETE", "/keys/{id}"), ("GET", "/usage/")],
}  # fmt: skip


def made(client: httpx.Client, scopes: list[str], **more: Any) -> dict[str, Any]:
    answer = client.post("/keys/", json={"name": "chamber 3", "scopes": scopes, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


@pytest.fixture
def writer(hub: Hub, client: httpx.Client) -> Iterator[httpx.Client]:
    """A client whose key may write, 3,000 bytes a day."""
    key = made(client, ["write"], day_bytes=3000)
    with httpx.Client(base_url=hub.url, headers={"X-API-KEY": key["key"]}, trust_env=False) as opened:
        yield opened


@pytest.mark.parametrize("scopes", [list(s) for n in (1, 2, 3) for s in itertools.combinations(SCOPES, n)])
def test_a_key_may_what_it_was_made_for_and_nothing_else(
    hub: Hub, client: httpx.Client, bucket: httpx.Client, scopes: list[str]
) -> None:
    data_id = upload(client, bucket, spectra.file_bytes())
    headers = {"X-API-KEY": made(client, scopes)["key"]}
    for scope, calls in CALLS.items():
        for method, path in calls:
            answer = bucket.request(method, hub.url + path.format(id=data_id), headers=headers)
            if scope in scopes:
                assert answer.status_code not in (401, 403), (method, path)
            else:
                assert (answer.status_code, answer.json()["detail"]) == (403, f"this key may not {scope}")


def test_a_key_is_shown_once_and_kept_as_a_hash(client: httpx.Client, store: Store, tmp_path: Path) -> None:
    key = made(client, ["read"])["key"]
    assert len(key) >= 40
    listed = client.get("/keys/")
    assert key not in listed.text
    assert [k["name"] for k in listed.json()] == ["chamber 3"]
    store.write(lambda _: None).result()
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and key.encode() in p.read_bytes()]


def test_a_revoked_key_opens_nothing_any_more(hub: Hub, client: httpx.Client, bucket: httpx.Client) -> None:
    key = made(client, ["read"])
    headers = {"X-API-KEY": key["key"]}
    assert bucket.get(f"{hub.url}/data_entries/", headers=headers).status_code == 200
    assert client.delete(f"/keys/{key['key_id']}").status_code == 200
    assert bucket.get(f"{hub.url}/data_entries/", headers=headers).status_code == 401
    assert client.delete(f"/keys/{key['key_id']}").status_code == 404
    assert client.delete(f"/keys/{new_id()}").status_code == 404
    assert client.get("/keys/").json()[0]["revoked_at"] is not None


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x"}, {"name": "", "scopes": ["read"]}, {"name": "a\nb", "scopes": ["read"]},
     {"name": "x" * 81, "scopes": ["read"]}, {"name": "x", "scopes": []}, {"name": "x", "scopes": ["root"]},
     {"name": "x", "scopes": "read"}, {"name": "x", "scopes": ["read"], "day_bytes": -1},
     {"name": "x", "scopes": ["read"], "day_bytes": True}, {"name": "x", "scopes": ["read"], "day_bytes": "many"}],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/keys/", json=body).status_code == 422
    assert client.get("/keys/").json() == []


def test_beyond_its_quota_a_key_waits_for_tomorrow(
    client: httpx.Client, writer: httpx.Client, bucket: httpx.Client
) -> None:
    data = b"x" * 2000
    for _ in range(2):  # the second goes over it: sizes are known only afterwards
        upload(writer, bucket, data)
    refused = writer.post(BEGIN, params={"original_filename": "a", "num_parts": 1})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert "3000 bytes a day" in refused.json()["detail"]
    upload(client, bucket, data)  # others go on
    usage = {(u["key_id"], u["bytes"], u["uploads"]) for u in client.get("/usage/").json()}
    assert {(size, uploads) for _, size, uploads in usage} == {(4000, 2), (2000, 1)}


def test_an_upload_that_is_completed_twice_is_counted_once(
    writer: httpx.Client, client: httpx.Client, bucket: httpx.Client
) -> None:
    parts = begin(writer)
    body = completion(parts, [put(bucket, parts[0], b"x" * 100)])
    for _ in "12":
        assert writer.post(f"{BEGIN}complete/", json=body).status_code == 200
    assert [u["bytes"] for u in client.get("/usage/").json()] == [100]


def test_use_is_counted_by_day(store: Store) -> None:
    keys = HubKeys(store)
    monday = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    key, text = keys.make("x", frozenset({"write"}), 0, monday)
    assert keys.known(text) == key
    assert keys.known(text + "x") is None
    assert keys.used_bytes(key.key_id, monday) == 0
    assert keys.usage(31, monday + timedelta(days=1)) == []


def test_the_hubs_own_key_may_everything_and_is_not_listed(client: httpx.Client) -> None:
    assert client.get("/keys/").json() == []
    assert client.get("/usage/").json() == []
    assert KEY not in client.get("/keys/").text


class TestPage:
    def test_its_files_are_served_and_nothing_is_loaded_from_elsewhere(self, hub: Hub, bucket: httpx.Client) -> None:
        for path in ("/", "/hub.js", "/chart.js", "/page.css", "/icon.svg"):
            answer = bucket.get(hub.url + path)
            assert answer.status_code == 200
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")

    def test_every_element_that_its_script_names_is_there(self, hub: Hub, bucket: httpx.Client) -> None:
        script, page = bucket.get(f"{hub.url}/hub.js").text, bucket.get(hub.url + "/").text
        for name in re.findall(r'\$\("([a-z]+)"\)', script):
            assert f'id="{name}"' in page, name
        assert "innerHTML" not in script
