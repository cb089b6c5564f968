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

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import is_uuid, new_id
from oesd.store.hub_keys import HubKeys
from oesd.store.ingest import StagedPart, Upload
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.asking import Whole
from oesd.web.bodies import Check
from oesd.web.bucket import Bucket
from oesd.web.calls import About, Call, TolerantBody, TolerantQuery, asked, changing
from oesd.web.shelf import PartDamaged

PARTS_LIMIT = 64
STAGED_LIMIT_BYTES = 8 * 1024**3
NAME_LIMIT = 1024
_LOCKS = 64


class BeginQuery(TolerantQuery):
    """What will come."""

    num_parts: Whole = Field(ge=1, le=PARTS_LIMIT)
    original_filename: str = Field(min_length=1, max_length=NAME_LIMIT)
    staging_type: str = Field("core", description="as the cloud has it; no matter here")


class Beginning(TolerantBody):
    """Under which physical sample it is filed."""

    physical_sample_id: str | None = None
    physical_sample_name: str | None = None


class PartTag(TolerantBody):
    """What the bucket answered to a part."""

    etag: str = Field(alias="ETag")
    number: int = Field(alias="PartNumber")


class Completion(TolerantBody):
    """An upload, and the ETags of all its parts."""

    upload_id: str
    new_filename: str
    etag_data: list[PartTag] = Field(min_length=1, max_length=PARTS_LIMIT)

    @field_validator("etag_data")
    @classmethod
    def _each_once(cls, parts: list[PartTag]) -> list[PartTag]:
        if len({part.number for part in parts}) < len(parts):
            raise ValueError("each PartNumber stands once")
        return parts

    @property
    def tags(self) -> dict[int, str]:
        """ETags by number of the part."""
        return {part.number: part.etag.strip('"') for part in self.etag_data}


_BEGIN = About(
    "uploads", "Ask for the URLs that the parts of a file go to", "UploadParts", refusals=(429, 507),
    notes="The data id is given out here. Each part goes by PUT to its URL at the bucket, without a key; its answer's "
    "ETag is needed to complete. A key beyond its bytes of the day gets 429.",
)  # fmt: skip
_COMPLETE = About(
    "uploads", "Say that all parts are there", "Completed", refusals=(400, 404),
    notes="Answers when the bytes are durable; a second time the same. Reading and analysing follow.",
)  # fmt: skip


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

    def routes(self, check: Check) -> list[Call]:
        """Return the routes of both calls; every one needs the key."""
        path = "/data_entries/raw_data/staged/upload_urls/"
        return [
            changing("POST", path, self._begin, Beginning, check, _BEGIN, optional=True, query=BeginQuery),
            changing("POST", f"{path}complete/", self._complete, Completion, check, _COMPLETE),
        ]

    def _begin(self, request: Request, body: Beginning) -> Response:
        query = asked(request, BeginQuery)
        parts, name = query.num_parts, _last_component(query.original_filename)
        sample_id = self._sample_id(body.physical_sample_id)
        key_id = self._within_quota(request)
        if self._bucket.refused:
            raise Refusal(507, self._bucket.refused)  # parts would only fill what must stay free
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

    def _sample_id(self, sample_id: str | None) -> str | None:
        if sample_id is not None and sample_id not in [sample.id for sample in self._bucket.catalogue.samples()]:
            raise unprocessable(("body", "physical_sample_id"), "no such physical sample")
        return sample_id

    def _complete(self, _: Request, body: Completion) -> Response:
        upload_id, new_filename, tags = body.upload_id, body.new_filename, body.tags
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


def _last_component(given: str) -> str:
    """Last component of the sender's file name, without control characters: some clients send a whole path."""
    last = re.split(r"[/\\]", given)[-1]
    return "".join(c for c in last if c.isprintable()).strip(" .")[-200:] or "unnamed"


def _extension(name: str) -> str:
    found = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return found.group().lower() if found else ""


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
