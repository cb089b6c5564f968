"""GET /trace: one line of a spectrometer over time."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.store import Store
from oesd.web.asking import Moment, Name
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, Query, reading
from oesd.web.pieces import PiecewiseAnswer
from oesd.web.turns import making


class TraceQuery(Query):
    """Which line, of which spectrometer, when."""

    device_name: Name = ""
    nm: float = Field(gt=0, lt=1e5, allow_inf_nan=False, description="wavelength in air, nm")
    near_nm: float = Field(0.3, gt=0, lt=1e5, allow_inf_nan=False, description="how far off its peak may be, nm")
    since: Moment | None = None
    until: Moment | None = None


def trace_route(store: Store, may_read: Check) -> Call:
    """Return the route."""

    def read_trace(request: Request, query: TraceQuery) -> Response:
        may_read(request)
        with making:
            found = store.trace(query.device_name, query.nm, query.near_nm, since=query.since, until=query.until)
        columns = {name: getattr(found, name) for name in ("taken_at_us", "wavelength_nm", "intensity", "area")}
        return PiecewiseAnswer({"device_name": query.device_name, "nm": query.nm, **columns})

    return reading("/trace", read_trace, TraceQuery, About("traces", "One line of a spectrometer over time", "Trace"))
