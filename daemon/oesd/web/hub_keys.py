"""The hub's keys over HTTP: made, listed and revoked by whoever has the scope ``admin``.

A key is shown once, when it is made. The hub keeps its hash.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import utc_text
from oesd.store.hub_keys import HubKey, HubKeys
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.asking import Whole
from oesd.web.bodies import Check
from oesd.web.bucket import Clock
from oesd.web.calls import About, Call, Told, TolerantBody, TolerantQuery, changing, reading

NAME_LIMIT = 80
_MOST_DAY_BYTES = 2**50


class NewKey(TolerantBody):
    """A key to be made; without ``day_bytes`` it has no quota."""

    name: str
    scopes: list[Literal["read", "write", "admin"]] = Field(min_length=1)
    day_bytes: int = Field(0, ge=0, le=_MOST_DAY_BYTES)

    @field_validator("name")
    @classmethod
    def _is_printable(cls, name: str) -> str:
        if not (0 < len(name.strip()) <= NAME_LIMIT and name.isprintable()):
            raise ValueError(f"must have 1 to {NAME_LIMIT} printable characters")
        return name.strip()


class UsageQuery(TolerantQuery):
    """Of how many days."""

    days: Whole = Field(31, ge=1, le=3660)


def key_routes(keys: HubKeys, may_all: Check, clock: Clock) -> list[Call]:
    """Return the routes of the keys: GET and POST /keys/, DELETE /keys/{key_id}, GET /usage/."""

    def list_keys(request: Request, _: TolerantQuery) -> Response:
        may_all(request)
        return JsonAnswer([_document(key) for key in keys.all()])

    def make(_: Request, body: NewKey) -> Response:
        made, text = keys.make(body.name, frozenset(body.scopes), body.day_bytes, clock())
        return JsonAnswer({**_document(made), "key": text}, 201)

    def revoke(request: Request) -> Response:
        may_all(request)
        if not keys.revoke(str(request.path_params["key_id"]), clock()):
            raise Refusal(404, "no such key, or it was revoked before")
        return JsonAnswer({"revoked": True})

    def usage(request: Request, query: UsageQuery) -> Response:
        may_all(request)
        return JsonAnswer(keys.usage(query.days, clock()))

    revoked = Told("DELETE", About("keys", "Revoke a key", "Revoked", refusals=(404,)), body_media="", guarded=True)
    return [
        reading("/keys/", list_keys, TolerantQuery, About("keys", "The keys", "HubKeyList")),
        changing("POST", "/keys/", make, NewKey, may_all,
                 About("keys", "Make a key; it is shown this once", "HubKeyMade", 201)),
        Call("/keys/{key_id}", revoke, revoked),
        reading("/usage/", usage, UsageQuery, About("keys", "What came by which key, by day", "Usage")),
    ]  # fmt: skip


def _document(key: HubKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "day_bytes": key.day_bytes,
        "made_at": utc_text(key.made_at_utc),
        "revoked_at": None if key.revoked_at_utc is None else utc_text(key.revoked_at_utc),
    }
