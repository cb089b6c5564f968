import numpy as np
import pytest
from tests.engine.spectra import axis, lines, measured
from tests.engine.spectra import continuum as continuum_of

import oesd
from oesd.engine.baseline import continuum
from oesd.engine.correction import rounding
from oesd.engine.firstwidth import first_fwhm_px
from oesd.engine.noise import noise_sigma

WL = axis()
STEP = WL[1] - WL[0]
NONE = np.zeros(4096, dtype=bool)


def scene(seed, wing=0.0):
    """Lines on a dome: what is under them, the whole with its noise, and the noise."""
    rng = np.random.default_rng(seed)
    under = continuum_of(WL, 5000.0) + 300.0
    light = lines(WL, rng.uniform(260, 890, 40), rng.uniform(500, 20000, 40), 4 * STEP)
    sigma = np.sqrt(100.0 + 0.1 * (under + light))
    return under, under + light + rng.normal(0.0, 1.0, len(WL)) * sigma, sigma


def test_the_baseline_follows_a_dome_and_leaves_the_lines():
    under, net, sigma = scene(3)
    found = continuum(net, sigma**2, 4.0).level
    assert np.median(np.abs(found - under)) < 6.0
    assert np.quantile(np.abs(found - under), 0.98) < 60.0


def test_the_baseline_knows_how_far_it_may_be_off():
    pulls = []
    for seed in range(12):
        under, net, sigma = scene(seed)
        found = continuum(net, sigma**2, 4.0)
        pulls.append((found.level - under) / found.sigma)
    assert 0.5 < np.sqrt(np.mean(np.square(pulls))) < 2.0
    assert np.mean(np.abs(pulls) > 4.0) < 0.05


def test_the_baseline_is_less_sure_where_lines_stand_dense():
    rng = np.random.default_rng(9)
    light = lines(WL, 500.0 + 2.2 * STEP * np.arange(60) * 2.0, rng.uniform(500, 3000, 60), 4 * STEP)
    found = continuum(200.0 + light + rng.normal(0.0, 10.0, len(WL)), np.full(len(WL), 100.0), 4.0)
    inside = (WL > 510.0) & (WL < 535.0)
    assert found.sigma[inside].mean() > 2.0 * found.sigma[WL < 450.0].mean()


def test_the_baseline_of_noise_is_its_mean():
    found = continuum(70.0 + np.random.default_rng(4).normal(0.0, 10.0, 2048), np.full(2048, 100.0), 3.0)
    assert np.abs(found.level - 70.0).max() < 8.0
    assert abs(found.level.mean() - 70.0) < 1.0


@pytest.mark.parametrize("pixels", [1, 2, 5, 11, 12, 40])
def test_the_baseline_of_a_short_constant_is_the_constant(pixels):
    found = continuum(np.full(pixels, 12.0), np.full(pixels, 1e-9), 3.0)
    np.testing.assert_allclose(found.level, 12.0, rtol=1e-6)
    assert np.isfinite(found.sigma).all()


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


@pytest.mark.parametrize("width_px", [1.9, 2.3, 4.0])
def test_a_forest_of_narrow_lines_does_not_pass_for_noise(width_px):
    rng = np.random.default_rng(10)
    light = lines(WL, rng.uniform(255, 895, 300), 10.0 ** rng.uniform(1.5, 4.0, 300), width_px * STEP)
    true = np.sqrt(25.0 + 0.1 * light)
    found = noise_sigma(light + rng.normal(0.0, 1.0, len(WL)) * true, NONE[: len(WL)], 16383.0, 1)
    assert 0.6 < np.median(found / true) < 2.2


def test_pixels_of_uneven_response_are_noise_on_a_bright_continuum():
    rng = np.random.default_rng(11)
    level = np.linspace(500.0, 40000.0, 2048)
    net = level * (1.0 + rng.normal(0.0, 0.01, 2048)) + rng.normal(0.0, 8.0, 2048)
    found = noise_sigma(net, NONE[:2048], 65535.0, 1)
    assert np.median(found[1500:] / level[1500:]) == pytest.approx(0.01, rel=0.35)


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
    assert first_fwhm_px(net, noise_sigma(net, none, 65535.0, 1) ** 2, none, None) == pytest.approx(width_px, rel=0.12)


def test_without_lines_the_hint_counts_and_without_a_hint_a_usual_width():
    quiet, none = np.zeros(200), np.zeros(200, dtype=bool)
    assert first_fwhm_px(quiet, np.ones(200), none, 6.5) == 6.5
    assert first_fwhm_px(quiet, np.ones(200), none, None) == 3.0


def test_a_bound_on_the_photon_noise_takes_nothing_off_the_read_noise():
    """Full wells of more electrons than are thought of: less photon noise than its bound, and none where it is dim."""
    place = np.linspace(0.0, 1.0, len(WL))
    counts = np.where(place < 0.2, 0.0, 20000.0 * place)
    sigma = np.sqrt(30.0**2 + 0.1 * counts)
    net = counts + np.random.default_rng(7).normal(0.0, 1.0, len(WL)) * sigma
    found = noise_sigma(net, NONE[: len(WL)], 65535.0, 1)
    assert np.median(found[:400]) == pytest.approx(30.0, rel=0.2)


def test_a_stretch_that_a_file_has_filled_with_zeros_is_not_the_dark():
    rng = np.random.default_rng(3)
    net = 900.0 + rng.normal(0.0, 12.0, 2048)
    net[600:800] = 0.0
    sigma = noise_sigma(net, np.zeros(len(net), dtype=bool), 60000.0, 1)
    assert 9.0 < np.median(sigma) < 40.0
    assert sigma[700] > 1.0


@pytest.mark.parametrize("level", [-5.0, 0.0, 5.0])
def test_noise_whose_lower_half_a_file_has_cut_off_is_told_by_its_upper_half(level):
    rng = np.random.default_rng(4)
    net = np.maximum(level + rng.normal(0.0, 10.0, 4096), 0.0)
    assert 6.5 < np.median(noise_sigma(net, np.zeros(len(net), dtype=bool), 1e4, 1)) < 11.0


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
def test_noise_hidden_in_whole_counts_makes_no_peaks(noise):
    nm = np.linspace(250.0, 900.0, 2048)
    for seed in range(10):
        sample = np.round(1000.3 + np.random.default_rng(seed).normal(0.0, noise, 2048))
        assert oesd.analyze(nm, sample, np.full(2048, 1000.3), saturation_counts=65535.0).detected_peaks == ()


@pytest.mark.parametrize("scans", [4, 10, 50])
def test_an_average_that_was_rounded_to_whole_counts_makes_no_peaks_of_the_rounding(scans):
    """As a spectrometer that averages by itself gives it; 26 to 88 peaks a spectrum of noise before."""
    nm, slow, found = np.linspace(400.0, 800.0, 2048), 3.0 * np.sin(np.arange(2048) / 300.0), 0
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0.0, 0.3, (scans, 2048))
        sample = np.round(np.round(1000.3 + slow + noise).mean(axis=0))
        found += len(oesd.analyze(nm, sample, np.full(2048, 990.0), scans_averaged=scans).detected_peaks)
    assert found <= 6


def test_averages_of_whole_counts_are_known_by_their_scans():
    sample = np.random.default_rng(1).integers(900, 1100, 2048) / 7.0
    assert rounding(sample, 7) == pytest.approx(1.0 / 84.0)
    assert rounding(sample, 1) == rounding(sample + 0.01, 7) == 0.0
    assert rounding(np.round(sample), 7) == rounding(np.round(sample), 1) == pytest.approx(1.0 / 12.0)
