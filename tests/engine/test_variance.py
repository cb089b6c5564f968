"""The variance of every pixel, against what the noise that was put in makes it."""

import dataclasses

import numpy as np
import pytest
from tests.engine.spectra import axis, lines, measured
from tests.engine.test_defects import GAIN, READ, WL, light_of, scans_of
from tests.engine.test_defects import measured as of_scans

from oesd.engine.correction import correct
from oesd.engine.noise import noise_sigma
from oesd.engine.variance import chi2_limit, dark_doubt, scan_law
from oesd.model import Measurement

NOWHERE = np.zeros(1024, dtype=bool)


@pytest.mark.parametrize("flicker", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("scans", [2, 3, 10, 50])
def test_the_law_of_the_scans_is_found_and_rather_too_large_where_the_light_flickers(scans, flicker):
    light = light_of(scans)
    taken = scans_of(light, scans, 100 + scans, flicker)
    corrected = correct(of_scans(taken))
    true = (READ**2 + 1.0 / 12.0 + GAIN * light) / scans
    ratio = corrected.variance / true
    assert 0.85 < np.median(ratio) < 2.8  # never too small: flicker and close lines look like noise of the pixels
    assert np.quantile(ratio, 0.05) > 0.7


def test_flicker_is_told_apart_from_what_is_each_pixels_own():
    assert correct(of_scans(scans_of(light_of(1), 50, 2, 0.05))).flicker == pytest.approx(0.05, rel=0.35)
    assert correct(of_scans(scans_of(light_of(1), 50, 2, 0.0))).flicker < 0.004


def test_without_a_spread_the_spectrum_tells_its_own_noise():
    sample, dark = measured(light_of(3), seed=3)
    corrected = correct(Measurement(WL, sample, dark=dark, saturation_counts=65535.0))
    expected = noise_sigma(sample - dark, NOWHERE, 65535.0, 1) ** 2
    np.testing.assert_array_equal(corrected.variance, expected)


def test_the_darks_own_doubt_is_added_where_the_scans_tell_the_samples():
    rng = np.random.default_rng(17)
    darks = 400.0 + rng.normal(0.0, READ, (8, 1024))
    given = dataclasses.replace(
        of_scans(scans_of(np.full(1024, 100.0), 10, 5)),
        dark=darks.mean(axis=0), dark_variance=darks.var(axis=0, ddof=1) / 8.0, dark_scans=8,
    )  # fmt: skip
    corrected = correct(given)
    assert 0.85 < np.median(corrected.variance) / np.var(corrected.scope_corrected) < 1.6


def test_a_pattern_that_no_scan_tells_is_noise_all_the_same():
    rng = np.random.default_rng(18)
    given = dataclasses.replace(
        of_scans(scans_of(light_of(5), 20, 19)), dark=400.0 + rng.normal(0.0, 15.0, 1024)
    )  # a dark that has drifted
    assert 0.7 < np.median(correct(given).variance) / 15.0**2 < 1.6


def test_pixels_that_a_model_knows_badly_are_uncertain_and_what_all_share_is_not_their_noise():
    sample, dark = measured(light_of(3), seed=3)
    plain = Measurement(WL, sample, dark=dark)
    sigma = np.full(1024, 300.0)  # a temperature that is not known moves all pixels
    assert correct(dataclasses.replace(plain, dark_variance=sigma**2)).variance == pytest.approx(
        correct(plain).variance
    )
    sigma[[100, 700]] = 1000.0
    for given in (plain, of_scans(scans_of(light_of(3), 5, 4))):
        doubted = correct(dataclasses.replace(given, dark_variance=sigma**2)).variance
        assert (doubted[[100, 700]] >= 1000.0**2 - 300.0**2).all()
        assert np.median(doubted / correct(given).variance) < 2.0


def test_the_noise_of_a_modelled_dark_is_counted_as_far_as_it_shows():
    rng = np.random.default_rng(15)
    taken = scans_of(np.full(1024, 50.0), 20, 16)
    off = rng.normal(0.0, 7.0, 1024)
    given = dataclasses.replace(of_scans(taken), dark=400.0 + off, dark_variance=np.full(1024, 49.0))
    assert 0.85 < np.median(correct(given).variance) / (49.0 + (READ**2 + GAIN * 50.0) / 20.0) < 1.6


def test_non_linearity_stretches_the_noise():
    taken = scans_of(np.full(1024, 30_000.0), 20, 7)
    bent = of_scans(taken, nonlinearity=(0.9, 4e-6))
    gain = 0.9 + 4e-6 * 30_000.0
    steep = (gain - 30_000.0 * 4e-6) / gain**2
    seen = np.var(correct(bent).scope_corrected)
    assert seen == pytest.approx(np.var(correct(of_scans(taken)).scope_corrected) * steep**2, rel=0.01)
    assert 0.85 < np.median(correct(bent).variance) / seen < 1.6


def test_a_boxcar_averages_the_noise_of_its_pixels():
    rng = np.random.default_rng(8)
    off = [
        correct(Measurement(WL, 500.0 + rng.normal(0.0, 6.0, 1024), dark=np.full(1024, 500.0), boxcar_half_width_px=2))
        for _ in range(30)
    ]
    assert off[0].boxcar_px == 2
    seen = np.var([one.net[10:-10] for one in off])
    assert np.mean([np.median(one.variance) for one in off]) == pytest.approx(seen, rel=0.15)


def test_replaced_pixels_have_the_noise_of_the_scaled_shorter_exposure():
    light = lines(WL, np.array([500.0]), np.array([200_000.0]), 1.5) + 300.0
    rng = np.random.default_rng(9)
    sample = np.minimum(400.0 + light + rng.normal(0.0, READ, 1024), 65535.0)
    short = 400.0 + light / 10.0 + rng.normal(0.0, READ, 1024)
    given = Measurement(
        WL, sample, dark=np.full(1024, 400.0), saturation_counts=65535.0, integration_us=100_000, short=short,
        short_dark=np.full(1024, 400.0), short_integration_us=10_000,
    )  # fmt: skip
    corrected = correct(given)
    assert corrected.bracket is not None
    assert corrected.variance[corrected.bracket.replaced].min() > 0.5 * (10.0 * READ) ** 2
    assert np.median(corrected.variance) < 2.0 * READ**2 + 300.0 * 65535.0 / 1.5e5


def test_a_few_scans_of_a_dark_are_helped_by_the_neighbours_and_many_speak_for_themselves():
    rng = np.random.default_rng(10)
    true = np.full(1024, 16.0)
    true[300] = 1600.0
    for scans, most in ((3, 0.4), (400, 0.12)):
        told = true / scans * rng.chisquare(scans - 1, 1024) / (scans - 1)
        doubt = dark_doubt(told, scans, true) * scans
        assert np.std(np.delete(doubt, 300)) / 16.0 < most
        assert np.mean(doubt) == pytest.approx(np.mean(true), rel=0.15)
    assert doubt[300] == pytest.approx(1600.0, rel=0.2)


def test_chi2_limits_are_those_of_the_tables():
    assert chi2_limit(1, 1e-6) == pytest.approx(23.93, rel=0.2)
    assert chi2_limit(10, 1e-6) == pytest.approx(45.08 / 10.0, rel=0.08)
    assert chi2_limit(100, 1e-3) == pytest.approx(149.4 / 100.0, rel=0.02)


def test_the_law_of_a_dark_is_its_read_noise():
    rng = np.random.default_rng(11)
    dark = rng.normal(0.0, 5.0, (30, 1024))
    law = scan_law(dark.mean(axis=0), dark.std(axis=0, ddof=1), 30, NOWHERE, 1e-3)
    assert np.median(law.independent(np.zeros(3))) == pytest.approx(25.0, rel=0.1)


def test_hardly_any_pixels_are_no_error():
    for pixels in (2, 3, 9):
        wl = axis(400.0, 500.0, pixels)
        sample = np.arange(pixels, dtype=float) + 100.0
        given = Measurement(wl, sample, scans=4, spread=np.full(pixels, 2.0), dark=sample, dark_variance=sample)
        assert (correct(given).variance > 0.0).all()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.02])
def test_pixels_that_differ_in_response_are_no_lines(share):
    rng = np.random.default_rng(12)
    continuum = 20_000.0 * np.exp(-(((WL - 550.0) / 150.0) ** 2))
    light = continuum * (1.0 + share * rng.standard_normal(1024))
    corrected = correct(of_scans(scans_of(light, 20, 13)))
    off = (corrected.scope_corrected - continuum) / np.sqrt(corrected.variance)
    bright = continuum > 5000.0
    assert 0.6 < np.std(off[bright]) < 1.25
    assert 0.6 < np.std(off[~bright]) < 1.25


def test_lines_alone_tell_no_response():
    light = lines(WL, np.linspace(320.0, 780.0, 60), np.full(60, 20_000.0), 1.2)
    taken = scans_of(light, 20, 14)
    corrected = correct(of_scans(taken))
    tops = light > 10_000.0
    assert np.median(corrected.variance[tops] / ((READ**2 + GAIN * light[tops]) / 20.0)) < 1.5
