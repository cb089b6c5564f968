"""What goes back over the wire: JSON by orjson, errors as ``{"detail": ...}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from oesd.store import StoreError, StoreFull


class Refusal(Exception):
    """A request that ends with an error status.

    Parameters
    ----------
    status : int
        HTTP status, 400 and above.
    detail : str or sequence of mapping
        A sentence, or for 422 the list of :func:`fault` values.
    retry_after_s : int, optional
        When to come again.
    """

    def __init__(
        self,
        status: int,
        detail: str | Sequence[Mapping[str, Any]] | Mapping[str, Any],
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(status, detail)
        self.retry_after_s = retry_after_s
        self.status = status
        self.detail = detail


class JsonAnswer(Response):
    """A JSON document; never cached, as every document here is a moment's state."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content, status_code, {"cache-control": "no-store", **(headers or {})})

    def render(self, content: Any) -> bytes:
        """Encode the document."""
        return encode(content)


def encode(content: Any) -> bytes:
    """JSON of values and arrays; what is not finite becomes null."""
    return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)


def fault(location: Sequence[str | int], message: str, kind: str, **context: Any) -> dict[str, Any]:
    """One item of a 422 answer, in FastAPI's form.

    Parameters
    ----------
    location : sequence
        Where the fault is: ``("body", "peak_id")``, ``("query", "limit")``.
    kind : str
        The ``type`` of the fault: ``missing``, ``value_error``, ...
    **context
        Given as ``ctx`` when there is any.
    """
    item: dict[str, Any] = {"loc": list(location), "msg": message, "type": kind}
    if context:
        item["ctx"] = context
    return item


def unprocessable(location: Sequence[str | int], message: str, kind: str = "value_error", **context: Any) -> Refusal:
    """Refusal with status 422 and one fault."""
    return Refusal(422, [fault(location, message, kind, **context)])


def answer_refusal(_: Request, problem: Exception) -> Response:
    """Turn a :class:`Refusal` into its answer (an exception handler of starlette)."""
    assert isinstance(problem, Refusal)
    headers = {"www-authenticate": "Bearer"} if problem.status == 401 else {}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(problem.retry_after_s)
    return JsonAnswer({"detail": problem.detail}, problem.status, headers)


def answer_http_error(_: Request, problem: Exception) -> Response:
    """Give the router's own errors (404, 405) the same form."""
    status = int(getattr(problem, "status_code", 500))
    return JsonAnswer({"detail": str(getattr(problem, "detail", ""))}, status, getattr(problem, "headers", None))


def answer_store_error(_: Request, problem: Exception) -> Response:
    """Say that the store cannot serve now; the message is one line for a person."""
    return JsonAnswer({"detail": str(problem)}, 507 if isinstance(problem, StoreFull) else 503)


def answer_crash(_: Request, __: Exception) -> Response:
    """Answer an unexpected error without any inner detail; uvicorn logs the traceback."""
    # uvicorn closes the connection after a crash: say so, or the client's next request on it fails.
    return JsonAnswer({"detail": "internal error; see the log"}, 500, {"connection": "close"})


EXCEPTION_HANDLERS: Mapping[Any, Callable[[Request, Exception], Response]] = {
    Refusal: answer_refusal,
    StoreError: answer_store_error,
    HTTPException: answer_http_error,
    Exception: answer_crash,
}
