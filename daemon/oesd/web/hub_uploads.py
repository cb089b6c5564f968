"""The hub's upload calls: URLs for the parts, and the end, from which on the bytes are the hub's."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import is_uuid, new_id
from oesd.store.hub_keys import HubKeys
from oesd.store.ingest import StagedPart, Upload
from oesd.web.answers import JsonAnswer, Refusal, fault, unprocessable
from oesd.web.bodies import Check, takes_json, texts, whole_number
from oesd.web.bucket import Bucket
from oesd.web.shelf import PartDamaged

PARTS_LIMIT = 64
STAGED_LIMIT_BYTES = 8 * 1024**3
NAME_LIMIT = 1024
_LOCKS = 64


class Uploads:
    """Uploads from their first call to the entry.

    Parameters
    ----------
    arrived : callable
        Told the data id of each upload once its bytes are all here and durable, before the sender is.
    bucket_url : callable
        Origin of the bucket, without a final slash.
    keys : HubKeys, optional
        Whose use today stands against their quotas.
    staged_limit_bytes : int
        No new upload begins while more than this waits to be finished or settled.
    """

    def __init__(
        self,
        bucket: Bucket,
        *,
        arrived: Callable[[str], None],
        bucket_url: Callable[[], str],
        keys: HubKeys | None = None,
        staged_limit_bytes: int = STAGED_LIMIT_BYTES,
    ) -> None:
        self._bucket = bucket
        self._ingest = bucket.ingest
        self._arrived = arrived
        self._bucket_url = bucket_url
        self._keys = keys
        self._staged_limit_bytes = staged_limit_bytes
        # Two calls for one upload come one after the other; those for others beside them, nearly always.
        self._finishing = [threading.Lock() for _ in range(_LOCKS)]

    def routes(self, check: Check) -> list[Route]:
        """Return the routes of both calls; every one needs the key."""
        begin = takes_json(self._begin, check, optional=True)
        complete = takes_json(self._complete, check)
        return [
            Route("/data_entries/raw_data/staged/upload_urls/", begin, methods=["POST"]),
            Route("/data_entries/raw_data/staged/upload_urls/complete/", complete, methods=["POST"]),
        ]

    def _begin(self, request: Request, body: dict[str, Any]) -> Response:
        parts = whole_number(request, "num_parts", None, 1, PARTS_LIMIT)
        name = _file_name(request)
        sample_id = self._sample_id(body)
        key_id = self._within_quota(request)
        if self._bucket.shelf.staged_bytes > self._staged_limit_bytes:
            self._bucket.drop_abandoned()
            raise Refusal(507, "too many unfinished uploads; the hub takes new ones when some are finished")
        upload = Upload(
            upload_id=str(uuid.uuid4()),
            data_id=new_id(),
            new_filename=f"{uuid.uuid4()}{_extension(name)}",
            file_name=name,
            parts=parts,
            physical_sample_id=sample_id,
            begun_at_utc=self._bucket.clock(),
            key_id=key_id,
        )
        self._ingest.begin(upload)
        return JsonAnswer([self._part_document(upload, number) for number in range(1, parts + 1)])

    def _within_quota(self, request: Request) -> str:
        """Id of the key, once its use today is below its quota."""
        key_id, day_bytes = getattr(request.state, "key_id", ""), getattr(request.state, "day_bytes", 0)
        now = self._bucket.clock()
        if day_bytes and self._keys is not None and self._keys.used_bytes(key_id, now) >= day_bytes:
            raise Refusal(429, f"the quota of this key, {day_bytes} bytes a day, is used up", _until_midnight_s(now))
        return str(key_id)

    def _part_document(self, upload: Upload, number: int) -> dict[str, Any]:
        return {
            "part": number,
            "url": self._bucket_url() + self._bucket.put_path(upload.upload_id, number),
            "upload_id": upload.upload_id,
            "new_filename": upload.new_filename,
            "data_id": upload.data_id,
        }

    def _sample_id(self, body: dict[str, Any]) -> str | None:
        sample_id = body.get("physical_sample_id")
        if sample_id is None:
            return None
        if sample_id not in [sample.id for sample in self._bucket.catalogue.samples()]:
            raise unprocessable(("body", "physical_sample_id"), "no such physical sample")
        return str(sample_id)

    def _complete(self, _: Request, body: dict[str, Any]) -> Response:
        upload_id, new_filename = texts(body, "upload_id", "new_filename")
        tags = _tags(body)
        with self._finishing[hash(upload_id) % _LOCKS]:
            upload = self._ingest.upload(upload_id) if is_uuid(upload_id) else None
            if upload is None or upload.new_filename != new_filename:
                raise Refusal(404, "no such upload")
            if upload.finished_at_utc is None:
                upload = self._finish(upload, tags)
        return JsonAnswer(
            {"data_id": upload.data_id, "new_filename": upload.new_filename, "size_bytes": upload.size_bytes}
        )

    def _finish(self, upload: Upload, tags: dict[int, str]) -> Upload:
        parts = self._ingest.parts(upload.upload_id)
        _compare(upload, tags, parts)
        try:
            finished = replace(self._with_hashes(upload, parts), finished_at_utc=self._bucket.clock())
        except PartDamaged as problem:
            self._ingest.forget_part(upload.upload_id, problem.part)
            raise Refusal(400, str(problem)) from problem
        self._ingest.finish(finished)
        self._arrived(finished.data_id)
        return finished

    def _with_hashes(self, upload: Upload, parts: list[StagedPart]) -> Upload:
        sha256, sha3 = hashlib.sha256(), hashlib.sha3_256()
        for piece in self._bucket.shelf.pieces(upload.upload_id, parts):
            sha256.update(piece)
            sha3.update(piece)
        size_bytes = sum(part.size_bytes for part in parts)
        return replace(upload, sha256=sha256.hexdigest(), sha3_256=sha3.hexdigest(), size_bytes=size_bytes)


def _file_name(request: Request) -> str:
    """Last component of the sender's file name, without control characters: some clients send a whole path."""
    given = request.query_params.get("original_filename", "")
    if not given or len(given) > NAME_LIMIT:
        raise unprocessable(("query", "original_filename"), f"must have 1 to {NAME_LIMIT} characters")
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable()).strip(" .")[-200:] or "unnamed"


