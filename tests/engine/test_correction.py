"""Golden tests of every correction step: what the instrument added is known, so is what must come out."""

import numpy as np
import pytest
from tests.engine.spectra import axis, lines

from oesd.engine.correction import correct, flat_tops
from oesd.engine.defects import hot_pixels, spikes
from oesd.engine.linearity import linearised
from oesd.model import Measurement

WL = axis(400.0, 500.0, 300)


def measurement(sample, **more):
    return Measurement(WL, np.asarray(sample, dtype=float), **more)


def test_the_stored_dark_is_subtracted():
    dark = np.linspace(100.0, 130.0, 300)
    corrected = correct(measurement(dark + 50.0, dark=dark))
    np.testing.assert_allclose(corrected.scope_corrected, 50.0)


def test_electric_dark_is_the_mean_of_the_black_pixels_and_only_without_a_stored_dark():
    sample = np.full(300, 500.0)
    sample[[3, 5]] = 90.0, 110.0
    np.testing.assert_allclose(correct(measurement(sample, electric_dark_pixels=(3, 5))).scope_corrected[10:], 400.0)
    both = measurement(sample, electric_dark_pixels=(3, 5), dark=np.full(300, 200.0))
    np.testing.assert_allclose(correct(both).scope_corrected[10:], 300.0)


def test_non_linearity_is_undone():
    true = np.linspace(0.0, 50000.0, 300)
    coefficients = (0.93, 4e-6, -6e-11)
    raw = true.copy()
    for _ in range(200):
        raw = true * np.polynomial.polynomial.polyval(raw, coefficients)
    np.testing.assert_allclose(linearised(raw, coefficients)[0], true, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "coefficients",
    [(0.0,) * 8, (np.nan, 1.0), (np.inf,), (1.0, 1e-3), (-1.0,), (1.0, 0.0, 1e300), (3.4e38, -3.4e38), (0.1,)],
)
def test_unbelievable_coefficients_change_nothing_and_are_said(coefficients):
    net = np.linspace(0.0, 50000.0, 300)
    same, warnings = linearised(net, coefficients)
    np.testing.assert_array_equal(same, net)
    assert warnings == ("non-linearity coefficients are not believable: not applied",)


def test_no_coefficients_need_no_warning():
    assert linearised(np.ones(5), ())[1] == ()


def test_saturation_comes_from_the_capture_first_then_from_the_limit_then_from_flat_tops():
    sample = np.full(300, 1000.0)
    sample[100:104] = 4095.0
    told = np.zeros(300, dtype=bool)
    told[7] = True
    assert np.flatnonzero(
        correct(measurement(sample, saturated=told, saturation_counts=4095.0)).saturated
    ).tolist() == [7]
    limit = correct(measurement(sample, saturation_counts=4095.0))
    assert np.flatnonzero(limit.saturated).tolist() == [100, 101, 102, 103]
    assert "4 saturated pixels" in limit.warnings[0]
    assert np.flatnonzero(correct(measurement(sample)).saturated).tolist() == [100, 101, 102, 103]


def test_an_average_hides_a_clipped_scan():
    sample = np.full(300, 1000.0)
    sample[50] = 0.99 * 4095.0
    assert correct(measurement(sample, saturation_counts=4095.0, scans=10)).saturated[50]
    assert not correct(measurement(sample, saturation_counts=4095.0, scans=1)).saturated[50]


def test_a_constant_spectrum_has_no_flat_top():
    assert not flat_tops(np.full(20, 3.0)).any()


def test_hot_pixels_of_the_dark_are_bridged_in_the_net_and_kept_in_what_is_shown():
    rng = np.random.default_rng(1)
    dark = 200.0 + rng.normal(0.0, 2.0, 300)
    dark[[40, 200]] += 900.0
    sample = 700.0 + rng.normal(0.0, 2.0, 300) + (dark - 200.0)
    sample[40] += 300.0  # the hot pixel drifted since the dark was taken
    corrected = correct(measurement(sample, dark=dark))
    assert np.flatnonzero(hot_pixels(dark, 300)).tolist() == [40, 200]
    assert corrected.net[40] == pytest.approx(500.0, abs=20.0)
    assert corrected.scope_corrected[40] == pytest.approx(800.0, abs=20.0)


def test_a_spike_goes_and_the_narrowest_line_stays():
    rng = np.random.default_rng(2)
    step = WL[1] - WL[0]
    noise = rng.normal(0.0, 3.0, 300)
    line = lines(WL, np.array([WL[150]]), np.array([800.0]), 1.8 * step)
    hit = np.zeros(300)
    hit[60] = 800.0
    net = correct(measurement(noise + line + hit)).net
    assert net[60] < 30.0
    assert net[150] > 700.0


def test_spikes_near_a_saturated_line_are_left_alone():
    net = np.zeros(30)
    net[15] = 4000.0
    saturated = net > 3000.0
    noisy, sigma = net + np.random.default_rng(0).normal(0.0, 1.0, 30), np.ones(30)
    assert spikes(noisy, sigma, ~saturated & False)[15]
    assert not spikes(noisy, sigma, saturated).any()


@pytest.mark.parametrize("share", [0.2, 0.4, 0.9])
def test_a_hit_of_two_pixels_goes(share):
    hit = np.random.default_rng(5).normal(100.0, 3.0, 300)
    hit[[60, 61]] += 800.0, 800.0 * share
    corrected = correct(measurement(hit))
    if share < 0.5:
        assert np.flatnonzero(corrected.unsure).tolist() == [60, 61]
        assert corrected.net[58:64].max() < 120.0
    else:  # two pixels alike may be a narrow line
        assert not corrected.unsure.any()


