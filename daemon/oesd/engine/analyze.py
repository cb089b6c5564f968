"""The engine's face: one spectrum in, its correction, peaks and elements out.

::

    Measurement -> correct -> baseline, noise, line width -> peaks -> axis -> scene -> elements -> names -> Analysis
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from oesd.engine import ENGINE_VERSION, checks
from oesd.engine.assignment import Inference, expected_centers, infer
from oesd.engine.bandshapes import WIDEST_NM, SeenBand, seen_bands
from oesd.engine.baseline import baseline, windows_of
from oesd.engine.calibration import REACH_NM, Axis, coarse_axis, refined_axis
from oesd.engine.candidates import Naming, name_peaks, with_bands
from oesd.engine.correction import Corrected, correct
from oesd.engine.lines import line_table
from oesd.engine.linespread import DEFAULT_PX, learned_fwhm_px
from oesd.engine.noise import noise_sigma
from oesd.engine.notes import axis_notes, band_notes
from oesd.engine.patterns import shipped_patterns
from oesd.engine.peaks import PeakList, find_peaks
from oesd.engine.scene import Observed, Scene, build_scene
from oesd.engine.windows import median
from oesd.model import Analysis, ConstraintMode, ElementFinding, FloatArray, Measurement, Peak, Recipe

MIN_PIXELS = 10
LARGEST, SMALLEST = 1e12, 1e-6
LARGEST_SHOWN = 1e308
WIDEST_SEARCH_NM = 2.5
PIXEL_RESPONSE = 0.003  # pixels differ in response by this share: a continuum's unevenness is no line
WORTH_REPEATING_FWHM = 0.1
BLEND_FWHM = 0.15  # how far unseen neighbours pull a peak's centre
GAUSS_AREA = 1.0644670194312262  # area of a Gaussian of height 1 and FWHM 1: sqrt(pi / (4 ln 2))


@dataclass(frozen=True, slots=True, eq=False)
class _Light:
    """A corrected spectrum with everything measured in it before elements are asked for."""

    corrected: Corrected
    floor: FloatArray
    sigma: FloatArray
    fwhm_px: float
    peaks: PeakList


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
    search_nm: float | None = None,
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
    search_nm : float, optional
        How far off the axis may be; 0.65 nm otherwise.

    Returns
    -------
    Analysis

    Raises
    ------
    SpectrumError
        The arrays are no spectrum or an element is unknown; one line says what is wrong.
    """
    measurement = Measurement(
        wavelengths_nm=checks.axis(wavelengths_nm),
        sample=checks.spectrum(sample, "sample"),
        dark=None if dark is None else checks.spectrum(dark, "dark"),
        reference=None if reference is None else checks.spectrum(reference, "reference"),
        integration_us=integration_us,
        scans=scans_averaged,
        saturation_counts=saturation_counts,
        nonlinearity=() if nonlinearity is None else tuple(checks.spectrum(nonlinearity, "nonlinearity").tolist()),
    )
    return analyze_measurement(measurement, checks.recipe(constraint, elements, fwhm_nm), search_nm)


def analyze_measurement(measurement: Measurement, recipe: Recipe, search_nm: float | None = None) -> Analysis:
    """Analyse a measurement as the recipe says; the daemon's entrance. See :func:`analyze`."""
    given = checks.measurement(measurement)
    recipe = checks.recipe(recipe.constraint.value, recipe.elements, recipe.fwhm_nm)
    reach_nm = checks.positive(search_nm, "search_nm") or REACH_NM
    factor = _scale(given)
    light = _measure(_scaled(given, 1.0 / factor), recipe)
    if len(given.wavelengths_nm) < MIN_PIXELS:
        light = replace(light, peaks=light.peaks.chosen(np.zeros(len(light.peaks), dtype=np.bool_)))
    bands = _bands(given.wavelengths_nm, light)
    of_lines = np.ones(len(light.peaks), dtype=np.bool_)
    for band in bands:
        of_lines[band.peaks] = False
    lines = light if of_lines.all() else replace(light, peaks=light.peaks.chosen(of_lines))
    axis, scene, inference = _identify(given.wavelengths_nm, lines, recipe, reach_nm)
    inference = _proven(inference, bands, _fwhm_nm(given.wavelengths_nm, light))
    namings = with_bands(name_peaks(scene, inference, _allowed(recipe)), of_lines, bands)
    return Analysis(
        wavelengths_nm=given.wavelengths_nm,
        sample=given.sample,
        scope_corrected=_shown(light.corrected.scope_corrected, factor),
        elements=_findings(inference),
        detected_peaks=_peaks(given.wavelengths_nm, light, namings, factor),
        recipe=recipe,
        line_table_version=line_table().version,
        engine_version=ENGINE_VERSION,
        reference=given.reference,
        dark=given.dark,
        baseline=_shown(light.floor, factor),
        noise=_shown(light.sigma, factor),
        warnings=light.corrected.warnings + axis_notes(axis, inference, reach_nm) + band_notes(bands, inference),
    )


