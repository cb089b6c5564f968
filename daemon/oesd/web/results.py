"""POST /results: results that workers outside this process made of stored entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.bodies import Check, read_body
from oesd.web.calls import BYTES, About, Call, Told

_LIMIT_BYTES = 64 * 1024 * 1024


def results_route(keep: Callable[[bytes], Mapping[str, str]], may_change: Check) -> Call:
    """Return the route; ``keep(message)`` stores the results and tells what was not stored, ValueError refuses all."""

    async def take(request: Request) -> Response:
        may_change(request)
        if request.headers.get("content-type") != "application/octet-stream":
            raise Refusal(415, "the content type must be application/octet-stream")
        message = await read_body(request, _LIMIT_BYTES)
        return await run_in_threadpool(answer, message)

    def answer(message: bytes) -> Response:
        try:
            return JsonAnswer({"kept": dict(keep(message))})
        except ValueError as problem:
            raise Refusal(409, str(problem)) from problem

    about = About("entries", "Results that workers made of entries", "Kept", refusals=(408, 409, 413, 415))
    return Call("/results", take, Told("POST", about, body_media=BYTES, guarded=True))
