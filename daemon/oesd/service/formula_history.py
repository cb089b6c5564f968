"""A formula that somebody has just thought of, over stored spectra: measured in a few of them, evenly spread."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

from oesd.model import Analysis, Measurement
from oesd.processing.readings import Readings
from oesd.service.run_spectra import Turn
from oesd.service.watch_documents import number
from oesd.store import Store, StoreDamaged
from oesd.store.evenly import spread_entries
from oesd.store.moments import to_us
from oesd.watching.errors import WatchError
from oesd.watching.grammar import Formula, text_of
from oesd.watching.plan import unit_of
from oesd.watching.reading import Reading

MOST = 240
_KEPT = 4096
_DAY, _AHEAD = timedelta(days=1), timedelta(seconds=1)
_NO_TURN: Turn = nullcontext()


class FormulaHistory:
    """Measures formulas in stored spectra, and remembers what it measured: asked again, only the newest cost anything.

    Parameters
    ----------
    turn : context manager
        Held while a spectrum is read and measured.
    """

    def __init__(self, store: Store, turn: Turn = _NO_TURN) -> None:
        self._store, self._turn = store, turn
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, int], Reading] = OrderedDict()

    def series(
        self, formula: Formula, readings: Readings, device: str, since: datetime | None, until: datetime | None
    ) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """What it is, and its columns over [since, until), as of a named trace; of the last day when that is not told.

        Raises
        ------
        WatchError
            When it cannot be measured on the spectrometer: the newest spectrum tells why.
        """
        end = until or datetime.now(UTC) + _AHEAD
        begin = since or end - _DAY
        chosen = self._store.read(lambda db: spread_entries(db, device, begin, end, MOST))
        self._refuse(formula, readings, [data_id for data_id, _ in chosen])
        found = [(taken, self._reading(formula, readings, data_id)) for data_id, taken in chosen]
        there = [(taken, one) for taken, one in found if one is not None]
        about = {"unit": unit_of(formula), "definition": text_of(formula), "refused": "", "runs": []}
        return about, {
            "taken_at_us": [to_us(taken) for taken, _ in there],
            "value": [number(one.value) for _, one in there],
            "sigma": [number(one.sigma) for _, one in there],
            "upper": [number(one.upper) for _, one in there],
            "state": [one.state.word for _, one in there],
            "run": [None] * len(there),
        }

    def _refuse(self, formula: Formula, readings: Readings, data_ids: list[str]) -> None:
        for data_id in reversed(data_ids):
            with self._turn:
                light = self._light(data_id)
                why = None if light is None else readings.refusal(formula, *light)
            if why:
                raise WatchError(why)
            if why is not None:
                return

    def _reading(self, formula: Formula, readings: Readings, data_id: str) -> Reading | None:
        revision = self._store.mark(data_id)
        key = (text_of(formula), data_id, int((revision or "0").partition(".")[0]))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._turn:
            light = self._light(data_id)
            reading = None if light is None else readings.reading(formula, *light)
        if reading is not None:
            with self._lock:
                self._kept[key] = reading
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
        return reading

    def _light(self, data_id: str) -> tuple[Measurement, Analysis] | None:
        """Measurement and analysis of an entry that has both, and tells its integration time."""
        try:
            measurement, result = self._store.measurement(data_id), self._store.result(data_id)
        except StoreDamaged:
            return None
        if measurement is None or result is None or not measurement.integration_us:
            return None
        return measurement, result.analysis
