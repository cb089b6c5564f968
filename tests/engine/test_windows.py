"""Window arithmetic: the quick ways give what the plain ones do."""

import numpy as np
import pytest

from oesd.engine.windows import (
    averaged,
    filtered,
    gaussian_kernel,
    median,
    median_of_seven,
    quantile,
    smoothed,
    smoothing_of_noise,
    spread_out,
)

NOISE = np.random.default_rng(1).normal(0.0, 1.0, 4000)


@pytest.mark.parametrize("fwhm_px", [0.4, 1.5, 3.0, 3.9, 4.0, 5.6, 9.0, 9.7, 25.0])
def test_short_kernels_after_each_other_make_the_same_gaussian(fwhm_px):
    plain = filtered(NOISE, gaussian_kernel(fwhm_px))
    quick = smoothed(NOISE, fwhm_px)
    assert len(quick) == len(NOISE)
    assert np.abs(quick - plain).max() < 0.03 * np.abs(plain).max()
    assert smoothing_of_noise(fwhm_px) == pytest.approx(quick.var(), rel=0.15)
    np.testing.assert_allclose(smoothed(np.full(50, 7.0), fwhm_px), 7.0, rtol=1e-12)


@pytest.mark.parametrize("pixels", [1, 2, 3, 9])
def test_few_pixels_are_smoothed_too(pixels):
    assert np.isfinite(smoothed(NOISE[:pixels], 12.0)).all()


@pytest.mark.parametrize("step", [1, 2, 3, 4, 16, 17, 64])
def test_blocks_are_averaged_and_a_line_drawn_through_their_middles(step):
    pixels = 301
    means = averaged(NOISE[:pixels], step)
    whole = pixels // step
    np.testing.assert_allclose(means, NOISE[: whole * step].reshape(whole, step).mean(axis=1), atol=1e-12)
    middles = (np.arange(whole) + 0.5) * step - 0.5
    line = np.interp(np.arange(pixels), middles, means)
    line[whole * step :] = means[-1]
    np.testing.assert_allclose(spread_out(means, step, pixels), line, atol=1e-12)
    rows = np.array([NOISE[:pixels], 2.0 * NOISE[:pixels]])
    np.testing.assert_array_equal(averaged(rows, step)[0], means)
    np.testing.assert_allclose(spread_out(averaged(rows, step), step, pixels), [line, 2.0 * line], atol=1e-12)


def test_the_median_of_seven_is_that_of_the_neighbourhood():
    at = np.array([3, 40, 996])
    expected = [np.median(NOISE[i - 3 : i + 4]) for i in at]
    np.testing.assert_array_equal(median_of_seven(NOISE[:1000], at), expected)


@pytest.mark.parametrize("count", [1, 2, 101, 1024, 1025, 4000])
def test_sorted_or_partitioned_the_quantiles_are_the_same(count):
    values = NOISE[:count]
    assert median(values) == np.median(values)
    assert quantile(values, 0.4) == pytest.approx(np.quantile(values, 0.4), abs=1e-12)
