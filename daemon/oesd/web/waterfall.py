"""GET /waterfall: the spectra of a time as one picture, brightness by wavelength and moment."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime

import numpy as np
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.model import FloatArray, Result, utc_text
from oesd.store import Store
from oesd.store.evenly import spread_entries
from oesd.web.asking import Moment, Name, Whole
from oesd.web.bodies import Check
from oesd.web.calls import About, Call, Query, reading
from oesd.web.pieces import PiecewiseAnswer
from oesd.web.turns import making

_KEPT = 1024  # rows of the last pictures: asked again, a picture costs its newest rows only


class WaterfallQuery(Query):
    """Of which spectrometer, when, and how fine."""

    device: Name
    since: Moment
    until: Moment
    rows: Whole = Field(240, ge=1, le=480, description="spectra at most, spread over the time")
    columns: Whole = Field(480, ge=1, le=2048, description="greatest values in so many stretches of the axis")


def waterfall_route(store: Store, may_read: Check) -> Call:
    """Return the route."""
    rows = _Rows(store)

    def read_waterfall(request: Request, query: WaterfallQuery) -> Response:
        may_read(request)
        chosen = store.read(lambda db: spread_entries(db, query.device, query.since, query.until, query.rows))
        return PiecewiseAnswer(rows.document(query.device, chosen, query.columns))

    about = About(
        "entries", "Spectra of a time as a picture", "Waterfall",
        notes="Entries without a result are left out; null where a spectrum does not reach.",
    )  # fmt: skip
    return reading("/waterfall", read_waterfall, WaterfallQuery, about)


class _Rows:
    """Spectra reduced to a row of a picture each, the last ones remembered."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int, float, float], FloatArray | None] = OrderedDict()

    def document(self, device: str, chosen: list[tuple[str, datetime]], columns: int) -> dict[str, object]:
        """All rows on the axis of the newest spectrum."""
        edges = self._edges([data_id for data_id, _ in chosen], columns)
        rows = [] if edges is None else [(*one, self._row(one[0], edges)) for one in chosen]
        there = [(data_id, taken, row) for data_id, taken, row in rows if row is not None]
        return {
            "device": device,
            "data_id": [data_id for data_id, _, _ in there],
            "taken_at_utc": [utc_text(taken) for _, taken, _ in there],
            "wavelengths_nm": [] if edges is None else np.round((edges[1:] + edges[:-1]) / 2.0, 3),
            "values": [np.round(row, 1) for _, _, row in there],
        }

    def _edges(self, data_ids: list[str], columns: int) -> FloatArray | None:
        for data_id in reversed(data_ids):
            result = self._result(data_id)
            if result is not None:
                axis = result.analysis.wavelengths_nm
                return np.linspace(axis[0], axis[-1], min(columns, axis.size) + 1)
        return None

    def _row(self, data_id: str, edges: FloatArray) -> FloatArray | None:
        key = (data_id, edges.size, float(edges[0]), float(edges[-1]))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        result = self._result(data_id)
        if result is None:
            return None  # not remembered: it may have one soon
        with making:
            row = greatest(result.analysis.wavelengths_nm, result.analysis.scope_corrected, edges)
        with self._lock:
            self._kept[key] = row
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return row

    def _result(self, data_id: str) -> Result | None:
        with making:
            shown = self._store.shown(data_id)
        return None if shown is None else shown.result


def greatest(wavelengths_nm: FloatArray, counts: FloatArray, edges: FloatArray) -> FloatArray:
    """Greatest value between each two edges, (n,) to (edges - 1,): no line is lost; NaN where there is no value."""
    column = np.clip(np.searchsorted(edges, wavelengths_nm, side="right") - 1, 0, edges.size - 2)
    inside = (wavelengths_nm >= edges[0]) & (wavelengths_nm <= edges[-1]) & np.isfinite(counts)
    row = np.full(edges.size - 1, -np.inf)
    np.maximum.at(row, column[inside], counts[inside])
    return np.where(np.isfinite(row), row, np.nan)
