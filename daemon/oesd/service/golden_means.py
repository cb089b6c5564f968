"""What a drift alarm with ``reference = "golden"`` compares with: means of traces in the golden runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence

from oesd.processing.readings import Readings
from oesd.service.run_spectra import spectra_of
from oesd.store import Store, StoreDamaged
from oesd.store.named_reading import NamedReading
from oesd.store.named_traces import NamedSeries
from oesd.store.newest import device_names
from oesd.store.runs import load_run
from oesd.watching.grammar import Formula
from oesd.watching.reading import State

log = logging.getLogger(__name__)

MOST_MADE = 100
"""Spectra of a run, evenly chosen, that are measured for a trace that nobody had asked for when they were taken."""


class GoldenMeans:
    """Means of traces in runs of a store.

    Parameters
    ----------
    numbers : mapping
        Trace to its number in the store.
    formulas : mapping
        Trace to what it measures.
    """

    def __init__(
        self,
        store: Store,
        named: NamedReading,
        readings: Readings,
        numbers: Mapping[str, int],
        formulas: Mapping[str, Formula],
    ) -> None:
        self._store, self._named, self._readings = store, named, readings
        self._numbers, self._formulas = numbers, formulas

    def of(
        self, traces: Iterable[str], chosen: Mapping[str, str], configured: Sequence[str]
    ) -> dict[tuple[str, str], float]:
        """Means by trace and spectrometer, of the first golden run that has values.

        Parameters
        ----------
        chosen : mapping
            Spectrometer to the run that a person chose: goes before those that are configured.
        """
        found: dict[tuple[str, str], float] = {}
        for device in device_names(self._store) if (wanted := sorted(set(traces))) else ():
            runs = [*([chosen[device]] if device in chosen else []), *configured]
            for trace in wanted:
                means = (self._mean(trace, run_id, device) for run_id in runs)
                mean = next((one for one in means if one is not None), None)
                if mean is not None:
                    found[trace, device] = mean
        return found

    def _mean(self, trace: str, run_id: str, device: str) -> float | None:
        run_no = self._named.run_number(run_id, device)
        if not run_no:
            return None
        try:
            pieces = self._named.pieces_of_run(self._numbers[trace], device, run_no)
            sums = [_sum_of(piece) for piece in pieces] or [self._made(trace, run_id, device)]
        except StoreDamaged as error:
            log.warning("%s of %s has no golden mean: run %s cannot be read: %s", trace, device, run_id, error)
            return None
        count = sum(many for _, many in sums)
        return math.fsum(total for total, _ in sums) / count if count else None

    def _made(self, trace: str, run_id: str, device: str) -> tuple[float, int]:
        run = self._store.read(lambda db: load_run(db, run_id, device))
        spectra = () if run is None else spectra_of(self._store, run, MOST_MADE)
        formula = self._formulas[trace]
        made = [self._readings.reading(formula, one.measurement, one.result.analysis) for one in spectra]
        values = [one.value for one in made if one.state <= State.NOT_DETECTED]
        return math.fsum(values), len(values)


def _sum_of(piece: NamedSeries) -> tuple[float, int]:
    usable = piece.value[piece.state <= State.NOT_DETECTED]
    return float(usable.sum()), len(usable)
