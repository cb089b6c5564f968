"""Named traces of a spectrum: measured once it is analysed, to be stored with its result."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from oesd.model import Analysis, LineSpread, Measurement, Recipe
from oesd.store.named_traces import pack_readings
from oesd.watching.catalogue import Catalogue
from oesd.watching.grammar import Formula
from oesd.watching.light import Light
from oesd.watching.measuring import measured
from oesd.watching.plan import Instrument, Plan, plan
from oesd.watching.reading import Reading

_HEADS_AT_NM = 1.0  # the line width for which the heads of bands are listed: a spectrometer of these families


@cache
def catalogue() -> Catalogue:
    """Every line and band head that the engine knows; read when the first is looked up."""
    from oesd.engine.bands import SYSTEMS, band_peaks, width_number
    from oesd.engine.lines import line_table

    lines = line_table()
    nm, system, heights = band_peaks(width_number(_HEADS_AT_NM))
    order = np.argsort(nm, kind="stable")
    return Catalogue(
        elements=lines.elements,
        line_nm=lines.wl_air_nm,
        element=lines.element,
        strength=lines.prom,
        stage=lines.stage,
        systems=SYSTEMS,
        head_nm=nm[order],
        system=system[order],
        brightness=heights.max(axis=0)[order],
    )


def light_of(measurement: Measurement, analysis: Analysis) -> Light:
    """The spectrum as traces are measured in it, from what is stored of it: the same at any time."""
    from oesd.engine.correction import correct

    corrected = correct(measurement)
    return Light(
        wavelengths_nm=measurement.wavelengths_nm,
        net=corrected.net,
        # a boxcar makes neighbours alike: what a fit can average over is less than its pixels
        variance=corrected.variance * (2 * corrected.boxcar_px + 1),
        saturated=corrected.saturated | corrected.spilled,
        seconds=(measurement.integration_us or 0) / 1e6,
        peaks_nm=np.array([peak.wavelength_nm for peak in analysis.detected_peaks]),
        axis=analysis.axis,
        spread=_spread(analysis.recipe, measurement),
        own_spread=analysis.line_spread,
    )


def _spread(recipe: Recipe, measurement: Measurement) -> LineSpread | None:
    """Width of a line as a person gave it, else as earlier spectra told."""
    if recipe.fwhm_nm is None:
        return recipe.line_spread
    middle = float(measurement.wavelengths_nm[len(measurement.wavelengths_nm) // 2])
    return LineSpread((middle,), (recipe.fwhm_nm,), (0.05 * recipe.fwhm_nm,))


@dataclass(frozen=True, slots=True)
class Named:
    """A trace as it is measured: its formula, and its number in the store."""

    name: str
    formula: Formula
    trace_no: int


class Readings:
    """Measures the named traces of spectra.

    Parameters
    ----------
    traces : sequence of Named
    """

    def __init__(self, traces: tuple[Named, ...]) -> None:
        self._traces = traces
        self._plans: dict[str, tuple[Instrument, dict[str, Plan]]] = {}
        self._tried: tuple[Formula, Instrument, Plan] | None = None
        self._lock = threading.Lock()

    def of(self, device_name: str, measurement: Measurement, analysis: Analysis) -> bytes:
        """Measure one spectrum; as the store takes it. Nothing of a file that does not tell its integration time."""
        if not measurement.integration_us or not self._traces:
            return b""
        light = light_of(measurement, analysis)
        plans = self._planned(device_name, light, analysis.recipe)
        told = [(trace.trace_no, measured(light, plans[trace.name])) for trace in self._traces]
        return pack_readings((number, one.value, one.sigma, int(one.state)) for number, one in told)

    def reading(self, formula: Formula, measurement: Measurement, analysis: Analysis) -> Reading:
        """Measure any formula in one spectrum, as it would have been stored."""
        light = light_of(measurement, analysis)
        return measured(light, self._plan_of(formula, _instrument(light, analysis.recipe))).as_stored()

    def refusal(self, formula: Formula, measurement: Measurement, analysis: Analysis) -> str:
        """Why a formula cannot be measured with the spectrometer of a spectrum, in a line; "" when it can."""
        light = light_of(measurement, analysis)
        return self._plan_of(formula, _instrument(light, analysis.recipe)).refused

    def _plan_of(self, formula: Formula, instrument: Instrument) -> Plan:
        """The plan of any formula; who asks for one asks for the same in the next spectrum."""
        known = self._tried
        if known is not None and known[0] == formula and _same(known[1], instrument):
            return known[2]
        made = plan(formula, catalogue(), instrument)
        self._tried = (formula, instrument, made)
        return made

    def plans(self, device_name: str) -> Mapping[str, Plan]:
        """What is measured for each trace on a spectrometer; empty before its first spectrum."""
        with self._lock:
            known = self._plans.get(device_name)
        return known[1] if known else {}

    def _planned(self, device_name: str, light: Light, recipe: Recipe) -> Mapping[str, Plan]:
        instrument = _instrument(light, recipe)
        with self._lock:
            known = self._plans.get(device_name)
        if known is not None and _same(known[0], instrument):
            return known[1]
        plans = {trace.name: plan(trace.formula, catalogue(), instrument) for trace in self._traces}
        with self._lock:
            self._plans[device_name] = (instrument, plans)
        return plans


def _instrument(light: Light, recipe: Recipe) -> Instrument:
    expected = tuple(dict.fromkeys((*recipe.elements, *recipe.ambient, *recipe.expected)))
    return Instrument(light.wavelengths_nm, light.spread or light.own_spread, expected)


def _same(one: Instrument, other: Instrument) -> bool:
    axes = one.wavelengths_nm is other.wavelengths_nm or np.array_equal(one.wavelengths_nm, other.wavelengths_nm)
    return axes and one.spread == other.spread and one.expected == other.expected
