"""The OES API, one method per call; every answer checked, every error named by what comes next."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Self

from oesd.model import is_uuid
from oesd.upload import answers
from oesd.upload.address import Endpoint, check_link
from oesd.upload.answers import GatewayTime, Presigned, RemoteEntry, RemoteNamed
from oesd.upload.call import Deadlines
from oesd.upload.errors import Conflict, NotFound, ProtocolBroken, RecordRefused, Uncertain
from oesd.upload.http import ApiHttp, BucketHttp
from oesd.upload.key import ApiKey

PART_BYTES = 40 * 1024 * 1024
_JSON_CAP = 8 * 1024 * 1024
_OES_CAP = 64 * 1024 * 1024
_MOST_IDS = 100
_UPLOADS = "data_entries/raw_data/staged/upload_urls/"


class OesApi:
    """Client of the OES API. Thread-safe; make it after any fork, close it at the end.

    Every method raises :class:`oesd.upload.errors.UploadError` by what comes next.

    Parameters
    ----------
    endpoint : str
        ``https://host[:port][/prefix]``, with or without a final slash; http for loopback only.
    key : ApiKey
        Sent to the endpoint's origin and nowhere else.
    bucket_hosts : sequence of str
        Suffixes of the hosts that presigned links may point to; empty takes any public host.
    deadlines, tls, proxy : optional
        Time limits; an own TLS context instead of the system's store; an explicit proxy (never from the environment).
    clock : callable
        Unix seconds, for :meth:`gateway_time`.

    Raises
    ------
    EndpointError
        When the endpoint is not one we take.
    """

    def __init__(
        self,
        endpoint: str,
        key: ApiKey,
        *,
        bucket_hosts: Sequence[str] = (),
        deadlines: Deadlines | None = None,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.endpoint = Endpoint.parse(endpoint)
        self._bucket_hosts = tuple(bucket_hosts)
        self._clock = clock
        self._api = ApiHttp(self.endpoint, key, deadlines=deadlines, tls=tls, proxy=proxy)
        self._bucket = BucketHttp(deadlines=deadlines, tls=tls, proxy=proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._api.close()
        self._bucket.close()

    def presign(self, file_name: str, parts: int = 1, sample: RemoteNamed | None = None) -> Presigned:
        """Ask for upload links. **Not repeatable**: each call makes a data entry; after ``Uncertain`` look first."""
        query = (("original_filename", file_name), ("num_parts", str(parts)), ("staging_type", "core"))
        filed = sample and {"physical_sample_id": sample.id, "physical_sample_name": sample.name}
        body = _json(filed) if filed else None
        url = self.endpoint.url(_UPLOADS, query)
        answer = self._api.json("presign", "POST", url, body=body, cap_bytes=_JSON_CAP)
        return answers.presigned(answer, parts, self._checked)

    def put_part(self, url: str, data: bytes) -> str:
        """Send one part and return its ETag. Repeatable; ``LinkExpired`` asks for a new presign."""
        return answers.etag(self._bucket.put("part", self._checked(url), data).headers.get("etag"))

    def complete(self, upload_id: str, new_filename: str, etags: Sequence[str]) -> None:
        """Have the parts assembled; ``etags`` in order of parts.

        Raises
        ------
        Uncertain
            On 404 and 409 (and on a lost reply): assembled before, or never. Only looking tells.
        """
        parts = [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(etags, 1)]
        body = {"upload_id": upload_id, "new_filename": new_filename, "etag_data": parts}
        url = self.endpoint.url(_UPLOADS + "complete/", (("staging_type", "core"),))
        try:
            self._api.json("complete", "POST", url, body=_json(body), cap_bytes=_JSON_CAP)
        except (NotFound, Conflict) as answer:
            raise Uncertain(str(answer)) from None

    def find_entries(
        self,
        *,
        data_ids: Sequence[str] = (),
        keywords: str = "",
        changed_since: datetime | None = None,
        changed_until: datetime | None = None,
    ) -> list[RemoteEntry]:
        """Entries of these ids (at most 100), entries a keyword search finds, or those changed lately; 404 is none."""
        if len(data_ids) > _MOST_IDS:
            raise ValueError(f"{len(data_ids)} ids at once, {_MOST_IDS} at most")
        query = [("keywords", keywords)] if keywords else []
        query += [("data_ids", _checked_id(data_id)) for data_id in data_ids]
        if changed_since is not None:
            query += [("data_type", "oes"), ("last_updated_min", str(changed_since))]
        if changed_until is not None:
            query.append(("last_updated_max", str(changed_until)))
        query.append(("include_organization_data", "True"))
        try:
            return answers.entries(
                self._api.json("data entries", "GET", self.endpoint.url("data_entries/", query), cap_bytes=_JSON_CAP)
            )
        except NotFound:
            return []

    def download_raw(self, data_id: str, max_bytes: int) -> bytes | None:
        """Bytes of an entry's raw file; None while there are none. ``AnswerTooLarge`` above ``max_bytes``."""
        url = self.endpoint.url(f"data_entries/raw_data/{_checked_id(data_id)}", (("return_as", "url-download"),))
        try:
            link = answers.download_link(self._api.json("download", "GET", url, cap_bytes=_JSON_CAP))
        except (NotFound, RecordRefused):
            return None
        return None if link is None else self._bucket.get("download", self._checked(link), max_bytes)

    def get_oes(self, data_id: str) -> dict[str, Any] | None:
        """Latest result of an entry, the documented GET; None until it is processed."""
        url = self.endpoint.url(f"oes/{_checked_id(data_id)}")
        try:
            return answers.oes_result(self._api.json("result", "GET", url, cap_bytes=_OES_CAP), data_id)
        except NotFound:
            return None

    def patch_peak(self, data_id: str, peak_id: str, candidate_key: str) -> dict[str, Any]:
        """Assign a candidate to a peak by hand; the updated result."""
        url = self.endpoint.url(f"oes/{_checked_id(data_id)}/peaks")
        body = _json({"peak_id": peak_id, "candidate_key": candidate_key})
        return answers.oes_result(self._api.json("override", "PATCH", url, body=body, cap_bytes=_OES_CAP), data_id)

    def physical_samples(self) -> list[RemoteNamed]:
        """Every physical sample of the organisation."""
        url = self.endpoint.url("physical_samples/")
        return answers.named(self._api.json("physical samples", "GET", url, cap_bytes=_JSON_CAP), "physical samples")

    def make_physical_sample(self, name: str) -> RemoteNamed:
        """Make a physical sample; when the name is taken, the one that has it."""
        url = self.endpoint.url("physical_samples/")
        try:
            made = self._api.json("physical sample", "POST", url, body=_json({"name": name}), cap_bytes=_JSON_CAP)
        except Conflict as taken:
            made = taken.detail
        return answers.made_sample(made, name)

    def projects(self) -> list[RemoteNamed]:
        """Every project of the organisation."""
        url = self.endpoint.url("projects/")
        return answers.named(self._api.json("projects", "GET", url, cap_bytes=_JSON_CAP), "projects")

    def track_sample(self, project_id: str, physical_sample_id: str) -> None:
        """Put a physical sample on a project's list, as the active one. Repeatable."""
        url = self.endpoint.url(f"projects/{_checked_id(project_id)}/configuration/tracking_samples")
        body = _json({"physical_sample_id": _checked_id(physical_sample_id), "set_active": True})
        self._api.json("tracking", "POST", url, body=body, cap_bytes=_JSON_CAP)

    def gateway_time(self) -> GatewayTime:
        """Offset of the API's clock from ours, from one exchange (sent without the key; annotates, never sets)."""
        sent_ms, started = self._clock() * 1e3, time.monotonic()
        answer = self._api.json("clock", "GET", self.endpoint.url("gateway/time"), cap_bytes=_JSON_CAP, with_key=False)
        # The host clock may be stepped meanwhile; the monotonic one tells how long it took.
        back_ms = sent_ms + (time.monotonic() - started) * 1e3
        received_ms, answered_ms = answers.gateway_stamps(answer)
        delay_ms = (back_ms - sent_ms) - (answered_ms - received_ms)
        if delay_ms < 0 or answered_ms < received_ms:
            raise ProtocolBroken("clock: the stamps contradict the time it took")
        return GatewayTime(((received_ms - sent_ms) + (answered_ms - back_ms)) / 2, delay_ms / 2)

    def _checked(self, url: str) -> str:
        return check_link(url, self.endpoint, self._bucket_hosts)


def split(data: bytes) -> list[bytes]:
    """Cut a file into parts of 40 MiB, the last one shorter."""
    return [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]


def _checked_id(data_id: str) -> str:
    """UUIDs only: what else enters a path can leave it."""
    if not is_uuid(data_id):
        raise ProtocolBroken("data_id is no UUID")
    return data_id


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")
