"""Second orders of a grating: a strong line's faint image at twice its wavelength is no element."""

import numpy as np
import pytest
from tests.engine.spectra import axis, lines, measured, plasma

import oesd

WL = axis(200.0, 900.0, 3648)
FWHM = 0.8


def analyzed(light, seed=0):
    sample, dark = measured(light, seed)
    return oesd.analyze(WL, sample, dark, saturation_counts=65535.0)


def with_second_order(light, share, below_nm=450.0):
    """What a grating without a filter adds: every line below half the axis' end again, at twice its wavelength."""
    top = np.flatnonzero((light[1:-1] > light[:-2]) & (light[1:-1] >= light[2:]) & (light[1:-1] > 5.0)) + 1
    top = top[WL[top] < below_nm]
    left, middle, right = np.log(np.maximum(light[[top - 1, top, top + 1]], 1e-9))
    center = WL[top] + 0.5 * (left - right) / (left - 2.0 * middle + right) * (WL[1] - WL[0])
    return light + lines(WL, 2.0 * center, share * light[top], FWHM)


def named(result):
    return {e.element for e in result.elements}


def notes(result):
    return [w for w in result.warnings if "second order" in w]


def at(result, nm):
    near = [p for p in result.detected_peaks if abs(p.wavelength_nm - nm) < 0.6]
    return min(near, key=lambda p: abs(p.wavelength_nm - nm))


@pytest.mark.parametrize("share", [0.02, 0.05, 0.15])
def test_images_of_mercury_are_told_and_name_no_element(share):
    light = plasma(WL, {"Hg": 30000.0}, FWHM, 0.7)
    result = analyzed(with_second_order(light, share))
    assert named(result) == {"Hg"}
    (note,) = notes(result)
    assert "507.3" in note and "of 253.6" in note and "of 365.0" in note
    assert at(result, 507.3).element is None


@pytest.mark.parametrize("metal", ["Mg", "Zn", "Cu", "Al"])
def test_images_of_a_metal_name_no_other(metal):
    result = analyzed(with_second_order(plasma(WL, {metal: 40000.0}, FWHM, 0.8), 0.05))
    assert named(result) == {metal}
    assert notes(result)


@pytest.mark.parametrize("metal", ["Mg", "Zn", "Cu", "Al", "Hg"])
def test_without_a_second_order_none_is_told(metal):
    result = analyzed(plasma(WL, {metal: 40000.0}, FWHM, 0.8))
    assert named(result) == {metal}
    assert notes(result) == []


def test_an_element_with_lines_of_its_own_keeps_the_one_that_stands_at_twice_another():
    """Ar 763.5 at twice a strong 381.75: argon has a dozen lines elsewhere, so it is argon's."""
    light = plasma(WL, {"Ar": 3000.0}, FWHM) + lines(WL, np.array([763.51 / 2.0]), np.array([20000.0]), FWHM)
    result = analyzed(light)
    assert "Ar" in named(result)
    assert at(result, 763.51).element == "Ar"
    assert notes(result) == []


def test_where_stronger_neighbours_have_no_image_there_is_none():
    """A filter takes second orders away: what then stands at twice one line's wavelength is a line."""
    light = plasma(WL, {"Hg": 30000.0}, FWHM, 0.7) + lines(WL, np.array([593.46]), np.array([900.0]), FWHM)
    assert notes(analyzed(light)) == []


def test_sodium_is_no_image_of_gallium():
    """Na 588.995 and 589.592 stand beside twice Ga 294.364 and 294.418; with nothing at 574.9 they are sodium's."""
    light = plasma(WL, {"Ga": 20000.0, "Na": 2000.0}, FWHM, 0.7)
    result = analyzed(light)
    assert {"Ga", "Na"} == named(result)
    assert notes(result) == []
