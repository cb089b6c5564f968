"""The hub's keys over HTTP: made, listed and revoked by whoever has the scope ``admin``.

A key is shown once, when it is made. The hub keeps its hash.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import utc_text
from oesd.store.hub_keys import SCOPES, HubKey, HubKeys
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import Check, takes_json, texts, whole_number
from oesd.web.bucket import Clock

NAME_LIMIT = 80
_MOST_DAY_BYTES = 2**50


def key_routes(keys: HubKeys, may_all: Check, clock: Clock) -> list[Route]:
    """Return the routes of the keys: GET and POST /keys/, DELETE /keys/{key_id}, GET /usage/."""

    def list_keys(request: Request) -> Response:
        may_all(request)
        return JsonAnswer([_document(key) for key in keys.all()])

    def make(_: Request, body: dict[str, Any]) -> Response:
        made, text = keys.make(_name(body), _scopes(body), _day_bytes(body), clock())
        return JsonAnswer({**_document(made), "key": text}, 201)

    def revoke(request: Request) -> Response:
        may_all(request)
        if not keys.revoke(str(request.path_params["key_id"]), clock()):
            raise Refusal(404, "no such key, or it was revoked before")
        return JsonAnswer({"revoked": True})

    def usage(request: Request) -> Response:
        may_all(request)
        return JsonAnswer(keys.usage(whole_number(request, "days", 31, 1, 3660), clock()))

    return [
        Route("/keys/", list_keys, methods=["GET"]),
        Route("/keys/", takes_json(make, may_all), methods=["POST"]),
        Route("/keys/{key_id}", revoke, methods=["DELETE"]),
        Route("/usage/", usage, methods=["GET"]),
    ]


def _name(body: dict[str, Any]) -> str:
    (name,) = texts(body, "name")
    if not (0 < len(name.strip()) <= NAME_LIMIT and name.isprintable()):
        raise unprocessable(("body", "name"), f"must have 1 to {NAME_LIMIT} printable characters")
    return name.strip()


def _scopes(body: dict[str, Any]) -> frozenset[str]:
    given = body.get("scopes")
    if not isinstance(given, list) or not given or not all(scope in SCOPES for scope in given):
        raise unprocessable(("body", "scopes"), f"must be a list of {', '.join(SCOPES)}")
    return frozenset(given)


def _day_bytes(body: dict[str, Any]) -> int:
    given = body.get("day_bytes", 0)
    if type(given) is not int or not 0 <= given <= _MOST_DAY_BYTES:
        raise unprocessable(("body", "day_bytes"), "must be a whole number of bytes a day; 0 for no quota")
    return given


def _document(key: HubKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "day_bytes": key.day_bytes,
        "made_at": utc_text(key.made_at_utc),
        "revoked_at": None if key.revoked_at_utc is None else utc_text(key.revoked_at_utc),
    }
