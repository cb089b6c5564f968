"""The hub's catalogue calls: what arrived, in which state, and where its bytes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import is_uuid, utc_text
from oesd.store.catalogue import Catalogue, CatalogueEntry, CatalogueQuery, Status
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import Check, data_id, moment, whole_number
from oesd.web.bucket import Bucket

PAGE_LIMIT = 1000
IDS_LIMIT = 1000
STREAM_STATES = frozenset({"stream_active", "stream_interrupted", "stream_finalizing", "stream_error"})


def catalogue_routes(bucket: Bucket, check: Check, bucket_url: Callable[[], str]) -> list[Route]:
    """Return the routes that list entries and give download URLs; every one needs the key."""
    catalogue = bucket.catalogue

    def list_entries(request: Request) -> Response:
        check(request)
        limit = whole_number(request, "limit", PAGE_LIMIT, 1, PAGE_LIMIT)
        found = list(islice(_matching(catalogue, request), limit + 1))
        headers = {"link": _next_page(request, found[limit - 1])} if len(found) > limit else None
        return JsonAnswer([_document(entry) for entry in found[:limit]], headers=headers)

    def raw_url(request: Request) -> Response:
        check(request)
        entry = _entry(catalogue, data_id(request))
        if entry.upload.finished_at_utc is None:
            raise Refusal(404, "the upload is not finished")
        name = entry.upload.file_name
        return _download(bucket_url() + bucket.get_path("raw", entry.upload.data_id), name)

    def processed_url(request: Request) -> Response:
        check(request)
        entry = _entry(catalogue, data_id(request))
        if entry.status is not Status.SUCCESS:
            raise Refusal(404, entry.reason or "not processed yet")
        entry_id = entry.upload.data_id
        return _download(bucket_url() + bucket.get_path("processed", entry_id), f"{entry_id}.json")

    return [
        Route("/data_entries/", list_entries, methods=["GET"]),
        Route("/data_entries/raw_data/{data_id}", raw_url, methods=["GET"]),
        Route("/data_entries/processed_data/{data_id}", processed_url, methods=["GET"]),
    ]


def _entry(catalogue: Catalogue, entry_id: str) -> CatalogueEntry:
    found = catalogue.entries(CatalogueQuery(data_ids=(entry_id,)), 1)
    if not found:
        raise Refusal(404, "no such data entry")
    return found[0]


def _matching(catalogue: Catalogue, request: Request) -> Iterator[CatalogueEntry]:
    """Entries that match the query, newest first; the state is applied page by page."""
    given = request.query_params
    if given.get("data_type", "all") not in ("oes", "all"):
        return
    status = _status(given)
    query = _query(request)
    while page := catalogue.entries(query, PAGE_LIMIT):
        for entry in page:
            if status in ("all", entry.status.value):
                yield entry
        query = query.after(page[-1])


def _query(request: Request) -> CatalogueQuery:
    given = request.query_params
    return CatalogueQuery(
        data_ids=_identifiers(given, "data_ids"),
        physical_sample_ids=_identifiers(given, "physical_sample_ids"),
        project_ids=_identifiers(given, "project_ids"),
        keywords=_several(given, "keywords", 16),
        uploaded_from_utc=moment(request, "upload_datetime_min"),
        uploaded_to_utc=moment(request, "upload_datetime_max"),
        touched_from_utc=moment(request, "last_updated_min"),
        touched_to_utc=moment(request, "last_updated_max"),
        before=given.get("before"),
    )


def _status(given: QueryParams) -> str:
    status = given.get("status", "all")
    if status not in {"all", *(known.value for known in Status)} | STREAM_STATES:
        raise unprocessable(("query", "status"), "must be success, pending, error, running or all")
    return status


def _identifiers(given: QueryParams, name: str) -> tuple[str, ...]:
    """Ids that were asked for; what is no UUID matches nothing, as an unknown id does."""
    return tuple(text if is_uuid(text) else "" for text in _several(given, name, IDS_LIMIT))


def _several(given: QueryParams, name: str, most: int) -> tuple[str, ...]:
    values = given.getlist(name)
    if len(values) > most:
        raise unprocessable(("query", name), f"at most {most} values")
    return tuple(values)


def _next_page(request: Request, last: CatalogueEntry) -> str:
    query = request.url.include_query_params(before=last.upload.data_id).query
    return f'<{request.url.path}?{query}>; rel="next"'


def _download(url: str, file_name: str) -> Response:
    return JsonAnswer({"url": url, "file_name": file_name, "file_format": file_name.rpartition(".")[2]})


def _document(entry: CatalogueEntry) -> dict[str, Any]:
    upload, sample = entry.upload, entry.sample
    return {
        "data_id": upload.data_id,
        "char_source_type": "oes",
        "pipeline_status": entry.status.value,
        "pipeline_error": entry.reason,
        "upload_datetime": utc_text(upload.begun_at_utc),
        "last_updated": utc_text(entry.last_updated_utc),
        "raw_name": upload.file_name,
        "raw_file_type": upload.file_name.rpartition(".")[2],
        "size_bytes": upload.size_bytes,
        "raw_sha256": upload.sha256,
        "sha3_256": upload.sha3_256,
        "record_id": upload.record_id,
        "duplicate_of": entry.duplicate_of,
        "physical_sample_id": None if sample is None else sample.id,
        "physical_sample_name": None if sample is None else sample.name,
        "projects": [{"id": project.id, "name": project.name} for project in entry.projects],
    }
