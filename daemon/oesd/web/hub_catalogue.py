"""The hub's catalogue calls: what arrived, in which state, and where its bytes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import is_uuid, utc_text
from oesd.store.catalogue import Catalogue, CatalogueEntry, CatalogueQuery, Status
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.asking import Moment, Whole
from oesd.web.bodies import Check, data_id
from oesd.web.bucket import Bucket
from oesd.web.calls import About, Call, TolerantQuery, reading

PAGE_LIMIT = 1000
IDS_LIMIT = 1000
STREAM_STATES = frozenset({"stream_active", "stream_interrupted", "stream_finalizing", "stream_error"})


def _at_most(most: int) -> Any:
    def check(given: tuple[str, ...]) -> tuple[str, ...]:
        if len(given) > most:
            raise ValueError(f"at most {most} values")
        return given

    return AfterValidator(check)


def _is_state(status: str) -> str:
    if status not in {"all", *(known.value for known in Status)} | STREAM_STATES:
        raise ValueError("must be success, pending, error, running or all")
    return status


Identifiers = Annotated[tuple[str, ...], _at_most(IDS_LIMIT)]
"""Ids that are asked for; what is no UUID matches nothing, as an unknown id does."""


class CatalogueAsked(TolerantQuery):
    """Which uploads; all of it together."""

    limit: Whole = Field(PAGE_LIMIT, ge=1, le=PAGE_LIMIT)
    before: str | None = Field(None, description="the last data id of the page before")
    data_type: str = Field("all", description="oes, or all; there is nothing else here")
    status: Annotated[str, AfterValidator(_is_state)] = Field(
        "all", description="success, pending, error, running, all"
    )
    data_ids: Identifiers = ()
    physical_sample_ids: Identifiers = ()
    project_ids: Identifiers = ()
    keywords: Annotated[tuple[str, ...], _at_most(16)] = ()
    upload_datetime_min: Moment | None = None
    upload_datetime_max: Moment | None = None
    last_updated_min: Moment | None = None
    last_updated_max: Moment | None = None

    def query(self) -> CatalogueQuery:
        """As the store takes it; the state is applied page by page."""
        return CatalogueQuery(
            data_ids=_identifiers(self.data_ids),
            physical_sample_ids=_identifiers(self.physical_sample_ids),
            project_ids=_identifiers(self.project_ids),
            keywords=self.keywords,
            uploaded_from_utc=self.upload_datetime_min,
            uploaded_to_utc=self.upload_datetime_max,
            touched_from_utc=self.last_updated_min,
            touched_to_utc=self.last_updated_max,
            before=self.before,
        )


def catalogue_routes(bucket: Bucket, check: Check, bucket_url: Callable[[], str]) -> list[Call]:
    """Return the routes that list entries and give download URLs; every one needs the key."""
    catalogue = bucket.catalogue

    def list_entries(request: Request, query: CatalogueAsked) -> Response:
        check(request)
        limit = query.limit
        found = list(islice(_matching(catalogue, query), limit + 1))
        headers = {"link": _next_page(request, found[limit - 1])} if len(found) > limit else None
        return JsonAnswer([_document(entry) for entry in found[:limit]], headers=headers)

    def raw_url(request: Request, _: TolerantQuery) -> Response:
        check(request)
        entry = _entry(catalogue, data_id(request))
        if entry.upload.finished_at_utc is None:
            raise Refusal(404, "the upload is not finished")
        name = entry.upload.file_name
        return _download(bucket_url() + bucket.get_path("raw", entry.upload.data_id), name)

    def processed_url(request: Request, _: TolerantQuery) -> Response:
        check(request)
        entry = _entry(catalogue, data_id(request))
        if entry.status is not Status.SUCCESS:
            raise Refusal(404, entry.reason or "not processed yet")
        entry_id = entry.upload.data_id
        return _download(bucket_url() + bucket.get_path("processed", entry_id), f"{entry_id}.json")

    listed = About("catalogue", "What arrived, page by page", "CatalogueList")
    raw = About("catalogue", "Where the bytes are that were sent", "Download", refusals=(404,))
    processed = About("catalogue", "Where the result is as a file", "Download", refusals=(404,))
    return [
        reading("/data_entries/", list_entries, CatalogueAsked, listed),
        reading("/data_entries/raw_data/{data_id}", raw_url, TolerantQuery, raw),
        reading("/data_entries/processed_data/{data_id}", processed_url, TolerantQuery, processed),
    ]


def _entry(catalogue: Catalogue, entry_id: str) -> CatalogueEntry:
    found = catalogue.entries(CatalogueQuery(data_ids=(entry_id,)), 1)
    if not found:
        raise Refusal(404, "no such data entry")
    return found[0]


def _matching(catalogue: Catalogue, asked: CatalogueAsked) -> Iterator[CatalogueEntry]:
    """Entries that match the query, newest first."""
    if asked.data_type not in ("oes", "all"):
        return
    query = asked.query()
    while page := catalogue.entries(query, PAGE_LIMIT):
        for entry in page:
            if asked.status in ("all", entry.status.value):
                yield entry
        query = query.after(page[-1])


def _identifiers(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(text if is_uuid(text) else "" for text in given)


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