def _scale(measurement: Measurement) -> float:
    """Power of two that brings absurdly large or small counts to where squares neither overflow nor vanish; else 1."""
    given = (measurement.sample, measurement.dark, measurement.short, measurement.short_dark)
    arrays = [a for a in given if a is not None]
    top = max(float(np.abs(a).max()) for a in arrays)
    if top == 0.0 or SMALLEST <= top <= LARGEST:
        return 1.0
    return float(2.0 ** max(np.floor(np.log2(top)), -1000.0))


def _shown(values: FloatArray, factor: float) -> FloatArray:
    """Counts in the input's scale, to 0.001; rounding stops where a float64 has no such digits."""
    bound = LARGEST_SHOWN / max(factor, 1.0)
    shown: FloatArray = np.clip(values, -bound, bound) * factor
    return np.where(np.abs(shown) < LARGEST, np.round(np.clip(shown, -LARGEST, LARGEST), 3), shown)


def _scaled(measurement: Measurement, factor: float) -> Measurement:
    if factor == 1.0:
        return measurement
    return replace(
        measurement,
        sample=measurement.sample * factor,
        dark=None if measurement.dark is None else measurement.dark * factor,
        short=None if measurement.short is None else measurement.short * factor,
        short_dark=None if measurement.short_dark is None else measurement.short_dark * factor,
        saturation_counts=None if measurement.saturation_counts is None else measurement.saturation_counts * factor,
        nonlinearity=(),
    )


def _measure(measurement: Measurement, recipe: Recipe) -> _Light:
    """Correction, baseline, noise, line width and peaks."""
    corrected = correct(measurement)
    net = corrected.net
    dispersion = float(median(np.diff(measurement.wavelengths_nm)))
    hint = None if recipe.fwhm_nm is None else recipe.fwhm_nm / dispersion
    masked = corrected.saturated | corrected.unsure
    full_scale = measurement.saturation_counts or float(np.abs(net).max())
    sigma = noise_sigma(net, corrected.saturated, full_scale, measurement.scans)
    if corrected.bracket is not None:
        bracket = corrected.bracket
        short_sigma = noise_sigma(bracket.net, ~bracket.clear, bracket.ratio * full_scale, measurement.scans)
        sigma = np.where(bracket.replaced, np.maximum(short_sigma, sigma), sigma)
    guess_px = min(DEFAULT_PX if hint is None else hint, len(net) / 4.0)
    floor = baseline(net, guess_px)
    fwhm_px = min(learned_fwhm_px(net - floor, sigma, masked, hint), len(net) / 4.0)
    if windows_of(fwhm_px) != windows_of(guess_px):
        floor = baseline(net, fwhm_px)
    sigma = np.hypot(sigma, PIXEL_RESPONSE * np.maximum(floor, 0.0))
    peaks = find_peaks(net - floor, sigma, corrected.saturated, fwhm_px)
    return _Light(corrected, floor, sigma, fwhm_px, peaks)


def _allowed(recipe: Recipe) -> frozenset[str]:
    everything = frozenset(line_table().elements)
    if recipe.constraint is ConstraintMode.INCLUDE:
        return everything & frozenset(recipe.elements)
    if recipe.constraint is ConstraintMode.EXCLUDE:
        return everything - frozenset(recipe.elements)
    return everything


