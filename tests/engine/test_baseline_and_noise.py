import numpy as np
import pytest
from tests.engine.spectra import axis, continuum, lines, measured

from oesd.engine.baseline import baseline
from oesd.engine.linespread import first_fwhm_px
from oesd.engine.noise import noise_sigma

WL = axis()
STEP = WL[1] - WL[0]
NONE = np.zeros(4096, dtype=bool)


def test_the_baseline_follows_a_dome_and_leaves_the_lines():
    rng = np.random.default_rng(3)
    under = continuum(WL, 5000.0) + 300.0
    light = lines(WL, rng.uniform(260, 890, 40), rng.uniform(500, 20000, 40), 4 * STEP)
    found = baseline(under + light + rng.normal(0.0, 10.0, len(WL)), 4.0)
    assert np.median(np.abs(found - under)) < 5.0
    assert np.quantile(np.abs(found - under), 0.98) < 60.0


def test_the_baseline_of_noise_is_its_mean():
    found = baseline(70.0 + np.random.default_rng(4).normal(0.0, 10.0, 2048), 3.0)
    assert np.abs(found - 70.0).max() < 8.0


@pytest.mark.parametrize("pixels", [1, 2, 5, 11, 12, 40])
def test_the_baseline_of_a_short_constant_is_the_constant(pixels):
    np.testing.assert_allclose(baseline(np.full(pixels, 12.0), 3.0), 12.0)


def test_read_and_photon_noise_are_both_recovered():
    rng = np.random.default_rng(5)
    level = np.repeat([0.0, 4000.0, 16000.0], 700)
    true = np.sqrt(12.0**2 + 0.3 * level)
    found = noise_sigma(level + rng.normal(0.0, 1.0, len(level)) * true, NONE[: len(level)], 65535.0, 1)
    for part in (slice(0, 700), slice(700, 1400), slice(1400, 2100)):
        assert np.median(found[part]) == pytest.approx(np.median(true[part]), rel=0.3)


def test_lines_do_not_pass_for_noise():
    rng = np.random.default_rng(6)
    light = lines(WL, rng.uniform(260, 890, 80), np.full(80, 20000.0), 4 * STEP)
    found = noise_sigma(light + rng.normal(0.0, 10.0, len(WL)), NONE[: len(WL)], 65535.0, 1)
    assert np.quantile(found, 0.1) == pytest.approx(10.0, rel=0.35)


def test_clipped_pixels_do_not_make_the_noise_small():
    rng = np.random.default_rng(8)
    level = np.repeat([100.0, 30000.0, 60000.0], 700)
    net = np.minimum(level + rng.normal(0.0, 1.0, 2100) * np.sqrt(25.0 + 0.5 * level), 55000.0)
    found = noise_sigma(net, net >= 55000.0, 55000.0, 1)
    assert np.median(found[700:1400]) == pytest.approx(np.sqrt(15025.0), rel=0.3)


def test_noise_is_never_zero():
    assert (noise_sigma(np.zeros(100), NONE[:100], 0.0, 1) > 0.0).all()
    assert (noise_sigma(np.zeros(1), NONE[:1], 1.0, 1) > 0.0).all()


@pytest.mark.parametrize("width_px", [2.0, 3.3, 5.0, 9.0])
def test_the_line_width_is_learned(width_px):
    rng = np.random.default_rng(7)
    light = lines(WL, rng.uniform(260, 890, 25), rng.uniform(2000, 20000, 25), width_px * STEP)
    sample, dark = measured(light)
    net = sample - dark
    none = np.zeros(len(WL), dtype=bool)
    assert first_fwhm_px(net, noise_sigma(net, none, 65535.0, 1), none, None) == pytest.approx(width_px, rel=0.12)


def test_without_lines_the_hint_counts_and_without_a_hint_a_usual_width():
    quiet, none = np.zeros(200), np.zeros(200, dtype=bool)
    assert first_fwhm_px(quiet, np.ones(200), none, 6.5) == 6.5
    assert first_fwhm_px(quiet, np.ones(200), none, None) == 3.0
