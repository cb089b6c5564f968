import numpy as np
import pytest
from tests.engine.spectra import lines

from oesd.engine import peaks
from oesd.engine.linespread import PIXEL_PX, Widths
from oesd.engine.peaks import FALSE_PER_SPECTRUM, threshold_sigmas

PX = np.arange(600.0)
NONE = np.zeros(600, dtype=bool)


def find_peaks(net, sigma, saturated, fwhm_px):
    return peaks.find_peaks(net, sigma, saturated, Widths.even(len(net), fwhm_px))[0]


def spectrum(centers, heights, fwhm=4.0, noise=5.0, seed=0):
    return lines(PX, np.asarray(centers, float), np.asarray(heights, float), fwhm) + np.random.default_rng(seed).normal(
        0.0, noise, len(PX)
    )


def test_a_lone_line_is_measured_to_its_own_stated_errors():
    pulls, widths = [], []
    for seed in range(60):
        center = 300.0 + 0.37 * (seed % 7)
        found = find_peaks(spectrum([center], [300.0], seed=seed), np.full(600, 5.0), NONE, 4.0)
        best = int(np.argmax(found.height))
        pulls.append((found.center_px[best] - center) / found.sigma_px[best])
        widths.append(found.fwhm_px[best])
        assert found.height[best] == pytest.approx(300.0, abs=20.0)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.35)
    assert np.mean(widths) == pytest.approx(np.sqrt(4.0**2 - PIXEL_PX**2), abs=0.1)


def test_the_false_alarm_rate_is_the_stated_one():
    sigma = np.full(600, 5.0)
    false = sum(len(find_peaks(spectrum([], [], seed=s), sigma, NONE, 4.0)) for s in range(200))
    assert false <= 200 * FALSE_PER_SPECTRUM


def test_more_places_need_a_higher_threshold():
    assert threshold_sigmas(2048, 3.0) > threshold_sigmas(200, 3.0) > 2.5


def test_close_lines_come_apart_and_are_marked_blended():
    found = find_peaks(spectrum([300.0, 305.5], [900.0, 700.0]), np.full(600, 5.0), NONE, 4.0)
    strong = found.chosen(found.snr > 10.0)
    np.testing.assert_allclose(strong.center_px, [300.0, 305.5], atol=0.15)
    np.testing.assert_allclose(strong.height, [900.0, 700.0], rtol=0.08)
    assert strong.blended.all()


def test_lines_apart_are_not_blended():
    found = find_peaks(spectrum([200.0, 400.0], [900.0, 700.0]), np.full(600, 5.0), NONE, 4.0)
    assert not found.chosen(found.snr > 10.0).blended.any()


def test_a_clipped_line_is_one_saturated_peak_near_its_middle():
    clean = spectrum([250.2], [5000.0])
    saturated = clean > 2000.0
    found = find_peaks(np.minimum(clean, 2000.0), np.full(600, 5.0), saturated, 4.0)
    strong = found.chosen(found.snr > 10.0)
    assert len(strong) == 1
    assert strong.saturated.all()
    assert strong.center_px[0] == pytest.approx(250.2, abs=0.5)


def test_a_shoulder_less_deep_than_the_noise_is_no_peak():
    found = find_peaks(spectrum([300.0, 303.0], [900.0, 850.0], noise=30.0), np.full(600, 30.0), NONE, 4.0)
    assert len(found.chosen(found.snr > 6.0)) == 1


@pytest.mark.parametrize("values", [np.zeros(600), np.full(600, 7.0), -PX, PX])
def test_nothing_is_found_in_nothing(values):
    assert len(find_peaks(values, np.full(600, 1.0), NONE, 3.0)) == 0
