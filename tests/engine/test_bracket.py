"""A bracket: saturated pixels out of a shorter exposure, on spectra of the virtual detectors."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oesd.engine.analyze import analyze_measurement
from oesd.engine.bracket import replaceable
from oesd.engine.correction import correct
from oesd.engine.errors import SpectrumError
from oesd.engine.windows import grown
from oesd.model import Measurement, Recipe
from oesd_drivers.virtual.models import MODELS
from oesd_drivers.virtual.optics import Optics
from oesd_drivers.virtual.scene import scene

MODELS_TRIED = pytest.mark.parametrize("model", ["USB2000+", "USB4000", "STS", "QE-PRO", "SR4"])
LONG_S, SHORT_S = 0.1, 0.01
RECIPE = Recipe()


class Bench:
    """A lamp before a virtual spectrometer, its strongest line so many times over saturation in the long exposure."""

    def __init__(self, model: str, over: float, light: str = "hg-ar-lamp", scans: int = 20) -> None:
        self.optics, self.detector, self.scans = Optics(MODELS[model], "OES00001", 1), MODELS[model].detector, scans
        rate = sum((self.optics.rates(emitter) for emitter in scene(light).emitters), np.zeros(self.detector.pixels))
        room = self.detector.saturation_counts - self.detector.offset_counts
        self.rate = rate * over * room * self.detector.electrons_per_count / (rate.max() * LONG_S)
        self.true = self.rate * LONG_S / self.detector.electrons_per_count
        self.room = room

    def frames(self, seconds: float, first: int, brightness: float = 1.0):
        return np.stack(
            [self.optics.frame(brightness * self.rate, seconds, 25.0, first + n) for n in range(self.scans)]
        )

    def measurement(self, *, short_dark: bool = True, dark: bool = True, brightness: float = 1.0) -> Measurement:
        long, short = self.frames(LONG_S, 0), self.frames(SHORT_S, 100, brightness)
        full = self.detector.saturation_counts
        return Measurement(
            wavelengths_nm=self.optics.wavelengths_nm,
            sample=long.mean(axis=0),
            dark=self.frames(LONG_S, 200, 0.0).mean(axis=0) if dark else None,
            integration_us=round(LONG_S * 1e6),
            scans=self.scans,
            saturation_counts=float(full),
            saturated=(long >= full).any(axis=0),
            nonlinearity=self.detector.nonlinearity,
            electric_dark_pixels=self.detector.dark_pixels,
            short=short.mean(axis=0),
            short_saturated=(short >= full).any(axis=0),
            short_dark=self.frames(SHORT_S, 300, 0.0).mean(axis=0) if short_dark else None,
            short_integration_us=round(SHORT_S * 1e6),
        )


def alone(measurement: Measurement) -> Measurement:
    return replace(measurement, short=None, short_saturated=None, short_dark=None, short_integration_us=None)


@MODELS_TRIED
@pytest.mark.parametrize("short_dark", [True, False])
def test_a_line_five_times_over_saturation_is_recovered_and_its_neighbours_are_untouched(model, short_dark):
    bench = Bench(model, over=5.0)
    given_both = bench.measurement(short_dark=short_dark)
    with_it, without = correct(given_both), correct(alone(given_both))
    assert without.saturated.any()
    assert not with_it.saturated.any()
    at = int(np.argmax(bench.true))
    line = slice(at - 8, at + 9)
    assert with_it.scope_corrected[at] == pytest.approx(bench.true[at], rel=0.03)
    assert with_it.scope_corrected[line].sum() == pytest.approx(bench.true[line].sum(), rel=0.03)
    assert without.scope_corrected[at] < 0.3 * bench.true[at]
    untouched = ~grown(without.saturated, 1)
    np.testing.assert_array_equal(with_it.scope_corrected[untouched], without.scope_corrected[untouched])


@MODELS_TRIED
def test_the_peak_of_the_recovered_line_is_where_and_as_high_as_it_is(model):
    bench = Bench(model, over=5.0)
    peaks = analyze_measurement(bench.measurement(), RECIPE).detected_peaks
    at = int(np.argmax(bench.true))
    peak = min(peaks, key=lambda peak: abs(peak.center_px - at))
    assert abs(peak.center_px - at) < 0.6
    assert peak.intensity == pytest.approx(bench.true[at], rel=0.1)
    assert not peak.saturated
    assert all(not peak.saturated for peak in peaks)


@MODELS_TRIED
def test_without_saturation_it_is_bit_for_bit_as_without_the_short_exposure(model):
    given_both = Bench(model, over=0.8, scans=4).measurement()
    with_it, without = analyze_measurement(given_both, RECIPE), analyze_measurement(alone(given_both), RECIPE)
    for name in ("scope_corrected", "baseline", "noise", "sample"):
        assert getattr(with_it, name).tobytes() == getattr(without, name).tobytes()
    assert with_it.detected_peaks == without.detected_peaks
    assert (with_it.elements, with_it.warnings) == (without.elements, without.warnings)


def test_what_was_done_is_said():
    given_both = Bench("USB2000+", over=5.0).measurement(short_dark=False)
    full = int(given_both.saturated.sum())
    warnings = analyze_measurement(given_both, RECIPE).warnings
    assert f"{full} saturated pixels are taken from the exposure of 10 ms" in warnings
    assert any("no dark of its own" in text for text in warnings)
    assert not any("lower limits" in text or "light changed" in text for text in warnings)


def test_pixels_saturated_in_both_stay_saturated():
    given_both = Bench("USB2000+", over=30.0).measurement()
    corrected = correct(given_both)
    both = given_both.saturated & given_both.short_saturated
    assert both.any()
    np.testing.assert_array_equal(corrected.saturated, both)
    np.testing.assert_array_equal(corrected.scope_corrected[both], correct(alone(given_both)).scope_corrected[both])
    assert any("lower limits" in text for text in corrected.warnings)


def test_replaced_pixels_carry_the_noise_of_the_shorter_exposure():
    bench = Bench("USB2000+", over=5.0, scans=1)
    given_both = bench.measurement()
    noise = analyze_measurement(given_both, RECIPE).noise
    replaced = replaceable(given_both.saturated, given_both.short_saturated)
    strong = replaced & (bench.true > bench.room)
    ratio = LONG_S / SHORT_S
    photons = ratio * bench.true / bench.detector.electrons_per_count
    real = np.sqrt(photons + (ratio * bench.detector.read_noise_e / bench.detector.electrons_per_count) ** 2)
    assert np.all(noise[strong] > 0.4 * real[strong])
    assert np.all(noise[replaced] >= ratio * 0.5 * np.median(noise[~grown(given_both.saturated, 3)]))


def test_without_any_dark_the_levels_are_made_to_agree():
    bench = Bench("USB2000+", over=5.0)
    given_both = replace(bench.measurement(short_dark=False, dark=False), electric_dark_pixels=(), nonlinearity=())
    offset = float(np.median(given_both.sample))
    at = int(np.argmax(bench.true))
    raw = np.interp(bench.true[at] / 10.0, *bench.optics._counts_of) * 10.0
    assert correct(given_both).scope_corrected[at] == pytest.approx(raw + offset, rel=0.03)


def test_light_that_changed_between_the_exposures_is_told():
    bench = Bench("USB2000+", over=5.0)
    warnings = correct(bench.measurement(brightness=1.3)).warnings
    assert any("the light changed by +" in text for text in warnings)


@pytest.mark.parametrize(
    "changes",
    [
        {"short_integration_us": None},
        {"short_integration_us": 0},
        {"short_integration_us": 100_000},
        {"integration_us": None},
        {"short": None},
    ],
)
def test_a_bracket_that_tells_nothing_is_left_aside(changes):
    given_both = Bench("USB2000+", over=5.0, scans=2).measurement()
    corrected, without = correct(replace(given_both, **changes)), correct(alone(given_both))
    np.testing.assert_array_equal(corrected.net, without.net)
    np.testing.assert_array_equal(corrected.saturated, without.saturated)


def test_wrong_lengths_are_refused():
    given_both = Bench("USB2000+", over=5.0, scans=1).measurement()
    for name in ("short", "short_dark", "short_saturated"):
        with pytest.raises(SpectrumError, match="short"):
            analyze_measurement(replace(given_both, **{name: getattr(given_both, name)[:-1]}), RECIPE)


numbers = st.floats(-1e9, 1e9)


@settings(max_examples=60)
@given(
    arrays(np.float64, (4, 40), elements=numbers),
    arrays(np.bool_, (2, 40)),
    st.integers(-5, 10**18),
    st.integers(-5, 10**18),
)
def test_whatever_comes_an_answer_without_nan(spectra, masks, longer_us, shorter_us):
    measurement = Measurement(
        wavelengths_nm=np.linspace(300.0, 400.0, 40),
        sample=spectra[0],
        dark=spectra[1],
        integration_us=longer_us,
        saturation_counts=1e5,
        saturated=masks[0],
        short=spectra[2],
        short_saturated=masks[1],
        short_dark=spectra[3],
        short_integration_us=shorter_us,
    )
    analysis = analyze_measurement(measurement, RECIPE)
    assert np.isfinite(analysis.scope_corrected).all()
    assert np.isfinite(analysis.noise).all()
