"""GET /lines: where the lines of an element lie, or the bands of a molecule."""

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
Bands = Callable[[str, float], Sequence[Mapping[str, Any]] | None]


class LinesQuery(Query):
    """Of which element or molecule, and where."""

    element: Annotated[str, Field(min_length=1, max_length=20, description="symbol: Ga, N2")]
    device: Name = Field("", description="only lines on the axis of this spectrometer")
    limit: Whole = Field(200, ge=1, le=2000)
    fwhm_nm: float = Field(1.0, ge=0.05, le=20.0, allow_inf_nan=False, description="width of a line, for bands")


def lines_route(store: Store, lines: Lines, may_read: Check, bands: Bands = lambda _symbol, _fwhm_nm: None) -> Call:
    """Return the route.

    Parameters
    ----------
    lines : callable
        ``lines(symbol)`` gives an element's lines, the strongest first, None for an unknown one.
    bands : callable
        ``bands(symbol, fwhm_nm)`` gives a molecule's band systems, None for an unknown one.
    """

    def read_lines(request: Request, query: LinesQuery) -> Response:
        may_read(request)
        found, systems = lines(query.element), bands(query.element, query.fwhm_nm)
        if found is None and systems is None:
            raise Refusal(404, f"no lines of {query.element!r:.40} are known")
        low_nm, high_nm = _axis(store, query.device)
        there = [line for line in found or () if low_nm <= line["wavelength_nm"] <= high_nm][: query.limit]
        seen = [
            one for one in systems or () if one["wavelengths_nm"][-1] >= low_nm and one["wavelengths_nm"][0] <= high_nm
        ]
        return JsonAnswer({"element": query.element, "lines": there, "bands": seen})

    about = About(
        "entries", "Where the lines of an element lie, or the bands of a molecule", "LineList", refusals=(404,),
        notes="Lines come the strongest first. Bands come as a spectrometer with lines of `fwhm_nm` shows them.",
    )  # fmt: skip
    return reading("/lines", read_lines, LinesQuery, about)


def _axis(store: Store, device: str) -> tuple[float, float]:
    if not device:
        return 0.0, float("inf")
    known = next((one for one in store.read(known_devices) if one.name == device), None)
    if known is None:
        raise Refusal(404, f"no spectrometer called {device!r:.80} ever measured here")
    return known.axis_nm