def _extension(name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found.group().lower() if found else ""


def _tags(body: dict[str, Any]) -> dict[int, str]:
    """ETags by part number; a 422 for anything else than the documented list."""
    items = body.get("etag_data")
    if not isinstance(items, list) or not 0 < len(items) <= PARTS_LIMIT:
        raise unprocessable(("body", "etag_data"), f"must be a list of 1 to {PARTS_LIMIT} parts")
    tags: dict[int, str] = {}
    for place, item in enumerate(items):
        number, tag = _tag(item)
        if number is None or number in tags:
            message = "must be an object with ETag and a PartNumber that stands once"
            raise Refusal(422, [fault(("body", "etag_data", place), message, "value_error")])
        tags[number] = tag
    return tags


def _tag(item: Any) -> tuple[int | None, str]:
    number, tag = (item.get("PartNumber"), item.get("ETag")) if isinstance(item, dict) else (None, None)
    if type(number) is not int or not isinstance(tag, str):
        return None, ""
    return number, tag.strip('"')


def _compare(upload: Upload, tags: dict[int, str], parts: list[StagedPart]) -> None:
    received = {part.part: part.md5 for part in parts}
    for number in range(1, upload.parts + 1):
        if number not in received:
            raise Refusal(400, f"part {number} has not been received")
        if tags.get(number) != received[number]:
            raise Refusal(400, f"the ETag of part {number} is not that of the received part")
    if len(tags) != upload.parts:
        raise Refusal(400, f"the upload has {upload.parts} parts")


def _until_midnight_s(now: datetime) -> int:
    tomorrow = (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((tomorrow - now).total_seconds()) + 1
