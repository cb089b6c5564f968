"""Stray light put onto a spectrum comes off it again."""

import numpy as np
import pytest
from tests.engine.spectra import axis, lines

from oesd.engine.correction import correct
from oesd.engine.straylight import without_stray_light
from oesd.model import Measurement

WL = axis(300.0, 800.0, 1000)
LIGHT = lines(WL, np.array([350.0, 500.0, 520.0, 760.0]), np.array([3e4, 5e3, 2e4, 900.0]), 1.5)
STEP = float(WL[1] - WL[0])


def strayed(light: np.ndarray, share: float, halo_share: float = 0.0, halo_nm: float = 25.0) -> np.ndarray:
    distance = np.abs(np.arange(1000)[:, None] - np.arange(1000)[None, :]) * STEP
    kernel = np.exp(-distance / halo_nm)
    whole = 1.0 + 2.0 * np.sum(np.exp(-np.arange(1, 5000) * STEP / halo_nm))
    return light + share * light.mean() + halo_share * (kernel @ light) / whole


def test_an_even_share_comes_off():
    cleared, told = without_stray_light(strayed(LIGHT, 0.02), (0.02,), STEP)
    assert told == ()
    np.testing.assert_allclose(cleared, LIGHT, atol=1e-4 * 0.02 * LIGHT.mean())


def test_a_halo_comes_off():
    cleared, _ = without_stray_light(strayed(LIGHT, 0.005, 0.01, 20.0), (0.005, 0.01, 20.0), STEP)
    np.testing.assert_allclose(cleared, LIGHT, atol=0.03)


@pytest.mark.parametrize("coefficients", [(), (0.0,), (0.0, 0.0, 25.0)])
def test_without_coefficients_nothing_changes(coefficients):
    assert without_stray_light(LIGHT, coefficients, STEP)[0] is LIGHT


@pytest.mark.parametrize(
    "coefficients",
    [(0.5,), (-0.01,), (np.nan,), (0.01, 0.01), (0.01, 0.01, 0.0), (0.06, 0.06, 20.0), (1.0, 2.0, 3.0, 4.0)],
)
def test_unbelievable_coefficients_change_nothing_and_are_said(coefficients):
    cleared, told = without_stray_light(LIGHT, coefficients, STEP)
    np.testing.assert_array_equal(cleared, LIGHT)
    assert told == ("stray-light coefficients are not believable: not applied",)


def test_stray_light_is_of_the_light_that_a_bracket_gives_back():
    sample = np.minimum(strayed(LIGHT, 0.01), 20_000.0)
    given = Measurement(
        WL, sample, saturation_counts=20_000.0, stray_light=(0.01,), integration_us=1000,
        short=strayed(LIGHT, 0.01) / 10.0, short_dark=np.zeros(1000), dark=np.zeros(1000), short_integration_us=100,
    )  # fmt: skip
    np.testing.assert_allclose(correct(given).scope_corrected, LIGHT, atol=0.1)


def test_a_hot_pixel_strays_nowhere():
    sample = strayed(LIGHT, 0.005, 0.03, 20.0)
    sample[700] += 40000.0
    plain = correct(Measurement(WL, strayed(LIGHT, 0.005, 0.03, 20.0), stray_light=(0.005, 0.03, 20.0)))
    hot = correct(Measurement(WL, sample, stray_light=(0.005, 0.03, 20.0), dead_pixels=(700,)))
    others = np.arange(1000) != 700
    np.testing.assert_allclose(hot.scope_corrected[others], plain.scope_corrected[others], atol=1.0)
    np.testing.assert_allclose(hot.net, plain.net, atol=1.0)
