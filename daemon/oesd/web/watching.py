"""Traces, alarms, endpoint rules and runs compared, by HTTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.watching.errors import WatchError
from oesd.web.answers import JsonAnswer, Refusal, unprocessable
from oesd.web.asking import Moment, Name, Whole
from oesd.web.bodies import Check
from oesd.web.calls import CSV, JSON, About, Body, Call, Query, changing, reading
from oesd.web.negotiation import preferred
from oesd.web.pieces import PIECE, PiecewiseAnswer
from oesd.web.sheets import CSV_TYPE, sheet
from oesd.web.thinning import envelope
from oesd.web.turns import making

Columns = dict[str, list[Any]]
_LONGEST = 500


class WatchDesk(Protocol):
    """Who knows all that is watched; answers are JSON-ready. A WatchError is a sentence for who asked."""

    def listen(self, told: Callable[[Mapping[str, Any]], None]) -> None:
        """Have each change of an alarm or an endpoint told."""
        ...

    def traces(self) -> Sequence[Mapping[str, Any]]:
        """Every named trace on every spectrometer."""
        ...

    def series(
        self, name: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[Mapping[str, Any], Columns] | None:
        """A trace, and its columns with ``taken_at_us``; None when it is not known."""
        ...

    def peaks(
        self, nm: float, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[Mapping[str, Any], Columns]:
        """The peak nearest to a wavelength."""
        ...

    def formula(
        self, text: str, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[Mapping[str, Any], Columns]:
        """Any formula, measured in stored spectra; takes its turns itself."""
        ...

    def alarms(self) -> Mapping[str, Any]:
        """Alarms, endpoints and actions."""
        ...

    def events(self, since: datetime | None, until: datetime | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """What became of them."""
        ...

    def acknowledge(self, name: str, device: str, by: str) -> Sequence[str] | None:
        """Note that a person has seen an alarm."""
        ...

    def back_test(
        self, rule: str | Mapping[str, Any], device: str, runs: Sequence[str], last: int
    ) -> Mapping[str, Any]:
        """Play a rule on stored runs."""
        ...

    def compare(self, run: str, golden: str, device: str, by: str) -> Mapping[str, Any]:
        """Compare two runs, laid over each other by a trace or a formula."""
        ...


class TracesQuery(Query):
    """Which trace: by its name, as a line, or by wavelength; all of them, without values, when none is named."""

    name: Name = Field("", description="a named trace, or a line: Ar_750.4")
    line: Name = Field("", description="the same as name")
    nm: float | None = Field(None, gt=0, lt=1e5, allow_inf_nan=False, description="the peak nearest to this, nm")
    formula: str = Field("", max_length=_LONGEST, description="measured in stored spectra: F_703.7 / Ar_750.4")
    device: Name = Field("", description="the spectrometer; may be left out when there is one")
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    points: Whole = Field(0, ge=0, le=1_000_000, description="at most so many, by the least and greatest; 0: all")


class EventsQuery(Query):
    """When, and how many."""

    since: Moment | None = None
    until: Moment | None = None
    limit: Whole = Field(100, ge=1, le=1000)


class CompareQuery(Query):
    """Which runs."""

    run: Annotated[str, Field(min_length=1, max_length=100, description='an id, its beginning, or "latest"')]
    golden: Name = Field("", description="that of the configuration when left out")
    device: Name = ""
    by: str = Field(
        "", max_length=_LONGEST, description="trace or formula by which they are laid over each other; all light else"
    )


class Acknowledgement(Body):
    """Who has seen an alarm, of which spectrometer; of all when none is named."""

    device: Annotated[str, Field(max_length=200)] = ""
    by: Annotated[str, Field(max_length=100)] = ""


class BackTestOrder(Body):
    """A rule of the configuration by its name, or the keys of an [[endpoint]]; and the runs."""

    rule: Annotated[str, Field(max_length=100)] | dict[str, Any]
    device: Annotated[str, Field(max_length=200)] = ""
    run_id: Annotated[str, Field(max_length=100)] = ""
    runs: list[Annotated[str, Field(max_length=100)]] = Field(default_factory=list, max_length=100)
    last: Annotated[int, Field(ge=1, le=100)] = 10


def watching_routes(desk: WatchDesk, may_read: Check, may_change: Check) -> list[Call]:
    """Return GET /traces, /alarms, /alarms/events, /compare and POST /alarms/{name}/acknowledge, /backtest."""
    return [
        *_trace_calls(desk, may_read),
        *_alarm_calls(desk, may_read, may_change),
        *_run_calls(desk, may_read, may_change),
    ]


def _trace_calls(desk: WatchDesk, may_read: Check) -> list[Call]:
    def read_traces(request: Request, query: TracesQuery) -> Response:
        may_read(request)
        name = query.name or query.line
        if not (name or query.formula) and query.nm is None:
            return JsonAnswer({"traces": list(desk.traces())})
        try:
            with nullcontext() if query.formula else making:
                if query.formula:
                    found: Any = desk.formula(query.formula, query.device, query.since, query.until)
                elif query.nm is not None:
                    found = desk.peaks(query.nm, query.device, query.since, query.until)
                else:
                    found = desk.series(name, query.device, query.since, query.until)
        except WatchError as refusal:
            raise unprocessable(("query", "formula" if query.formula else "name"), str(refusal)) from None
        if found is None:
            raise Refusal(404, f"there is no trace {name!r:.80}; GET /traces lists them")
        about, columns = found
        if preferred(request, (JSON, CSV)) == CSV:
            names = ("taken_at_utc", "value", "sigma", "upper", "state")
            with making:
                shown = _thinned(columns, query.points)
                table = sheet(names, zip(*(shown[one] for one in names), strict=True))
            return Response(table, media_type=CSV_TYPE, headers={"vary": "accept"})
        with making:
            shown = _thinned(columns, query.points)
        return PiecewiseAnswer({**about, **shown}, headers={"vary": "accept"})

    about = About(
        "traces", "Named traces; with a name the values of one", "Traces", media=(JSON, CSV), refusals=(404,),
        notes="Any line of the table may be asked for as well: from the peaks that were found, without an error; and "
        "any formula, measured in at most 240 spectra of the time, evenly spread. One that cannot be measured with "
        "the spectrometer is refused with the reason.",
    )  # fmt: skip
    return [reading("/traces", read_traces, TracesQuery, about)]


def _thinned(columns: Columns, points: int) -> dict[str, list[Any]]:
    """Columns with fewer rows, the least and the greatest of each stretch among them, and times as texts."""
    values = np.array([np.nan if value is None else value for value in columns["value"]], dtype=np.float64)
    kept = envelope(values, points).tolist()
    times = [columns["taken_at_us"][k] for k in kept]
    return {
        "taken_at_utc": [
            text for start in range(0, len(times), PIECE) for text in _texts(times[start : start + PIECE])
        ],
        **{name: [column[k] for k in kept] for name, column in columns.items() if name != "taken_at_us"},
    }


def _texts(at_us: list[int]) -> list[str]:
    times = np.array(at_us, dtype="datetime64[us]")
    return [f"{text}Z" for text in np.datetime_as_string(times, unit="ms").tolist()]


def _alarm_calls(desk: WatchDesk, may_read: Check, may_change: Check) -> list[Call]:
    def read_alarms(request: Request, _: Query) -> Response:
        may_read(request)
        return JsonAnswer(dict(desk.alarms()))

    def read_events(request: Request, query: EventsQuery) -> Response:
        may_read(request)
        return JsonAnswer({"events": list(desk.events(query.since, query.until, query.limit))})

    def acknowledge(request: Request, body: Acknowledgement) -> Response:
        name = str(request.path_params["name"])
        seen = desk.acknowledge(name, body.device, body.by)
        if seen is None:
            raise Refusal(404, f"there is no alarm {name!r:.80}; GET /alarms lists them")
        if not seen:
            raise Refusal(409, f"alarm {name!r:.80} waits for nobody")
        return JsonAnswer({"acknowledged": list(seen)})

    return [
        reading("/alarms", read_alarms, Query, About("alarms", "Alarms, endpoint rules, and who is told", "Alarms")),
        reading("/alarms/events", read_events, EventsQuery, About("alarms", "What became of them", "WatchEvents")),
        changing(
            "POST", "/alarms/{name}/acknowledge", acknowledge, Acknowledgement, may_change,
            About("alarms", "Say that an alarm was seen", "Acknowledged", refusals=(404, 409)), optional=True,
        ),
    ]  # fmt: skip


def _run_calls(desk: WatchDesk, may_read: Check, may_change: Check) -> list[Call]:
    def back_test(_: Request, body: BackTestOrder) -> Response:
        runs = [body.run_id] if body.run_id else list(body.runs)
        try:
            return JsonAnswer(dict(desk.back_test(body.rule, body.device, runs, body.last)))
        except WatchError as refusal:
            raise unprocessable(("body", "rule"), str(refusal)) from None

    def compare(request: Request, query: CompareQuery) -> Response:
        may_read(request)
        try:
            return JsonAnswer(dict(desk.compare(query.run, query.golden, query.device, query.by)))
        except WatchError as refusal:
            raise unprocessable(("query", "run"), str(refusal)) from None

    tried = About("alarms", "Play an endpoint rule on stored runs", "BackTest", notes="Changes nothing.")
    compared = About("runs", "A run against a golden run, species by species", "RunComparison")
    return [
        changing("POST", "/backtest", back_test, BackTestOrder, may_change, tried),
        reading("/compare", compare, CompareQuery, compared),
    ]
