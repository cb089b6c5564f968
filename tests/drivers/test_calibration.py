from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers import calibration

coefficients = st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=6)


@given(coefficients, st.integers(1, 300), st.sampled_from([0, -10]))
def test_an_axis_is_always_usable(values, pixels, first_index):
    axis, calibrated = calibration.wavelength_axis(values, pixels, first_index)
    assert axis.shape == (pixels,)
    assert axis.dtype == np.float64
    assert np.isfinite(axis).all()
    assert (np.diff(axis) > 0).all()
    if not calibrated:
        assert axis.tolist() == list(range(pixels))


def test_the_polynomial_is_over_the_pixel_number():
    axis, calibrated = calibration.wavelength_axis([200.0, 0.5, -1e-5, 2e-9], 4)
    assert calibrated
    assert axis == pytest.approx([200.0 + 0.5 * i - 1e-5 * i**2 + 2e-9 * i**3 for i in range(4)])


@pytest.mark.parametrize(
    "values",
    [
        [340.0, 0.38, -1.2e-5, None],
        [1000.0, -0.3, 0.0, 0.0],
        [340.0, 0.38, -1e-3, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [50.0, 0.3, 0.0, 0.0],
        [2000.0, 0.5, 0.0, 0.0],
        [1e11, 1e11, 1e11, 1e11],
        [500.0],
        [],
    ],
)
def test_what_is_no_axis_gives_pixel_numbers(values):
    axis, calibrated = calibration.wavelength_axis(values, 2048)
    assert not calibrated
    assert axis[-1] == 2047


@given(coefficients, st.integers(1, 262143))
def test_nonlinearity_is_sane_or_empty(values, saturation):
    kept = calibration.nonlinearity(values, saturation)
    gain = np.polynomial.polynomial.polyval(np.linspace(0, saturation, 100), kept or (1.0,))
    assert (gain > 0.49).all()
    assert (gain < 1.51).all()


def test_a_usual_nonlinearity_is_kept():
    usual = (0.93, 3.0e-6, -5e-11, 0.0)
    assert calibration.nonlinearity(usual, 65535) == usual


@pytest.mark.parametrize("blank", [[0.0] * 8, [None], [], [1.0, None], [1.0, 1e-3], [-1.0, 2e-5]])
def test_a_blank_or_broken_nonlinearity_is_left_out(blank):
    assert calibration.nonlinearity(blank, 65535) == ()


@pytest.mark.parametrize(
    ("told", "full_scale", "usual", "level"),
    [
        (None, 65535, 0, 65535),
        (62000, 65535, 0, 62000),
        (12, 65535, 0, 65535),
        (80000, 65535, 0, 65535),
        (180_000, 262143, 200_000, 180_000),
        (None, 262143, 200_000, 200_000),
        (0, 262143, 200_000, 200_000),
        (1 << 31, 262143, 0, 262143),
    ],
)
def test_saturation_is_in_raw_counts_and_bounded(told, full_scale, usual, level):
    assert calibration.saturation_counts(told, full_scale, usual) == level


@pytest.mark.parametrize(
    ("told_c", "kept_c"),
    [(-10.5, -10.5), (24.0, 24.0), (None, None), (float("nan"), None), (-128.0, None), (3e9, None)],
)
def test_a_temperature_no_laboratory_has_is_none(told_c, kept_c):
    assert calibration.sane_temperature_c(told_c) == kept_c