@pytest.mark.parametrize("off", np.linspace(0.0, 0.5, 6))
def test_no_line_of_the_narrowest_width_is_a_spike_wherever_its_middle_lies(off):
    step = WL[1] - WL[0]
    for height in (60.0, 300.0, 20_000.0):
        light = lines(WL, np.array([WL[150] + off * step]), np.array([height]), 1.8 * step)
        assert not correct(measurement(light + np.random.default_rng(6).normal(0.0, 3.0, 300))).unsure.any()


def test_the_top_of_a_line_between_close_neighbours_is_no_spike():
    step = WL[1] - WL[0]
    close = lines(WL, WL[[140, 142, 144, 146]] + 0.3 * step, np.array([3000.0, 5000.0, 4000.0, 3500.0]), 1.8 * step)
    assert not correct(measurement(close + np.random.default_rng(3).normal(0.0, 5.0, 300))).unsure.any()


def test_noise_on_a_bright_continuum_makes_no_spikes():
    rng = np.random.default_rng(4)
    bright = rng.poisson(20_000.0 * np.exp(-(((WL - 450.0) / 15.0) ** 2)) / 0.2) * 0.2 + rng.normal(0.0, 3.0, 300)
    assert not correct(measurement(bright)).unsure.any()


def test_the_boxcar_averages_the_net_only():
    sample = np.zeros(300)
    sample[100:103] = 9.0, 18.0, 9.0
    corrected = correct(measurement(sample, boxcar_half_width_px=1))
    assert corrected.net[101] == pytest.approx(12.0)
    assert corrected.scope_corrected[101] == 18.0


@pytest.mark.parametrize(("dark_us", "told"), [(50_000, True), (100_001, False), (100_000, False), (None, False)])
def test_a_dark_of_another_integration_time_is_said_and_not_scaled(dark_us, told):
    dark = np.linspace(100.0, 130.0, 300)
    corrected = correct(measurement(dark + 50.0, dark=dark, integration_us=100_000, dark_integration_us=dark_us))
    assert any("exposed for 50 ms" in warning for warning in corrected.warnings) == told
    np.testing.assert_allclose(corrected.scope_corrected, 50.0)


@pytest.mark.parametrize(("fwhm_px", "reach"), [(None, 2), (1.5, 1), (4.0, 2), (9.0, 5)])
def test_pixels_within_half_a_line_width_of_a_full_one_are_spilled_on(fwhm_px, reach):
    sample = np.full(300, 1000.0)
    sample[100:103] = 4095.0
    corrected = correct(measurement(sample, saturation_counts=4095.0), fwhm_px)
    assert np.flatnonzero(corrected.saturated).tolist() == [100, 101, 102]
    expected = [*range(100 - reach, 100), *range(103, 103 + reach)]
    assert np.flatnonzero(corrected.spilled).tolist() == expected


def test_what_the_correction_makes_of_one_measurement_with_all_that_can_be_known_stays_the_same():
    rng = np.random.default_rng(7)
    light = lines(WL, np.array([420.0, 450.0, 470.0]), np.array([9000.0, 300_000.0, 2000.0]), 1.2) + 500.0
    taken = 400.0 + light + rng.normal(0.0, 6.0, (8, 300))
    taken[3, 200] += 4000.0
    given = measurement(
        np.minimum(taken, 65535.0).mean(axis=0), dark=np.full(300, 400.0), dark_variance=np.full(300, 4.5),
        dark_scans=8, spread=taken.std(axis=0, ddof=1), scans=8, saturated=(taken >= 65535.0).any(axis=0),
        saturation_counts=65535.0,
        nonlinearity=(0.99, 1e-7), short=400.0 + light / 10.0, short_dark=np.full(300, 400.0), integration_us=100_000,
        short_integration_us=10_000, stray_light=(0.001, 0.002, 25.0), dead_pixels=(30,), boxcar_half_width_px=1,
    )  # fmt: skip
    corrected = correct(given)
    assert not corrected.saturated.any()
    assert corrected.unsure[30]
    assert "taken from the exposure of 10 ms" in corrected.warnings[0]
    assert np.abs(corrected.net[199:202] - corrected.net[190:198].mean()).max() < 60.0  # the hit is gone
    assert corrected.scope_corrected.max() == pytest.approx(light.max() / 0.99, rel=0.05)
    again = correct(given)
    for name in ("net", "scope_corrected", "variance"):
        assert getattr(corrected, name).tobytes() == getattr(again, name).tobytes()
        assert np.isfinite(getattr(corrected, name)).all()


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_smooth_top_of_a_continuum_is_not_full(noise):
    dome = 30000.0 * np.exp(-0.5 * ((np.arange(2048) - 1000.0) / 450.0) ** 2)
    dome += np.random.default_rng(0).normal(0.0, noise, 2048)
    assert not flat_tops(dome).any()
    clipped = np.minimum(dome, 29000.0)
    np.testing.assert_array_equal(flat_tops(clipped), clipped == 29000.0)
    at_both_ends = np.minimum(60000.0 - dome, 55000.0)
    np.testing.assert_array_equal(flat_tops(at_both_ends), at_both_ends == 55000.0)
