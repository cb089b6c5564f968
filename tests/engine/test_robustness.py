"""Any finite input gives an answer: no exception, no warning (pytest makes them errors), no NaN."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.engine.spectra import axis
from tests.support.nonsense import nonsense, numbers_of

import oesd
from oesd.engine.analyze import analyze_measurement
from oesd.engine.errors import SpectrumError
from oesd.model import Measurement, Recipe

WL = axis(pixels=300)


def checked(wavelengths, sample, dark=None, **more):
    result = oesd.analyze(wavelengths, sample, dark, **more)
    assert np.isfinite(numbers_of(result)).all()
    return result


RNG = np.random.default_rng(0)
ODD = {
    "zeros": np.zeros(300),
    "constant": np.full(300, 812.0),
    "negative": -RNG.uniform(0, 500, 300),
    "saturated": np.full(300, 65535.0),
    "ramp": np.arange(300.0),
    "step": np.repeat([0.0, 65535.0], 150),
    "alternating": np.tile([0.0, 65535.0], 150),
    "one spike": np.eye(300)[150] * 60000.0,
    "edge spikes": np.eye(300)[0] * 60000.0 + np.eye(300)[299] * 60000.0,
    "huge": RNG.uniform(-1, 1, 300) * 1e300,
    "largest": np.tile([1.7e308, -1.7e308, 0.0], 100),
    "tiny": RNG.uniform(0, 1, 300) * 1e-300,
    "denormal": np.eye(300)[40] * 5e-324,
    "wide": RNG.uniform(0, 1, 300) * 10.0 ** RNG.uniform(-12, 12, 300),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("limit", [None, 65535.0])
@pytest.mark.parametrize("with_dark", [False, True])
def test_odd_spectra(name, limit, with_dark):
    dark = RNG.uniform(300, 320, 300) if with_dark else None
    checked(WL, ODD[name], dark, saturation_counts=limit, nonlinearity=(0.98, 1e-6))


@pytest.mark.parametrize("pixels", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 31, 33, 64, 65])
def test_few_pixels(pixels):
    rng = np.random.default_rng(pixels)
    for sample in (np.zeros(pixels), rng.normal(0, 1, pixels), rng.uniform(0, 6e4, pixels)):
        result = checked(np.linspace(400, 410, pixels), sample)
        assert pixels >= 10 or not result.detected_peaks


@pytest.mark.parametrize(
    "wavelengths",
    [
        np.linspace(1e-6, 2e-6, 300),
        np.linspace(500.0, 500.0001, 300),
        np.linspace(1.0, 1e6, 300),
        np.geomspace(1e-3, 1e9, 300),
        np.r_[np.linspace(200, 201, 150), np.linspace(900, 901, 150)],
        np.linspace(5000.0, 6000.0, 300),
    ],
)
def test_odd_axes(wavelengths):
    checked(wavelengths, np.random.default_rng(1).uniform(0, 6e4, 300), fwhm_nm=None)
    checked(wavelengths, np.random.default_rng(1).uniform(0, 6e4, 300), fwhm_nm=1.0)


@settings(max_examples=40, derandomize=True)
@given(
    hnp.arrays(np.float64, 120, elements=st.floats(-1e6, 1e6, allow_subnormal=False)),
    st.none() | hnp.arrays(np.float64, 120, elements=st.floats(0, 1e5)),
    st.none() | st.floats(1.0, 1e5),
    st.none() | st.floats(1e-3, 1e3),
)
def test_random_spectra(sample, dark, limit, fwhm):
    checked(WL[:120], sample, dark, saturation_counts=limit, fwhm_nm=fwhm)


def test_many_random_spectra_with_lines():
    rng = np.random.default_rng(9)
    for _ in range(60):
        pixels = int(rng.integers(30, 900))
        sample = rng.normal(500.0, rng.uniform(0.0, 30.0), pixels)
        for _ in range(int(rng.integers(0, 60))):
            width = rng.uniform(0.3, 8.0)
            sample += rng.uniform(0.0, 60000.0) * np.exp(
                -0.5 * ((np.arange(pixels) - rng.uniform(-5, pixels + 5)) / width) ** 2
            )
        checked(np.sort(rng.uniform(180.0, 1100.0, pixels)) + np.arange(pixels) * 1e-6, np.minimum(sample, 65535.0))


def test_a_line_of_which_one_pixel_is_left_beside_clipped_ones():
    sample, saturated = np.zeros(40), np.zeros(40, dtype=bool)
    sample[[8, 15, 28]] = [3.0, 25.0, 70608.0]
    saturated[[22, 23, 25, 29, 31]] = True
    measurement = Measurement(np.linspace(300.0, 400.0, 40), sample, saturation_counts=1e5, saturated=saturated)
    assert np.isfinite(analyze_measurement(measurement, Recipe()).noise).all()


@pytest.mark.parametrize("tenth", range(10))
def test_two_hundred_spectra_that_are_none(tenth):
    for number in range(20 * tenth, 20 * (tenth + 1)):
        assert np.isfinite(numbers_of(oesd.analyze(**nonsense(2, number)))).all(), number


def test_next_to_no_noise_beside_light_divides_by_nothing():
    """Found by ``tests.bench.nonsense``: noise of 1e-38 counts and less has no quotient in single precision."""
    assert np.isfinite(numbers_of(oesd.analyze(**nonsense(7, 18787)))).all()


@pytest.mark.parametrize("where", ["wavelengths_nm", "sample", "dark"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused_in_one_line(where, bad):
    arrays = {"wavelengths_nm": WL, "sample": np.ones(300), "dark": np.zeros(300)}
    arrays[where] = arrays[where].copy()
    arrays[where][17] = bad
    with pytest.raises(SpectrumError) as refusal:
        oesd.analyze(**arrays)
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) > 20


@pytest.mark.parametrize("search_nm", [1e-300, 1e-4, 1e300])
def test_any_search_is_an_answer(search_nm):
    assert checked(WL, RNG.normal(900.0, 5.0, 300) + 9000.0 * (np.arange(300) % 40 == 7), search_nm=search_nm).axis
