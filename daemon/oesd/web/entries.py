"""GET /oes, /entries and /latest: which entries there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import utc_text
from oesd.store import Store
from oesd.store.finding import Found, FoundEntry, Sought
from oesd.store.newest import device_names
from oesd.web.answers import JsonAnswer
from oesd.web.asking import Cursor, Moment, Name, Uuid, Whole
from oesd.web.bodies import Check
from oesd.web.calls import CSV, JSON, About, Call, Query, reading
from oesd.web.live import summary_document
from oesd.web.negotiation import preferred
from oesd.web.sheets import CSV_TYPE, sheet
from oesd.web.turns import making

MOST = 1000
_MOST_TERMS = 16
_CSV_COLUMNS = (
    "data_id", "device_name", "model", "taken_at_utc", "state", "revision", "peaks", "elements", "run_id", "sequence",
    "simulated", "labels",
)  # fmt: skip


def _label(given: str) -> str:
    if "=" not in given[1:]:
        raise ValueError('must be "name=value"')
    return given


Label = Annotated[str, Field(max_length=300, pattern=r"^[^=]+="), BeforeValidator(_label)]


class Search(Query):
    """What entries must be; all of it together."""

    device: Name = Field("", description="name of the spectrometer")
    run: Name = Field("", description="id of the run")
    element: tuple[Name, ...] = Field((), max_length=_MOST_TERMS, description="named in the latest result; repeatable")
    label: tuple[Label, ...] = Field((), max_length=_MOST_TERMS, description="name=value, of its run; repeatable")
    since: Moment | None = Field(None, description="taken at or after")
    until: Moment | None = Field(None, description="taken before")
    state: Literal["", "waiting", "processed", "failed"] = ""

    def sought(self, *, oldest_first: bool = False) -> Sought:
        """The search as the store takes it."""
        pairs = (one.partition("=") for one in self.label)
        return Sought(
            device_name=self.device,
            run_id=self.run,
            elements=self.element,
            labels={name: text for name, _, text in pairs},
            since=self.since,
            until=self.until,
            state=self.state,
            oldest_first=oldest_first,
        )


class Listing(Search):
    """A page of a search."""

    order: Literal["newest", "oldest"] = Field("newest", description="stored last, or first, comes first")
    limit: Whole = Field(100, ge=1, le=MOST)
    cursor: Cursor | None = Field(None, description="`next` of the page before")


class Newest(Query):
    """The page after an entry."""

    limit: Whole = Field(100, ge=1, le=MOST)
    before: Uuid | None = Field(None, description="the last data id of the page before")
    device_name: Name | None = None


class Nothing(Query):
    """A call that takes nothing."""


def search_route(store: Store, may_read: Check) -> Call:
    """Return GET /oes, the same for the daemon and for the hub."""

    def search(request: Request, query: Listing) -> Response:
        may_read(request)
        with making:
            found = store.find(query.sought(oldest_first=query.order == "oldest"), query.limit, query.cursor)
            if preferred(request, (JSON, CSV)) == CSV:
                return Response(_as_sheet(found.entries), media_type=CSV_TYPE, headers=_more(request, found))
            documents = [found_document(one) for one in found.entries]
            following = None if found.cursor is None else str(found.cursor)
            return JsonAnswer({"entries": documents, "next": following}, headers=_more(request, found))

    about = About(
        "entries", "Entries that fit a description, page by page", "EntryPage", media=(JSON, CSV),
        notes="Entries that come meanwhile move no page. A page may be short, or empty, and yet not the last: `next` "
        "is null after the last one; as CSV it stands in the `Link` header.",
    )  # fmt: skip
    return reading("/oes", search, Listing, about)


def entry_routes(store: Store, may_read: Check) -> list[Call]:
    """Return the routes that list the daemon's entries."""

    def list_entries(request: Request, query: Newest) -> Response:
        may_read(request)
        with making:
            entries = store.entries(query.limit, before=query.before, device_name=query.device_name)
            return JsonAnswer([summary_document(entry) for entry in entries])

    def newest(request: Request, _: Nothing) -> Response:
        may_read(request)
        return JsonAnswer({name: store.latest_entry(name) for name in device_names(store)})

    return [
        search_route(store, may_read),
        reading("/entries", list_entries, Newest, About("entries", "The newest entries, in short", "EntryList")),
        reading("/latest", newest, Nothing, About("entries", "The newest entry of each spectrometer", "Latest")),
    ]


def found_document(found: FoundEntry) -> dict[str, Any]:
    """Return an entry of a search as JSON-ready values."""
    beside = {"run_id": found.run_id, "sequence": found.sequence, "labels": dict(found.labels)}
    return {**summary_document(found.summary), **beside}


def _as_sheet(entries: Sequence[FoundEntry]) -> bytes:
    return sheet(_CSV_COLUMNS, (_row(one) for one in entries))


def _row(found: FoundEntry) -> list[Any]:
    entry = found.summary
    told: Mapping[str, Any] = {
        "taken_at_utc": utc_text(entry.taken_at_utc),
        "elements": " ".join(entry.elements),
        "run_id": found.run_id,
        "sequence": found.sequence,
        "labels": "; ".join(f"{name}={text}" for name, text in found.labels.items()),
    }
    return [told[name] if name in told else getattr(entry, name) for name in _CSV_COLUMNS]


def _more(request: Request, found: Found) -> dict[str, str]:
    headers = {"vary": "accept"}
    if found.cursor is not None:
        query = request.url.include_query_params(cursor=found.cursor).query
        headers["link"] = f'<{request.url.path}?{query}>; rel="next"'
    return headers
