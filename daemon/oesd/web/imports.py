"""POST /files: a file of other software becomes an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from oesd.store import StoreFull
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.bodies import Check, read_body
from oesd.web.calls import BYTES, About, Call, Told

_LIMIT_BYTES = 64 * 1024 * 1024


def files_route(take: Callable[[bytes, str], Mapping[str, Any]], may_change: Check) -> Call:
    """Return the route; ``take(data, filename)`` stores a file, ValueError says why it is none that is read."""

    async def receive(request: Request) -> Response:
        may_change(request)
        if request.headers.get("content-type") != "application/octet-stream":
            raise Refusal(415, "the content type must be application/octet-stream")
        data = await read_body(request, _LIMIT_BYTES)
        return await run_in_threadpool(answer, data, unquote(request.headers.get("x-filename", "")))

    def answer(data: bytes, filename: str) -> Response:
        try:
            return JsonAnswer(dict(take(data, filename)))
        except ValueError as problem:
            raise Refusal(422, str(problem)) from problem
        except StoreFull as problem:
            raise Refusal(507, str(problem)) from problem

    about = About("entries", "A file of other software becomes an entry", "Imported", refusals=(408, 413, 415, 507))
    return Call("/files", receive, Told("POST", about, body_media=BYTES, guarded=True))
