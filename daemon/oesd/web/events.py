"""GET /events: the daemon's news as server-sent events."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from oesd.web.answers import Refusal
from oesd.web.asking import Name, Whole
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, Query, Told, asked
from oesd.web.feed import Feed
from oesd.web.pump import Wish

LISTENERS = 20  # of the 32 connections: calls must get through beside them
_STREAM = "text/event-stream"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class EventsQuery(Query):
    """Which spectra, and how fine."""

    device: Name = Field("", description="name of a spectrometer; all when empty")
    points: Whole = Field(800, ge=0, le=65_536, description="of a spectrum at most; 0 for every pixel")


def events_route(feed: Feed, may_read: Check) -> Call:
    """Return the route; ``Last-Event-ID`` brings changes and alarms that were missed in a break."""

    async def listen(request: Request) -> Response:
        may_read(request)
        query = asked(request, EventsQuery)
        if feed.listeners >= LISTENERS:
            raise Refusal(503, f"{LISTENERS} listeners are the most; close other pages", retry_after_s=5)
        stream = feed.listen(Wish(query.device, query.points), _last_seen(request))
        return StreamingResponse(stream, media_type=_STREAM, headers=_HEADERS)

    notes = (
        "Server-sent events: `spectrum`, `state` (as GET /status), `change` (an entry has another result), `alarm`, "
        "`golden` and `run` (other labels). `id` grows; with `Last-Event-ID` all after it but spectra and states come "
        "again."
    )
    about = About("state", "The daemon's news as they happen", media=(_STREAM,), refusals=(503,), notes=notes)
    return Call("/events", listen, Told("GET", about, EventsQuery))


def _last_seen(request: Request) -> int | None:
    text = request.headers.get("last-event-id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
