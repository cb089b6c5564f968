"""Reading what a request carries: bodies under a cap and a deadline, numbers and identifiers checked.

Handlers are plain functions that starlette runs in its thread pool; only the
reading of a body happens on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from oesd.model import is_uuid
from oesd.web.answers import Refusal, unprocessable

BODY_LIMIT_BYTES = 64 * 1024
BODY_DEADLINE_S = 10.0

Check = Callable[[Request], None]
JsonHandler = Callable[[Request, dict[str, Any]], Response]
Endpoint = Callable[[Request], Awaitable[Response]]


def takes_json(handler: JsonHandler, check: Check, *, optional: bool = False) -> Endpoint:
    """Endpoint that checks the key, reads a JSON object, and runs ``handler(request, body)`` in the thread pool.

    Parameters
    ----------
    optional : bool
        Whether no body at all is allowed; the handler then gets an empty dict.
    """

    async def endpoint(request: Request) -> Response:
        check(request)
        body = await read_body(request, BODY_LIMIT_BYTES)
        document = {} if optional and not body else parse_object(request, body)
        return await run_in_threadpool(handler, request, document)

    return endpoint


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Whole body, at most ``limit_bytes`` and ten seconds.

    Raises
    ------
    Refusal
        413 too large, 408 too slow, 400 broken off.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_DEADLINE_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise Refusal(413, f"the body is larger than {limit_bytes} bytes")
    except TimeoutError as problem:
        raise Refusal(408, f"the body took longer than {BODY_DEADLINE_S:.0f} s") from problem
    except ClientDisconnect as problem:
        raise Refusal(400, "the body broke off") from problem
    return bytes(body)


def parse_object(request: Request, body: bytes) -> dict[str, Any]:
    """JSON object of a request.

    Raises
    ------
    Refusal
        415 when the content type is not JSON, 422 when the body is no JSON object.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refusal(415, "the content type must be application/json")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise unprocessable(("body",), f"JSON decode error: {problem.msg}", "json_invalid") from problem
    if not isinstance(document, dict):
        raise unprocessable(("body",), "the body must be a JSON object", "dict_type")
    return document


def data_id(request: Request) -> str:
    """``data_id`` of the path, checked before it meets anything else; 404 when it is no UUID."""
    text = str(request.path_params["data_id"])
    if not is_uuid(text):
        raise Refusal(404, "no such data entry")
    return text
