"""The API's results beside ours: GET /oes/{data_id}/remote of one entry, GET /remote of all that differ."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import utc_text
from oesd.store import Store
from oesd.store.remote import RemoteResult
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.asking import Whole
from oesd.web.bodies import Check, data_id
from oesd.web.calls import About, Call, Query, reading
from oesd.web.entries import Nothing


class Differing(Query):
    """Which of them."""

    kind: Literal["differences", "conflicts"] = "differences"
    limit: Whole = Field(100, ge=1, le=1000)


def remote_routes(store: Store, may_read: Check) -> list[Call]:
    """Return the routes of the remote results."""

    def read_one(request: Request, _: Nothing) -> Response:
        may_read(request)
        found = store.remote.load(data_id(request))
        if found is None:
            raise Refusal(404, "no remote result was fetched for this entry")
        return JsonAnswer({**_document(found), "document": found.document})

    def list_differing(request: Request, query: Differing) -> Response:
        may_read(request)
        found = store.remote.differing(query.limit, conflicts_only=query.kind == "conflicts")
        return JsonAnswer({**store.remote.counts(), "entries": [_document(one) for one in found]})

    one = About("remote", "What the API made of an entry", "RemoteDocument", refusals=(404,))
    differing = About("remote", "Entries whose result there is another than here", "RemoteList")
    return [
        reading("/oes/{data_id}/remote", read_one, Nothing, one),
        reading("/remote", list_differing, Differing, differing),
    ]


def _document(found: RemoteResult) -> dict[str, Any]:
    return {
        "data_id": found.data_id,
        "revision": found.revision,
        "fetched_at": utc_text(found.fetched_at_utc),
        **found.diff,
    }
