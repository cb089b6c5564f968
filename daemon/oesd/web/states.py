"""GET /healthz, /status and /live: how the daemon is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from oesd.store import Store
from oesd.web.answers import JsonAnswer
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, reading
from oesd.web.entries import Nothing
from oesd.web.live import live_document


def state_routes(
    store: Store, status: Callable[[], Mapping[str, Any]], healthy: Callable[[], bool], may_read: Check
) -> list[Call]:
    """Return the routes; who asks only whether it is healthy needs no token, wherever from."""

    def read_health(_: Request, __: Nothing) -> Response:
        well = healthy()
        return JsonAnswer({"healthy": well}, 200 if well else 503)

    def read_status(request: Request, _: Nothing) -> Response:
        may_read(request)
        return JsonAnswer(dict(status()))

    def read_live(request: Request, _: Nothing) -> Response:
        may_read(request)
        return JsonAnswer(live_document(store, status()))

    health = About("state", "Whether every thread keeps its promise", "Health", refusals=(503,))
    return [
        reading("/healthz", read_health, Nothing, health),
        reading("/status", read_status, Nothing, About("state", "Everything at a glance", "Status")),
        reading("/live", read_live, Nothing, About("state", "The state, and the newest of each spectrometer", "Live")),
    ]
