"""Orders that are not for runs: one capture, one entry processed again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import Kind
from oesd.store import Store
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.asking import Name
from oesd.web.bodies import data_id
from oesd.web.calls import About, Body, Call, changing
from oesd.web.keys import KeyCheck
from oesd.web.oes import UNKNOWN


class CaptureOrder(Body):
    """One capture of one kind."""

    kind: Annotated[str, Field(json_schema_extra={"enum": list(Kind)})]
    device: Name = Field("", description="name or serial number of a spectrometer; all when empty")


class Again(Body):
    """Nothing to say."""


def capture_route(capture: Callable[[Kind, str], Sequence[str]], may_change: KeyCheck) -> Call:
    """Return POST /captures; ``capture`` as :func:`~oesd.web.api.create_api` takes it."""

    def order(_: Request, body: CaptureOrder) -> Response:
        if body.kind not in tuple(Kind):
            raise unprocessable(("body", "kind"), f"must be one of {', '.join(Kind)}")
        ordered = list(capture(Kind(body.kind), body.device))
        if body.device and not ordered:
            raise Refusal(404, f"no spectrometer called {body.device!r:.80} is at work")
        return JsonAnswer({"ordered": ordered}, 202)

    about = About("captures", "Order one capture: a dark, a reference, a sample", "Ordered", 202, refusals=(404,))
    return changing("POST", "/captures", order, CaptureOrder, may_change, about)


def reprocess_route(store: Store, reprocess: Callable[[str], None], may_change: KeyCheck) -> Call:
    """Return POST /oes/{data_id}/reprocess."""

    def order(request: Request, _: Again) -> Response:
        entry_id = data_id(request)
        if store.entry(entry_id) is None:
            raise Refusal(404, UNKNOWN)
        reprocess(entry_id)
        return JsonAnswer({"data_id": entry_id, "ordered": True}, 202)

    about = About("entries", "Process an entry again", "Reprocessing", 202, refusals=(404,))
    return changing("POST", "/oes/{data_id}/reprocess", order, Again, may_change, about, optional=True)
