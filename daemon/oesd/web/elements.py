"""GET /lines: where the lines of an element lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.store import Store
from oesd.store.inventory import known_devices
from oesd.web.answers import JsonAnswer, Refusal
from oesd.web.asking import Name, Whole
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, Query, reading

Lines = Callable[[str], Sequence[Mapping[str, Any]] | None]


class LinesQuery(Query):
    """Of which element, and where."""

    element: Annotated[str, Field(min_length=1, max_length=20, description="symbol: Ga")]
    device: Name = Field("", description="only lines on the axis of this spectrometer")
    limit: Whole = Field(200, ge=1, le=2000)


def lines_route(store: Store, lines: Lines, may_read: Check) -> Call:
    """Return the route; ``lines(symbol)`` gives an element's lines, the strongest first, None for an unknown one."""

    def read_lines(request: Request, query: LinesQuery) -> Response:
        may_read(request)
        found = lines(query.element)
        if found is None:
            raise Refusal(404, f"no lines of {query.element!r:.40} are known")
        low_nm, high_nm = _axis(store, query.device)
        there = [line for line in found if low_nm <= line["wavelength_nm"] <= high_nm][: query.limit]
        return JsonAnswer({"element": query.element, "lines": there})

    about = About("entries", "Where the lines of an element lie, the strongest first", "LineList", refusals=(404,))
    return reading("/lines", read_lines, LinesQuery, about)


def _axis(store: Store, device: str) -> tuple[float, float]:
    if not device:
        return 0.0, float("inf")
    known = next((one for one in store.read(known_devices) if one.name == device), None)
    if known is None:
        raise Refusal(404, f"no spectrometer called {device!r:.80} ever measured here")
    return known.axis_nm
