import numpy as np
import pytest
from tests.engine.spectra import axis, measured, plasma

import oesd
from oesd.engine.calibration import Axis, coarse_axis, refined_axis

WL = axis()


@pytest.mark.parametrize("shift", [-0.45, -0.2, 0.0, 0.3, 0.5])
def test_a_shifted_axis_is_found_and_the_elements_with_it(shift):
    sample, dark = measured(plasma(WL, {"Ar": 9000.0, "Ti": 6000.0}, fwhm_nm=0.9))
    result = oesd.analyze(WL + shift, sample, dark, saturation_counts=65535.0)
    assert {"Ar", "Ti"} == {e.element for e in result.elements}
    assert any("needs calibration" in w for w in result.warnings) == (abs(shift) > 0.25) or abs(shift) == 0.2


@pytest.mark.parametrize("shift", [-1.8, -1.1, 1.4])
def test_an_axis_far_off_is_found_when_it_is_searched_for(shift):
    sample, dark = measured(plasma(WL, {"Ar": 9000.0, "Ti": 6000.0}, fwhm_nm=0.9))
    found = oesd.analyze(WL + shift, sample, dark, saturation_counts=65535.0, search_nm=2.5)
    assert {"Ar", "Ti"} == {e.element for e in found.elements}
    assert not any("not safe" in w for w in found.warnings)


def test_no_peaks_no_shift():
    nothing = np.zeros(0)
    assert coarse_axis(nothing, nothing, nothing, 300.0, 900.0, 1.0) == Axis()


def test_shift_and_stretch_are_recovered_through_outliers():
    rng = np.random.default_rng(1)
    true = np.sort(rng.uniform(300.0, 900.0, 60))
    device = true + 0.25 + 3e-4 * (true - 600.0) + rng.normal(0.0, 0.02, 60)
    device[::15] += 0.7
    fitted = refined_axis(Axis(shift_nm=0.2), device, true, np.full(60, 0.02))
    clean = np.arange(60) % 15 != 0
    assert np.abs(fitted.true_nm(device) - true)[clean].max() < 0.09
    assert abs(np.mean((fitted.true_nm(device) - true)[clean])) < 0.02


def test_one_peak_cannot_refine():
    coarse = Axis(shift_nm=0.1)
    assert refined_axis(coarse, np.array([500.0]), np.array([499.9]), np.array([0.1])) is coarse


def test_both_directions_of_an_axis_agree():
    shown = Axis(shift_nm=0.3, stretch=2e-4, pivot_nm=600.0)
    np.testing.assert_allclose(shown.device_nm(shown.true_nm(WL)), WL)
