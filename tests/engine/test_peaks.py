import numpy as np
import pytest
from tests.engine.spectra import axis, lines

from oesd.engine import peaks
from oesd.engine.linefit import top_of
from oesd.engine.linespread import PIXEL_PX, Widths
from oesd.engine.measure import measure
from oesd.engine.peaks import FALSE_PER_SPECTRUM, threshold_sigmas
from oesd.model import Measurement, Recipe

PX = np.arange(600.0)
NONE = np.zeros(600, dtype=bool)


def find_peaks(net, sigma, saturated, fwhm_px):
    return peaks.find_peaks(net, sigma, saturated, Widths.even(len(net), fwhm_px))[0]


def spectrum(centers, heights, fwhm=4.0, noise=5.0, seed=0):
    return lines(PX, np.asarray(centers, float), np.asarray(heights, float), fwhm) + np.random.default_rng(seed).normal(
        0.0, noise, len(PX)
    )


def test_lines_are_measured_to_their_own_stated_errors():
    pulls, widths = [], []
    for seed in range(20):
        centers = np.arange(20.0, 590.0, 23.0) + 0.37 * (seed % 7)
        found = find_peaks(spectrum(centers, np.full(len(centers), 300.0), seed=seed), np.full(600, 5.0), NONE, 4.0)
        strong = found.chosen(found.snr > 20.0)
        assert len(strong) == len(centers)
        pulls.append((strong.center_px - centers) / strong.sigma_px)
        widths.append(strong.fwhm_px)
        np.testing.assert_allclose(strong.height, 300.0, atol=25.0)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.3)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.2)
    assert np.mean(widths) == pytest.approx(np.sqrt(4.0**2 - PIXEL_PX**2), abs=0.1)


def test_blends_are_measured_to_their_own_stated_errors():
    fine, pulls = np.arange(0.0, 600.0, 0.01), []
    rng = np.random.default_rng(1)
    for seed in range(15):
        middles = np.arange(25.0, 580.0, 30.0) + rng.uniform(-3.0, 3.0, 19)
        centers = np.concatenate([middles, middles + rng.uniform(1.0, 3.0, 19)])
        heights = np.concatenate([np.full(19, 500.0), rng.uniform(50.0, 400.0, 19)])
        curve = lines(fine, centers, heights, 4.0)
        found = find_peaks(spectrum(centers, heights, seed=seed), np.full(600, 5.0), NONE, 4.0)
        for middle in middles:
            near = np.abs(fine - middle) < 4.0
            top = fine[near][np.argmax(curve[near])]
            best = int(np.argmin(np.abs(found.center_px - top)))
            pulls.append((found.center_px[best] - top) / found.sigma_px[best])
    assert np.quantile(np.abs(pulls), 0.68) == pytest.approx(1.0, abs=0.4)
    assert np.quantile(np.abs(pulls), 0.95) < 3.0


@pytest.mark.parametrize("skew", [-0.04, 0.04])
def test_the_top_of_lopsided_lines_is_their_top(skew):
    centers = np.arange(20.0, 590.0, 23.0) + np.arange(25) / 7.0
    z = (PX[:, None] - centers) / (4.0 / 2.3548)
    net = 2000.0 * (np.exp(-0.5 * z * z) * (1.0 + skew * z * (z * z - 3.0))).sum(axis=1)
    found = find_peaks(net + np.random.default_rng(2).normal(0.0, 5.0, 600), np.full(600, 5.0), NONE, 4.0)
    strong = found.chosen(found.snr > 50.0)
    assert len(strong) == len(centers)
    assert np.median(np.abs(strong.center_px - centers - top_of(skew) * 4.0 / 2.3548)) < 0.02


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


@pytest.mark.parametrize(
    ("first_nm", "second_nm", "fwhm_nm", "ratio"),
    [
        (576.961, 579.067, 1.5, 0.95),
        (588.995, 589.592, 0.45, 0.5),
        (772.376, 772.421, 0.03, 0.6),
        (794.818, 801.479, 4.0, 0.8),
    ],
)
def test_well_known_pairs_come_apart(first_nm, second_nm, fwhm_nm, ratio):
    step = fwhm_nm / 4.0
    places = np.array([300.3, 300.3 + (second_nm - first_nm) / step])
    found = find_peaks(spectrum(places, [2000.0, 2000.0 * ratio]), np.full(600, 5.0), NONE, 4.0)
    strong = found.chosen(found.snr > 50.0)
    np.testing.assert_allclose(strong.center_px, places, atol=0.35)
    np.testing.assert_allclose(strong.height, [2000.0, 2000.0 * ratio], rtol=0.2)


