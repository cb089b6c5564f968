"""What a drift alarm with ``reference = "golden"`` compares with: means of traces in the golden runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from oesd.processing.readings import Readings
from oesd.service.run_spectra import spectra_of
from oesd.store import Store
from oesd.store.named_reading import NamedReading
from oesd.store.newest import device_names
from oesd.store.runs import load_run
from oesd.watching.grammar import Formula
from oesd.watching.reading import State

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
        series = self._named.of_run(self._numbers[trace], device, run_no)
        usable = series.value[series.state <= State.NOT_DETECTED]
        values = usable if len(series) else np.array(self._made(trace, run_id, device))
        return float(values.mean()) if len(values) else None

    def _made(self, trace: str, run_id: str, device: str) -> list[float]:
        run = self._store.read(lambda db: load_run(db, run_id, device))
        spectra = () if run is None else spectra_of(self._store, run, MOST_MADE)
        formula = self._formulas[trace]
        made = [self._readings.reading(formula, one.measurement, one.result.analysis) for one in spectra]
        return [one.value for one in made if one.state <= State.NOT_DETECTED]
