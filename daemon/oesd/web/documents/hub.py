"""What the hub answers beside the results: uploads, its catalogue, samples and keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import RootModel

from oesd.web.documents.said import Document


class Clock(Document):
    """The hub's clock when the request was received, and when the answer went out, ms of Unix time."""

    receivedAtUnixMs: float  # noqa: N815 - as the cloud has it
    transmittedAtUnixMs: float  # noqa: N815


class HubState(Document):
    """How the hub is."""

    version: str
    waiting: int


class UploadPart(Document):
    """Where the bytes of a part go by PUT, at the bucket; the ids are the same for all parts."""

    part: int
    url: str
    upload_id: str
    new_filename: str
    data_id: str


class UploadParts(RootModel[list[UploadPart]]):
    """The parts of an upload, 1 first."""


class Completed(Document):
    """An upload whose bytes are all here, and durable."""

    data_id: str
    new_filename: str
    size_bytes: int


class Named(Document):
    """A physical sample or a project."""

    id: str
    name: str
    created_at: datetime | None = None


class NamedList(RootModel[list[Named]]):
    """Physical samples, or projects."""


class CatalogueItem(Document):
    """An upload, and what became of it."""

    data_id: str
    char_source_type: Literal["oes"]
    pipeline_status: Literal["pending", "running", "success", "error"]
    pipeline_error: str
    upload_datetime: datetime
    last_updated: datetime
    raw_name: str
    raw_file_type: str
    size_bytes: int | None
    raw_sha256: str
    sha3_256: str
    record_id: str
    duplicate_of: str | None
    physical_sample_id: str | None
    physical_sample_name: str | None
    projects: list[Named]


class CatalogueList(RootModel[list[CatalogueItem]]):
    """Uploads, the newest first; the `Link` header leads to the next page."""


class Download(Document):
    """Where bytes can be fetched for an hour."""

    url: str
    file_name: str
    file_format: str


class Series(Document):
    """Nothing: a spectrum is of one moment, and the hub keeps no series of a sample."""

    results: list[None]


class Tracked(Document):
    """A project follows a sample."""

    project_id: str
    physical_sample_id: str
    active: bool


class HubKeyDocument(Document):
    """A key without the key."""

    key_id: str
    name: str
    scopes: list[Literal["read", "write", "admin"]]
    day_bytes: int
    made_at: datetime
    revoked_at: datetime | None


class HubKeyMade(HubKeyDocument):
    """A key, shown this once."""

    key: str


class HubKeyList(RootModel[list[HubKeyDocument]]):
    """Keys, revoked ones too."""


class Revoked(Document):
    """It was good until now."""

    revoked: bool


class UsageOfDay(Document):
    """Uploads of a key on a day of UTC; ``day`` counts from 1970-01-01."""

    key_id: str
    day: int
    uploads: int
    bytes: int


class Usage(RootModel[list[UsageOfDay]]):
    """What came by which key, by day."""
