"""The API's results beside ours: GET /oes/{data_id}/remote of one entry, GET /remote of all that differ."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.model import utc_text
from oesd.store import Store
from oesd.store.remote import RemoteResult
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.bodies import data_id, whole_number

_MOST = 1000
_KINDS = ("differences", "conflicts")


def remote_routes(store: Store) -> list[Route]:
    """Return the routes of the remote results; reading is free."""

    def read_one(request: Request) -> Response:
        found = store.remote.load(data_id(request))
        if found is None:
            raise Refusal(404, "no remote result was fetched for this entry")
        return JsonAnswer({**_document(found), "document": found.document})

    def list_differing(request: Request) -> Response:
        kind = request.query_params.get("kind", "differences")
        if kind not in _KINDS:
            raise unprocessable(("query", "kind"), f"must be one of {', '.join(_KINDS)}")
        limit = whole_number(request, "limit", 100, 1, _MOST)
        found = store.remote.differing(limit, conflicts_only=kind == "conflicts")
        return JsonAnswer({**store.remote.counts(), "entries": [_document(one) for one in found]})

    return [
        Route("/oes/{data_id}/remote", read_one, methods=["GET"]),
        Route("/remote", list_differing, methods=["GET"]),
    ]


def _document(found: RemoteResult) -> dict[str, Any]:
    return {
        "data_id": found.data_id,
        "revision": found.revision,
        "fetched_at": utc_text(found.fetched_at_utc),
        **found.diff,
    }
