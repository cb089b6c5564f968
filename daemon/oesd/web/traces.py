"""GET /trace: one line of a spectrometer over time."""

from __future__ import annotations

import math

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from oesd.store import Store
from oesd.web.answers import JsonAnswer, unprocessable
from oesd.web.bodies import moment

_NEAR_NM = 0.3


def trace_route(store: Store) -> Route:
    """Return the route: ``?device_name=&nm=`` and, where wanted, ``near_nm``, ``since``, ``until``."""

    def read_trace(request: Request) -> Response:
        device = request.query_params.get("device_name", "")
        nm, near_nm = _positive(request, "nm", None), _positive(request, "near_nm", _NEAR_NM)
        found = store.trace(device, nm, near_nm, since=moment(request, "since"), until=moment(request, "until"))
        columns = {name: getattr(found, name).tolist() for name in ("wavelength_nm", "intensity", "area")}
        lists = {name: [None if math.isnan(value) else value for value in values] for name, values in columns.items()}
        return JsonAnswer({"device_name": device, "nm": nm, "taken_at_us": found.taken_at_us.tolist(), **lists})

    return Route("/trace", read_trace, methods=["GET"])


def _positive(request: Request, name: str, default: float | None) -> float:
    text = request.query_params.get(name)
    try:
        value = float(text) if text is not None else default
    except ValueError:
        value = None
    if value is None or not 0 < value < 1e5:
        raise unprocessable(("query", name), "must be a number of nm")
    return value
