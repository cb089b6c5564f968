"""The engine's face: one spectrum in, its correction, peaks and elements out.

::

    Measurement -> correct -> baseline, noise, line width -> peaks -> axis -> scene -> elements -> names -> Analysis
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from oesd.engine import ENGINE_VERSION, checks, report
from oesd.engine.bandshapes import seen_bands
from oesd.engine.calibration import REACH_NM, correction
from oesd.engine.explain import explained
from oesd.engine.identify import identify, line_width_nm
from oesd.engine.lines import line_table
from oesd.engine.measure import measure
from oesd.engine.molecules import molecule_findings, proven
from oesd.engine.naming import contested_peaks, name_peaks, with_bands
from oesd.engine.notes import axis_notes, band_notes, ghost_notes, width_notes
from oesd.engine.priors import Prior
from oesd.model import Analysis, Means, Measurement, Recipe

MIN_PIXELS = 10


def analyze(
    wavelengths_nm: ArrayLike,
    sample: ArrayLike,
    dark: ArrayLike | None = None,
    reference: ArrayLike | None = None,
    *,
    integration_us: int | None = None,
    saturation_counts: float | None = None,
    nonlinearity: Sequence[float] | None = None,
    scans_averaged: int = 1,
    fwhm_nm: float | None = None,
    constraint: str = "auto",
    elements: Iterable[str] = (),
    ambient: Iterable[str] = (),
    expected: Iterable[str] = (),
    search_nm: float | None = None,
    explain: bool = False,
) -> Analysis:
    """Find the peaks of one emission spectrum and the elements that make them.

    Parameters
    ----------
    wavelengths_nm : (pixels,) array_like
        The device's axis, nm in air, strictly increasing.
    sample, dark, reference : (pixels,) array_like
        Mean raw counts of one scan; dark and reference with the sample's integration time.
    integration_us : int, optional
    saturation_counts : float, optional
        Raw count at which a pixel is full.
    nonlinearity : sequence of float, optional
        c0, c1, ... with corrected = (raw - dark) / polynomial(raw - dark).
    scans_averaged : int
    fwhm_nm : float, optional
        Hint of the line width; learned from the spectrum otherwise.
    constraint : {"auto", "include", "exclude"}
        All elements, only ``elements``, or all but these.
    elements : iterable of str
    ambient : iterable of str
        Gases that include lets in besides.
    expected : iterable of str
        What the process makes likely; evidence decides all the same.
    search_nm : float, optional
        How far off the axis may be; 0.65 nm otherwise.
    explain : bool
        Say why each element is claimed, and which nearly were (:attr:`Analysis.evidence`).

    Returns
    -------
    Analysis

    Raises
    ------
    SpectrumError
        The arrays are no spectrum or an element is unknown; one line says what is wrong.
    """
    measurement = checks.arrays(
        wavelengths_nm, sample, dark, reference, integration_us, saturation_counts, nonlinearity, scans_averaged
    )
    chosen = checks.symbols(elements)
    recipe = Recipe(
        constraint=checks.constraint(constraint, chosen),
        elements=chosen,
        fwhm_nm=fwhm_nm,
        ambient=checks.symbols(ambient),
        expected=checks.symbols(expected),
        search_nm=search_nm,
    )
    return analyze_measurement(measurement, recipe, explain=explain)


def analyze_measurement(measurement: Measurement, recipe: Recipe, *, explain: bool = False) -> Analysis:
    """Analyse a measurement as the recipe says; the daemon's entrance. See :func:`analyze`."""
    given, recipe = checks.measurement(measurement), checks.recipe(recipe)
    checks.emission(given)
    reach_nm, prior = recipe.search_nm or REACH_NM, Prior.of(recipe)
    device_nm, unit = given.wavelengths_nm, report.Unit.of(_highest(given))
    light = measure(_scaled(given, 1.0 / unit.factor), recipe)
    if len(device_nm) < MIN_PIXELS:
        light = light.chosen(np.zeros(len(light.peaks), dtype=np.bool_))
    fwhm_nm = line_width_nm(device_nm, light)
    bands = seen_bands(device_nm, light.corrected.net, light.peaks, fwhm_nm)
    of_lines = np.ones(len(light.peaks), dtype=np.bool_)
    for band in bands:
        of_lines[band.peaks] = False
    lines = light.chosen(of_lines)
    found = identify(device_nm, lines, fwhm_nm, prior, reach_nm, explain)
    scene, inference = found.scene, found.inference
    inference = proven(inference, bands, fwhm_nm)
    namings = with_bands(name_peaks(scene, inference, prior), of_lines, bands)
    at_nm = lines.center_nm.round(4)
    return Analysis(
        wavelengths_nm=device_nm,
        sample=given.sample,
        scope_corrected=report.shown(light.corrected.scope_corrected, unit),
        elements=report.element_findings(inference),
        detected_peaks=report.peaks(light, namings, unit),
        recipe=recipe,
        line_table_version=line_table().version,
        engine_version=ENGINE_VERSION,
        reference=given.reference,
        dark=given.dark,
        baseline=report.shown(light.floor, unit),
        noise=report.shown(light.sigma, unit),
        warnings=(
            *light.corrected.warnings,
            *width_notes(light, recipe),
            *axis_notes(found.axis, found.unsafe, inference),
            *band_notes(bands, inference),
            *ghost_notes(found.ghosts, at_nm),
        ),
        molecules=molecule_findings(inference, bands),
        axis=correction(found.axis, found.unsafe),
        line_spread=light.line_spread,
        ambiguous=report.ambiguities(inference, contested_peaks(scene, inference), at_nm),
        evidence=explained(scene, inference, at_nm, unit.factor) if explain else (),
        means=Means.of(measurement),
    )


def _highest(measurement: Measurement) -> float:
    """Farthest value from zero of all that light and darks show."""
    given = (measurement.sample, measurement.dark, measurement.short, measurement.short_dark)
    return max(float(np.abs(a).max()) for a in given if a is not None)


def _scaled(measurement: Measurement, factor: float) -> Measurement:
    if factor == 1.0:
        return measurement
    return replace(
        measurement,
        sample=measurement.sample * factor,
        dark=None if measurement.dark is None else measurement.dark * factor,
        reference=None if measurement.reference is None else measurement.reference * factor,
        short=None if measurement.short is None else measurement.short * factor,
        short_dark=None if measurement.short_dark is None else measurement.short_dark * factor,
        saturation_counts=None if measurement.saturation_counts is None else measurement.saturation_counts * factor,
        spread=None if measurement.spread is None else measurement.spread * factor,
        dark_variance=None if measurement.dark_variance is None else measurement.dark_variance * factor * factor,
        nonlinearity=(),
    )
