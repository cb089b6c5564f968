"""GET /openapi.json and /docs: the API described by the very table that serves it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.version import __version__
from oesd.web.answers import encode
from oesd.web.calls import JSON, Call, Told
from oesd.web.negotiation import tag, unless_known

_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is described.

    Attributes
    ----------
    keyed : bool
        Whether reading needs a key too.
    headers : mapping
        Of the page of it.
    """

    title: str = "oesd"
    summary: str = "A spectrometer daemon: what it measures, what it found, what it lost."
    description: str = 'Changes need the token of the data directory and a JSON body. Errors are {"detail": ...}.'
    keyed: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


_TAGS = {
    "state": "How the daemon is, and what happens.",
    "entries": "Spectra and what was found in them.",
    "captures": "What the spectrometers took: samples, references, darks.",
    "runs": "When is measured, and with which labels.",
    "traces": "Lines over time.",
    "alarms": "What must not go unseen, and when a run has reached its end.",
    "ledger": "What became of every scheduled slot.",
    "remote": "What the API that spectra are forwarded to made of them.",
    "uploads": "Bytes on their way in.",
    "catalogue": "What arrived, and what became of it.",
    "samples": "Physical samples and projects that uploads are filed under.",
    "keys": "Who may, and how much was sent.",
}
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "the token, or a key of a hub"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY", "description": "the same, as the OES API has it"},
}
_SAID = {
    400: "it broke off, or its head is larger than 16 KiB", 401: "no token, or a wrong one", 403: "from another site",
    404: "there is none", 408: "too slow", 409: "not of this engine", 410: "it was let go", 413: "too large",
    415: "another content type", 421: "another host name", 422: "something in it cannot be", 429: "too much today",
    503: "not now", 507: "the disk is full",
}  # fmt: skip
_BODY_REFUSALS = (400, 401, 403, 408, 413, 415, 422)
_PATH_NAME = re.compile(r"\{(\w+)\}")
_IDS = frozenset({"data_id", "record_id"})


def document_routes(calls: Iterable[Route], subject: Subject | None = None) -> list[Route]:
    """Return the routes of the description of these calls."""
    about = subject or Subject()
    told = [call for call in calls if isinstance(call, Call)]

    @cache
    def described() -> tuple[str, bytes]:
        content = encode(openapi_document(told, about))
        return tag(hashlib.sha256(content).hexdigest()[:20]), content

    def send_document(request: Request) -> Response:
        etag, content = described()
        return unless_known(request, etag, lambda: content, JSON)

    def send_page(_: Request) -> Response:
        page = files("oesd.web").joinpath("page", "docs.html").read_bytes()
        return Response(
            page, media_type="text/html; charset=utf-8", headers={"cache-control": "no-cache", **about.headers}
        )

    return [Route("/openapi.json", send_document, methods=["GET"]), Route("/docs", send_page, methods=["GET"])]


def openapi_document(calls: Sequence[Call], subject: Subject) -> dict[str, Any]:
    """Describe calls by OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.told.method.lower()] = _operation(call, subject.keyed)
    used = {call.told.about.tag for call in calls}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": subject.title,
            "version": __version__,
            "summary": subject.summary,
            "description": subject.description,
        },
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items() if name in used],
        "paths": paths,
        "components": {"schemas": _schemas(calls), "securitySchemes": _SECURITY},
    }


def _operation(call: Call, keyed: bool) -> dict[str, Any]:
    told, about = call.told, call.told.about
    guarded = told.guarded or (keyed and not told.free)
    operation: dict[str, Any] = {
        "operationId": _PATH_NAME.sub(r"\1", f"{told.method.lower()}{call.path}").replace("/", "_").replace(".", "_"),
        "tags": [about.tag],
        "summary": about.summary,
        "parameters": [*_path_parameters(call.path), *_query_parameters(told.query), *_conditional(about.conditional)],
        "responses": _responses(call, guarded),
    }
    if about.notes:
        operation["description"] = about.notes
    if guarded:
        operation["security"] = [{name: []} for name in _SECURITY]
    if told.guarded and told.body_media:
        operation["requestBody"] = _request_body(told)
    return operation


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in _PATH_NAME.findall(path):
        schema = {"type": "string", "format": "uuid"} if name in _IDS else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(query: type[BaseModel] | None) -> Iterator[dict[str, Any]]:
    schema = query.model_json_schema() if query else {}
    required = schema.get("required", ())
    for name, one in schema.get("properties", {}).items():
        shown = _without_null(one)
        text = shown.pop("description", None)
        about = {} if text is None else {"description": text}
        yield {"name": name, "in": "query", "required": name in required, **about, "schema": shown}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter that is left out is no null."""
    shown = {key: value for key, value in schema.items() if key != "title" and not (key == "default" and value is None)}
    choices = [one for one in shown.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del shown["anyOf"]
        shown |= choices[0]
    return shown


def _conditional(conditional: bool) -> Iterator[dict[str, Any]]:
    if conditional:
        text = "the ETag of what is there already: 304 when it is the same"
        yield {"name": "If-None-Match", "in": "header", "required": False, "description": text, "schema": _TEXT}


_TEXT = {"type": "string"}


def _request_body(told: Told) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"} if told.body is None else _ref(told.body.__name__)
    return {"required": not told.body_optional, "content": {told.body_media: {"schema": schema}}}


def _responses(call: Call, guarded: bool) -> dict[str, Any]:
    told, about = call.told, call.told.about
    good: dict[str, Any] = {"description": about.summary}
    content = {
        media: {"schema": _ref(about.answer) if media == JSON and about.answer else _TEXT} for media in about.media
    }
    good["content"] = content
    statuses = {400, 421, 503, *about.refusals}
    statuses |= {422} if told.query is not None else set()
    statuses |= set(_BODY_REFUSALS) if told.guarded else {401, 403} if guarded else set()
    answers = {str(about.status): good}
    if about.conditional:
        answers["304"] = {"description": "as it is there already"}
    for status in sorted(statuses):
        answers[str(status)] = _refusal(
            status, about.answer if (status, about.answer) == (503, "Health") else "Problem"
        )
    return answers


def _refusal(status: int, answer: str) -> dict[str, Any]:
    return {"description": _SAID[status], "content": {JSON: {"schema": _ref(answer)}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(model=name)}


def _schemas(calls: Sequence[Call]) -> dict[str, Any]:
    from pydantic.json_schema import models_json_schema

    from oesd.web import documents  # only now: a daemon whose document nobody reads does without these

    names = {"Problem", *(call.told.about.answer for call in calls if call.told.about.answer)}
    models: list[type[BaseModel]] = [getattr(documents, name) for name in sorted(names)]
    models += sorted({call.told.body for call in calls if call.told.body}, key=lambda model: model.__name__)
    _, schema = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return found
