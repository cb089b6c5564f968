"""Calls of the API, as a table: each is a route of starlette that tells what it takes and what it answers.

The same declaration checks a request (a pydantic model of its query or its body) and stands in GET /openapi.json.
Answers are declared by the name of a class in :mod:`oesd.web.documents`, which is imported only when somebody reads
the document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from oesd.web.answers import Refusal
from oesd.web.bodies import Check, takes_json
from oesd.web.turns import AtHand

JSON = "application/json"
CSV = "text/csv"
BYTES = "application/octet-stream"


class Query(BaseModel):
    """What may stand after the question mark; anything else is refused. Without fields: nothing may."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TolerantQuery(Query):
    """The same, as the cloud takes it: whatever else is asked does not matter."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Body(BaseModel):
    """A JSON object that a change carries; anything else in it is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class TolerantBody(Body):
    """The same, as the cloud takes it: what else is there does not matter."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


Q = TypeVar("Q", bound=Query)
B = TypeVar("B", bound=Body)


@dataclass(frozen=True, slots=True)
class About:
    """What a call's documentation says.

    Attributes
    ----------
    tag : str
        The group it stands in.
    summary : str
        One line.
    answer : str
        Name of a class of :mod:`oesd.web.documents`; "" for no JSON.
    status : int
        Of a good answer.
    media : tuple of str
        Content types that it can answer with, the usual one first.
    refusals : tuple of int
        Statuses of errors beside those that any call can end with.
    notes : str
        More than the summary, in sentences.
    """

    tag: str
    summary: str
    answer: str = ""
    status: int = 200
    media: tuple[str, ...] = (JSON,)
    refusals: tuple[int, ...] = ()
    notes: str = ""
    conditional: bool = False
    """Whether it has an ETag, and 304 for who has it already."""


@dataclass(frozen=True, slots=True)
class Told:
    """A call's declaration."""

    method: str
    about: About
    query: type[Query] | None = None
    body: type[BaseModel] | None = None
    body_media: str = JSON
    """"" for a change without a body."""
    body_optional: bool = False
    guarded: bool = False
    """Whether it needs the token."""
    free: bool = False
    """Whether it needs no key even where reading does."""


class Call(Route):
    """A route with its declaration."""

    def __init__(self, path: str, endpoint: Callable[..., Any], told: Told) -> None:
        super().__init__(path, endpoint, methods=[told.method])
        self.told = told
        self.allowed = set(self.methods or ())

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or tell the methods that go here: of all calls of this path."""
        if scope["method"] not in (self.methods or ()):
            raise HTTPException(405, headers={"allow": ", ".join(sorted(self.allowed))})
        await super().handle(scope, receive, send)


def share_methods(routes: Iterable[BaseRoute]) -> None:
    """Let each call know the methods of the others of its path."""
    calls = [route for route in routes if isinstance(route, Call)]
    by_path: dict[str, set[str]] = {}
    for call in calls:
        by_path.setdefault(call.path, set()).update(call.methods or ())
    for call in calls:
        call.allowed = by_path[call.path]


def reading(
    path: str, handler: Callable[[Request, Q], Response], query: type[Q], about: About, at_hand: AtHand | None = None
) -> Call:
    """Return a GET call; its handler gets the query, checked, and runs in the thread pool, or at hand if short."""

    def endpoint(request: Request) -> Response:
        return handler(request, asked(request, query))

    async def soon(request: Request) -> Response:
        assert at_hand is not None
        return await at_hand.do(lambda: endpoint(request))

    return Call(path, soon if at_hand else endpoint, Told("GET", about, query))


def changing(
    method: str,
    path: str,
    handler: Callable[[Request, B], Response],
    body: type[B],
    may_change: Check,
    about: About,
    *,
    optional: bool = False,
    query: type[Query] | None = None,
) -> Call:
    """Return a call that changes something: it needs the token, and a JSON object as its body, checked.

    Parameters
    ----------
    optional : bool
        Whether no body at all is as good as ``{}``.
    query : type of Query, optional
        What its handler finds with :func:`asked`.
    """

    def handle(request: Request, document: dict[str, Any]) -> Response:
        return handler(request, checked(body, document, "body"))

    endpoint = takes_json(handle, may_change, optional=optional)
    return Call(path, endpoint, Told(method, about, query, body, body_optional=optional, guarded=True))


def asked(request: Request, query: type[Q]) -> Q:
    """Query of a request; refused with all its faults in one 422."""
    several = {name for name, one in query.model_fields.items() if get_origin(one.annotation) in (tuple, list)}
    given = request.query_params
    values = {name: given.getlist(name) if name in several else given[name] for name in given}
    return checked(query, values, "query")


M = TypeVar("M", bound=BaseModel)


def checked(model: type[M], values: Mapping[str, Any], where: str) -> M:
    """Values as the model has them; refused with all their faults in one 422, as FastAPI gives it."""
    try:
        return model.model_validate(values)
    except ValidationError as problem:
        known = ", ".join(model.model_fields) or "nothing: it takes none"
        raise Refusal(422, [_fault(error, where, known) for error in problem.errors(include_url=False)]) from None


def _fault(error: Mapping[str, Any], where: str, known: str) -> dict[str, Any]:
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"is none of {known}"
    return {"loc": [where, *(str(part)[:80] for part in error["loc"])], "msg": message, "type": error["type"]}
