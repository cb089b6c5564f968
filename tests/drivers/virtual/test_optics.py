"""The light's way to counts."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oesd_drivers.virtual.instrument import Instrument
from oesd_drivers.virtual.models import MODELS
from oesd_drivers.virtual.optics import Optics, polynomial
from oesd_drivers.virtual.scene import Light, LineLamp, Thermal, scene

#: One of each kind of detector and electronics.
EACH_DETECTOR = pytest.mark.parametrize(
    "model", ["USB2000+", "USB2000", "HR2000+", "USB4000", "HR4000", "QE65000", "NIRQuest512", "Maya2000 Pro", "STS",
              "QE-PRO", "SR4"]
)  # fmt: skip


def quiet(model: str, **changes: object) -> Optics:
    """A unit without hot pixels, so that statistics are of one kind."""
    kind = MODELS[model]
    return Optics(replace(kind, detector=replace(kind.detector, hot_pixels=0.0, **changes)), "T1", 1)


@EACH_DETECTOR
def test_noise_is_shot_noise_and_read_noise(model):
    optics = quiet(model, nonlinearity=(1.0,))
    detector = optics.model.detector
    for electrons in (500.0, 20_000.0):
        rate = np.full(detector.pixels, electrons)
        frames = np.array([optics.frame(rate, 1.0, -60.0, n) for n in range(200)])
        measured_e2 = np.mean(np.var(frames, axis=0, ddof=1)) * detector.electrons_per_count**2
        rounding_e2 = detector.electrons_per_count**2 / 12
        assert measured_e2 == pytest.approx(electrons + detector.read_noise_e**2 + rounding_e2, rel=0.03)


@EACH_DETECTOR
def test_nonlinearity_is_undone_by_the_units_polynomial(model):
    optics = quiet(model)
    detector = optics.model.detector
    linear = np.linspace(0.02, 0.9, detector.pixels) * (detector.saturation_counts - detector.offset_counts)
    rate = linear * detector.electrons_per_count
    mean = np.mean([optics.frame(rate, 1.0, -60.0, n) for n in range(150)], axis=0)
    raw = mean - np.mean([optics.frame(np.zeros_like(rate), 1.0, -60.0, 150 + n) for n in range(150)], axis=0)
    corrected = raw / polynomial(detector.nonlinearity, raw)
    assert np.max(np.abs(raw - linear) / linear) > 0.01
    np.testing.assert_allclose(corrected, linear, rtol=0.01, atol=15)
    assert abs(np.mean(corrected / linear - 1)) < 1e-3


@pytest.mark.parametrize("model", MODELS)
def test_a_flooded_detector_saturates_and_never_passes_the_adc(model):
    optics = quiet(model)
    detector = optics.model.detector
    frame = optics.frame(np.full(detector.pixels, 1e9), 1.0, 20.0, 0)
    assert frame.max() <= detector.adc_max
    assert np.median(frame) >= min(detector.saturation_counts, detector.adc_max)


def test_masked_pixels_see_no_light():
    optics = Optics(MODELS["USB2000+"], "T1", 1)
    rate = optics.rates(Thermal("lamp", 3000.0))
    masked = list(MODELS["USB2000+"].detector.dark_pixels)
    assert np.all(rate[masked] == 0)
    assert np.all(np.delete(rate, masked) > 0)


def test_dark_current_doubles_every_seven_kelvin():
    optics = quiet("USB4000", nonlinearity=(1.0,))
    none = np.zeros(3648)
    levels = {
        c: np.mean([optics.frame(none, t, c, n).mean() for n in range(100)])
        for c, t in ((20.0, 10.0), (27.0, 10.0), (20.01, 0.0))
    }
    assert (levels[27.0] - levels[20.01]) / (levels[20.0] - levels[20.01]) == pytest.approx(2.0, rel=0.02)


def test_some_pixels_are_hot_and_stay_hot():
    frames = [Optics(MODELS["USB2000+"], "T1", 1).frame(np.zeros(2048), 1.0, 20.0, n) for n in range(2)]
    hot = [set(np.flatnonzero(frame > np.median(frame) + 1500)) for frame in frames]
    assert 1 <= len(hot[0]) <= 20
    assert len(hot[0] & hot[1]) >= len(hot[0]) - 2


@pytest.mark.parametrize("model", MODELS)
def test_a_line_has_the_benchs_width_its_place_and_its_photons(model):
    optics = quiet(model)
    bench, axis = optics.model.bench, optics.wavelengths_nm
    line_nm = 0.55 * axis[0] + 0.45 * axis[-1]
    profile = optics.rates(LineLamp("one", ((line_nm, 1.0),)))
    window = np.abs(axis - line_nm) < 4 * bench.fwhm_nm
    weight = profile[window] - profile[window].min()
    centre = np.sum(weight * axis[window]) / np.sum(weight)
    assert centre == pytest.approx(line_nm, abs=0.03)
    above = axis[window][weight > weight.max() / 2]
    assert above[-1] - above[0] == pytest.approx(bench.fwhm_nm, abs=1.5 * (axis[1] - axis[0]) + 0.1)
    response = np.interp(line_nm, *np.array(bench.response).T)
    assert np.sum(weight) == pytest.approx(response * bench.throughput_e, rel=0.03)


@settings(max_examples=20)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_light_adds_up(one, other):
    optics = Optics(MODELS["STS"], "T1", 1)
    table = ((435.8328, one), (546.0735, other))
    both = optics.rates(LineLamp("both", table))
    apart = sum(optics.rates(LineLamp("part", (line,))) for line in table)
    np.testing.assert_allclose(both, apart, rtol=1e-9, atol=1e-9)


def test_same_seed_same_unit_same_frames_and_another_seed_another():
    rate = np.full(1024, 5000.0)
    first, again, other, unit = (Optics(MODELS["STS"], s, n) for s, n in (("A", 1), ("A", 1), ("A", 2), ("B", 1)))
    for n in (0, 1, 7):
        assert np.array_equal(first.frame(rate, 0.1, 20.0, n), again.frame(rate, 0.1, 20.0, n))
    assert not np.array_equal(first.frame(rate, 0.1, 20.0, 0), first.frame(rate, 0.1, 20.0, 1))
    assert first.wavelength_coefficients == again.wavelength_coefficients
    assert len({o.wavelength_coefficients for o in (first, other, unit)}) == 3


def test_a_closed_shutter_leaves_the_dark():
    light = Light(scene("halogen"), time.monotonic)
    lit, dark = (Instrument(MODELS["USB2000+"], "T1", light, 1) for _ in range(2))
    dark.shutter_closed = True
    never = Instrument(MODELS["USB2000+"], "T1", Light(scene("dark"), time.monotonic), 1)
    frames = []
    for instrument in (lit, dark, never):
        exposed = instrument.request(0.0)
        assert exposed is not None
        frames.append(exposed.counts)
    assert np.array_equal(frames[1], frames[2])
    assert frames[0].mean() > frames[1].mean() + 1000
