"""What is told of a peak: the integral of its light, in digits that fit the file's own unit."""

from math import erf

import numpy as np
import pytest
from tests.engine.spectra import axis, measured

import oesd
from oesd.engine.report import Unit, shown

WL = axis(pixels=1024)
STEP_NM = float(WL[1] - WL[0])
MIDDLES_PX = (120.3, 330.6, 540.1, 750.45, 900.8)


def on_pixels(fwhm_px: float, height: float = 9000.0) -> np.ndarray:
    """Gaussian lines as pixels collect them: the integral over each."""
    sigma = fwhm_px / 2.3548200450309493
    edges = np.arange(1025.0) - 0.5
    whole = sum(np.array([erf(z) for z in (edges - middle) / (sigma * 2.0**0.5)]) for middle in MIDDLES_PX)
    return height * sigma * (0.5 * np.pi) ** 0.5 * np.diff(whole)


@pytest.mark.parametrize("fwhm_px", [1.8, 2.5, 4.0])
def test_the_area_is_all_of_a_lines_light(fwhm_px):
    light = on_pixels(fwhm_px)
    sample, dark = measured(light, read=3.0)
    found = oesd.analyze(WL, sample, dark, saturation_counts=65535.0).detected_peaks
    areas = [peak.area for peak in found if peak.snr > 100.0]
    assert len(areas) == len(MIDDLES_PX)
    whole = light.sum() * STEP_NM / len(MIDDLES_PX)
    assert np.mean(areas) == pytest.approx(whole, rel=0.015)
    assert {peak.fwhm_nm for peak in found if abs(peak.fwhm_nm / (fwhm_px * STEP_NM) - 1.0) > 0.05} == set()


@pytest.mark.parametrize("factor", [1e-4, 3e-6, 1e-7, 1e-12, 2.0**60])
def test_a_file_in_another_unit_keeps_its_digits(factor):
    sample, dark = measured(on_pixels(3.0))
    counts = oesd.analyze(WL, sample, dark)
    other = oesd.analyze(WL, sample * factor, dark * factor)
    for told in ("intensity", "area"):
        as_counts, as_other = ([getattr(p, told) for p in of.detected_peaks] for of in (counts, other))
        np.testing.assert_allclose(np.array(as_other) / factor, as_counts, rtol=1e-4)
    for told in ("scope_corrected", "noise", "baseline"):
        in_counts, in_other = (getattr(of, told) for of in (counts, other))
        np.testing.assert_allclose(in_other / factor, in_counts, atol=0.02)


def test_counts_are_told_to_a_thousandth():
    assert Unit.of(65535.0) == Unit.of(10.0) == Unit.of(0.0) == Unit()
    np.testing.assert_array_equal(shown(np.array([1234.56789, -0.0004]), Unit()), [1234.568, 0.0])


@pytest.mark.parametrize("factor", [1.0, 2.0**-40])
def test_a_silent_pixel_is_one_in_every_unit(factor):
    sample, dark = measured(on_pixels(3.0))
    reference = np.full(1024, 30000.0) + dark
    reference[541], sample[541] = dark[541], dark[541]
    found = oesd.analyze(WL, sample * factor, dark * factor, reference * factor).detected_peaks
    np.testing.assert_allclose([peak.center_px for peak in found], MIDDLES_PX, atol=0.5)
