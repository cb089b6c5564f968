"""One entry analysed: by today's recipe, with what earlier spectra of its device told of the width of lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.model import Measurement, Recipe, Result, SpectrumFile
from oesd.processing.file_jobs import recipe_of_file
from oesd.processing.made import Made, Measure, no_readings
from oesd.processing.reprocessing import recipe_again
from oesd.processing.widths import Widths
from oesd.store import Store, UnknownEntry
from oesd.store.standing import Wanted


class Analysing:
    """Makes results of entries.

    Parameters
    ----------
    metadata : callable
        The ``spectral_metadata`` of an entry.
    made : callable
        Told of each result once it is stored.
    readings : callable
        Measures the named traces of a spectrum: device, measurement, analysis; stored with the result.
    """

    def __init__(
        self,
        store: Store,
        metadata: Callable[[str], Mapping[str, Any]],
        made: Callable[[Made], None] = lambda _: None,
        readings: Measure = no_readings,
    ) -> None:
        self._store = store
        self._metadata = metadata
        self._made = made
        self._readings = readings
        self._widths = Widths(store)

    def result(self, data_id: str, today: Recipe) -> Result | None:
        """Analyse an entry and store the next revision; None when the engine refuses the spectrum.

        Raises
        ------
        StoreError
            When the entry is unknown or the result cannot be stored.
        """
        measurement = self._store.measurement(data_id)
        standings = self._store.standings(Wanted((data_id,)))
        if measurement is None or not standings:
            raise UnknownEntry(data_id)
        device_name, before = standings[0].device_name, standings[0].recipe
        file = self._store.spectrum_file(data_id) if before is None else None
        recipe = recipe_again(today, before) if before else self._first_recipe(device_name, measurement, file, today)
        try:
            analysis = analyze_measurement(measurement, recipe)
        except SpectrumError as error:
            self._store.fail_result(data_id, str(error)).result()
            return None
        readings = self._readings(device_name, measurement, analysis)
        result = self._store.save_result(data_id, analysis, self._metadata(data_id), readings).result()
        if before is None and file is None:
            self._widths.learn(device_name, analysis.line_spread)
        self._made(Made(device_name, result, analysis, first=before is None))
        return result

    def _first_recipe(
        self, device_name: str, measurement: Measurement, file: SpectrumFile | None, today: Recipe
    ) -> Recipe:
        """A file tells what was known where it comes from; the memory is of our own spectrometers."""
        if file is not None:
            return recipe_of_file(today, file.metadata)
        return self._widths.recipe(device_name, measurement.wavelengths_nm, today)