def test_a_pair_without_two_maxima_is_one_peak_marked_blended():
    strong = find_peaks(spectrum([300.0, 303.9], [2000.0, 900.0]), np.full(600, 5.0), NONE, 4.0)
    strong = strong.chosen(strong.snr > 20.0)
    assert len(strong) == 1
    assert strong.blended.all()


def test_what_is_narrower_than_a_line_is_none():
    net = spectrum(np.arange(20.0, 590.0, 40.0), np.full(15, 800.0))
    net[318:320] += [400.0, 160.0]  # a cosmic hit over two pixels
    found = find_peaks(net, np.full(600, 5.0), NONE, 4.0)
    assert np.abs(found.center_px - 318.3).min() > 5.0
    assert len(found.chosen(found.snr > 10.0)) == 15


@pytest.mark.parametrize(
    ("fwhm_px", "moved_px", "higher"), [(1.8, 0.15, 0.2), (2.5, 0.03, 0.02), (4.0, 0.02, 0.02), (8.0, 0.02, 0.01)]
)
def test_a_hot_pixel_within_a_line_hardly_moves_it(fwhm_px, moved_px, higher):
    """The pixel is bridged; where the line is curved, the bridge is no measurement (0.2 to 0.6 px as if it were)."""
    pulls, places, heights = [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        pixels = np.arange(2048.0)
        centers = np.arange(40.0, 2000.0, 49.0) + rng.uniform(-0.5, 0.5, 40)
        dark = np.round(1000.0 + rng.normal(0.0, 2.0, 2048), 2)
        hot = np.rint(centers).astype(int) + rng.integers(-1, 2, 40)
        dark[hot] += 600.0
        light = lines(pixels, centers, np.full(40, 9000.0), fwhm_px)
        sample = np.round(light + dark + rng.normal(0.0, 12.0, 2048) + 0.05 * np.sqrt(light) * rng.normal(size=2048))
        found = measure(Measurement(axis(300.0, 800.0, 2048), sample, dark=dark), Recipe()).peaks
        at = np.abs(found.center_px[:, None] - centers).argmin(axis=0)
        places += list(found.center_px[at] - centers)
        pulls += list((found.center_px[at] - centers) / found.sigma_px[at])
        heights += list(found.height[at] / 9000.0 - 1.0)
    assert np.quantile(np.abs(pulls), 0.9) < 1.5
    assert np.quantile(np.abs(places), 0.9) < moved_px
    assert np.quantile(np.abs(heights), 0.9) < higher


def test_the_baseline_s_error_is_in_the_height_s():
    net = spectrum([300.0], [500.0])
    plain, doubtful = (
        peaks.find_peaks(net, np.full(600, 5.0), NONE, Widths.even(600, 4.0), None, np.full(600, s))[0]
        for s in (0.0, 20.0)
    )
    assert doubtful.height_sigma.max() == pytest.approx(np.hypot(plain.height_sigma.max(), 20.0), rel=0.05)
    assert (
        len(
            peaks.find_peaks(
                spectrum([300.0], [40.0]), np.full(600, 5.0), NONE, Widths.even(600, 4.0), None, np.full(600, 20.0)
            )[0]
        )
        == 0
    )


@pytest.mark.parametrize("boxcar", [0, 1, 3, 8])
def test_a_boxcar_makes_no_peaks_out_of_noise(boxcar):
    nm, false = axis(pixels=1024), 0
    for seed in range(60):
        sample = 1000.0 + np.random.default_rng(seed).normal(0.0, 20.0, len(nm))
        given = Measurement(nm, sample, boxcar_half_width_px=boxcar, saturation_counts=65535.0)
        false += len(measure(given, Recipe(fwhm_nm=2.0)).peaks)
    assert false <= 60 * 3 * FALSE_PER_SPECTRUM


@pytest.mark.parametrize("boxcar", [1, 3])
def test_a_boxcar_hides_no_clear_line(boxcar):
    nm = axis(pixels=1024)
    light = lines(nm, np.linspace(280.0, 880.0, 16), np.full(16, 300.0), 2.0)
    sample = 1000.0 + light + np.random.default_rng(1).normal(0.0, 12.0, len(nm))
    given = Measurement(nm, sample, boxcar_half_width_px=boxcar, saturation_counts=65535.0)
    assert len(measure(given, Recipe()).peaks) == 16
