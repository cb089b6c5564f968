"""The upload calls as a client makes them, in the fewest words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

BEGIN = "/data_entries/raw_data/staged/upload_urls/"
COMPLETE = BEGIN + "complete/"


def begin(client: httpx.Client, name: str = "spectrum.txt", parts: int = 1, **options: Any) -> list[dict[str, Any]]:
    params = {"original_filename": name, "num_parts": parts, "staging_type": "core"}
    answer = client.post(BEGIN, params=params, **options)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def put(bucket: httpx.Client, part: dict[str, Any], data: bytes) -> str:
    answer = bucket.put(part["url"], content=data)
    assert answer.status_code == 200, answer.text
    return answer.headers["etag"]


def completion(parts: list[dict[str, Any]], tags: list[str]) -> dict[str, Any]:
    etags = [{"ETag": tag, "PartNumber": part["part"]} for part, tag in zip(parts, tags, strict=True)]
    return {"upload_id": parts[0]["upload_id"], "new_filename": parts[0]["new_filename"], "etag_data": etags}


def upload(client: httpx.Client, bucket: httpx.Client, data: bytes, name: str = "spectrum.txt") -> str:
    parts = begin(client, name)
    body = completion(parts, [put(bucket, parts[0], data)])
    answer = client.post(COMPLETE, params={"staging_type": "core"}, json=body)
    assert answer.status_code == 200, answer.text
    return str(parts[0]["data_id"])


def entry(client: httpx.Client, data_id: str) -> dict[str, Any]:
    (found,) = client.get("/data_entries/", params={"data_ids": data_id}).json()
    return dict(found)


def download(client: httpx.Client, bucket: httpx.Client, data_id: str, kind: str = "raw_data") -> bytes:
    answer = client.get(f"/data_entries/{kind}/{data_id}", params={"return_as": "url-download"})
    assert answer.status_code == 200, answer.text
    given = bucket.get(answer.json()["url"])
    assert given.status_code == 200, given.text
    return given.content


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