def _identify(device_nm: FloatArray, light: _Light, recipe: Recipe, reach_nm: float) -> tuple[Axis, Scene, Inference]:
    """Elements on the plasma's own axis: shift first, then elements, then the straight line through what was found."""
    center_nm = np.interp(light.peaks.center_px, np.arange(len(device_nm)), device_nm)
    fwhm_nm = light.fwhm_px * float(median(np.diff(device_nm)))
    low_nm, high_nm = float(device_nm[0]), float(device_nm[-1])
    axis = coarse_axis(
        center_nm,
        light.peaks.height,
        light.peaks.height_sigma,
        low_nm,
        high_nm,
        fwhm_nm,
        min(reach_nm, WIDEST_SEARCH_NM),
    )
    scene = _scene(device_nm, center_nm, light, axis, fwhm_nm)
    inference = infer(scene, _allowed(recipe))
    finer = _refined(axis, center_nm, scene, inference)
    moved = np.abs(finer.true_nm(center_nm) - axis.true_nm(center_nm))
    if not len(moved) or moved.max() < WORTH_REPEATING_FWHM * fwhm_nm:
        return axis, scene, inference
    scene = _scene(device_nm, center_nm, light, finer, fwhm_nm)
    return finer, scene, infer(scene, _allowed(recipe))


def _refined(axis: Axis, center_nm: FloatArray, scene: Scene, inference: Inference) -> Axis:
    expected, trusted = expected_centers(scene, inference)
    if not trusted.any():
        return axis
    spread = np.hypot(scene.observed.center_sigma_nm, BLEND_FWHM * scene.observed.fwhm_nm)
    return refined_axis(axis, center_nm[trusted], expected[trusted], spread[trusted])


def _scene(device_nm: FloatArray, center_nm: FloatArray, light: _Light, axis: Axis, fwhm_nm: float) -> Scene:
    dispersion = np.interp(light.peaks.center_px, np.arange(len(device_nm)), np.gradient(device_nm))
    observed = Observed(
        center_nm=axis.true_nm(center_nm),
        center_sigma_nm=light.peaks.sigma_px * dispersion,
        height=light.peaks.height,
        height_sigma=light.peaks.height_sigma,
        saturated=light.peaks.saturated,
        true_nm=axis.true_nm(device_nm),
        net=light.corrected.net - light.floor,
        sigma=light.sigma,
        fwhm_nm=fwhm_nm,
        fwhm_px=light.fwhm_px,
        axis_sigma_nm=axis.sigma_nm,
    )
    return build_scene(observed, shipped_patterns())


def _findings(inference: Inference) -> tuple[ElementFinding, ...]:
    ranked = sorted(inference.probability.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ElementFinding(name, round(probability, 4)) for name, probability in ranked)


def _peaks(device_nm: FloatArray, light: _Light, namings: list[Naming], factor: float) -> tuple[Peak, ...]:
    found, pixels = light.peaks, np.arange(len(device_nm))
    wavelength = np.interp(found.center_px, pixels, device_nm)
    dispersion = np.interp(found.center_px, pixels, np.gradient(device_nm))
    width = found.fwhm_px * dispersion
    height = _shown(found.height, factor)
    area = _shown(found.height * width * GAUSS_AREA, factor)
    return tuple(
        Peak(
            peak_id=f"p{number + 1}",
            wavelength_nm=round(float(wavelength[number]), 4),
            wavelength_sigma_nm=round(float(found.sigma_px[number] * dispersion[number]), 5),
            center_px=round(float(found.center_px[number]), 4),
            fwhm_nm=round(float(width[number]), 4),
            snr=round(float(found.snr[number]), 2),
            intensity=float(height[number]),
            area=float(area[number]),
            element=naming.element,
            probability=naming.probability,
            manual=False,
            candidates=naming.candidates,
            saturated=bool(found.saturated[number]),
            blended=bool(found.blended[number]),
        )
        for number, naming in enumerate(namings)
    )


def _bands(device_nm: FloatArray, light: _Light) -> list[SeenBand]:
    return seen_bands(device_nm, light.corrected.net, light.peaks, _fwhm_nm(device_nm, light))


def _fwhm_nm(device_nm: FloatArray, light: _Light) -> float:
    return light.fwhm_px * float(median(np.diff(device_nm)))


def _proven(inference: Inference, bands: list[SeenBand], fwhm_nm: float) -> Inference:
    """Leave out molecules whose bands an instrument would resolve, and does not show.

    Their light stays explained: in a forest of weak lines that no table has, a band's many bins fit by chance, and
    neither the molecule nor an element is to be named for it.
    """
    if fwhm_nm > WIDEST_NM:
        return inference
    seen = {band.system for band in bands}
    return replace(inference, bands={name: claim for name, claim in inference.bands.items() if name in seen})
