"""The instrument's line spread: learned along the axis, remembered per device."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.spectra import axis, lines, measured

import oesd
from oesd.engine.linespread import PIXEL_PX, Widths, combined, learned, optical, remembered, seen, shown
from oesd.engine.measure import measure
from oesd.model import LineSpread, Measurement, Recipe

WL = axis()
STEP = float(WL[1] - WL[0])


def spectrum(centers, heights, fwhm_nm, seed=0):
    """Lines whose width changes along the axis as ``fwhm_nm`` says."""
    light = np.zeros(len(WL))
    for center, height in zip(centers, heights, strict=True):
        light += lines(WL, np.array([center]), np.array([height]), fwhm_nm(center))
    sample, dark = measured(light, seed=seed)
    return Measurement(wavelengths_nm=WL, sample=sample, dark=dark, saturation_counts=65535.0)


def many(seed, fwhm_nm):
    rng = np.random.default_rng(seed)
    centers = np.sort(rng.uniform(260.0, 890.0, 40))
    centers = centers[np.concatenate([[True], np.diff(centers) > 5.0])]
    return spectrum(centers, 10.0 ** rng.uniform(3.0, 4.5, len(centers)), fwhm_nm, seed)


def leaning(nm):
    return 1.2 + 0.12 * (nm - 575.0) / 325.0


def test_the_width_is_learned_along_the_axis():
    spread = measure(many(1, leaning), Recipe()).line_spread
    assert spread is not None and spread.lines > 15
    looks = np.hypot(
        np.array(spread.fwhm_nm), PIXEL_PX * STEP
    )  # lines() samples at points: what it draws is what is seen
    np.testing.assert_allclose(looks, [leaning(nm) for nm in spread.wavelengths_nm], rtol=0.03)
    assert all(0.0 < s < 0.05 * w for s, w in zip(spread.sigma_nm, spread.fwhm_nm, strict=True))


@pytest.mark.parametrize("wide_px", [24.0, 30.0, 40.0])
def test_a_hint_is_followed_to_lines_wider_than_are_looked_for_without_one(wide_px):
    wide_nm = wide_px * STEP
    centers = np.linspace(300.0, 850.0, 9) + np.array([0.0, 3.0, -4.0, 1.0, 5.0, -2.0, 2.0, -5.0, 0.0])
    light = spectrum(centers, np.linspace(3000.0, 12000.0, 9), lambda _: wide_nm, seed=11)
    found = measure(light, Recipe(fwhm_nm=wide_nm))
    assert found.fwhm_px == pytest.approx(wide_px, rel=0.02)
    assert found.line_spread is not None
    assert len(found.peaks) == len(centers)


def test_without_lines_nothing_is_learned():
    assert measure(spectrum([], [], leaning), Recipe()).line_spread is None


def test_what_is_remembered_tells_the_width_where_few_lines_do():
    spreads = [measure(many(seed, leaning), Recipe()).line_spread for seed in range(2, 6)]
    known = combined([s for s in spreads if s is not None])
    assert known is not None
    pair = spectrum([400.0, 401.1], [3000.0, 2400.0], leaning, seed=7)  # a blend, and nothing else to compare with
    alone, helped = measure(pair, Recipe()), measure(pair, Recipe(line_spread=known))
    assert helped.peaks.blended.any()
    assert helped.fwhm_px * STEP == pytest.approx(leaning(575.0), rel=0.02)
    assert abs(helped.fwhm_px * STEP - leaning(575.0)) < abs(alone.fwhm_px * STEP - leaning(575.0))


def test_what_is_remembered_is_not_in_what_a_spectrum_shows_alone():
    wrong = LineSpread((358.3, 575.0, 791.7), (2.4, 2.4, 2.4), (0.01, 0.01, 0.01), lines=50)
    right = measure(many(1, leaning), Recipe()).line_spread
    shown_alone = measure(many(1, leaning), Recipe(line_spread=right)).line_spread
    assert right is not None and shown_alone is not None
    np.testing.assert_allclose(shown_alone.fwhm_nm, right.fwhm_nm, rtol=0.02)
    assert measure(many(1, leaning), Recipe(line_spread=wrong)).fwhm_px > 0.0


def test_a_value_and_back_is_the_same_width():
    widths = Widths(np.array([341.0, 1023.5, 1706.0]), np.array([3.0, 3.4, 4.1]), np.array([0.01, 0.02, 0.03]))
    again = remembered(shown(widths, 12, WL), WL)
    np.testing.assert_allclose(again.fwhm_px, widths.fwhm_px, rtol=0.002)
    assert seen(float(optical(np.array([3.4]))[0])) == pytest.approx(3.4)


def test_one_spectrum_out_of_focus_does_not_count():
    good = [LineSpread((1.0, 2.0, 3.0), (0.5, 0.5, 0.5), (0.01, 0.01, 0.01), lines=9) for _ in range(5)]
    bad = LineSpread((1.0, 2.0, 3.0), (0.9, 0.9, 0.9), (0.01, 0.01, 0.01), lines=9)
    together = combined([*good[:3], bad, *good[3:]])
    assert together is not None
    np.testing.assert_allclose(together.fwhm_nm, 0.5, rtol=1e-6)
    assert together.sigma_nm[0] < 0.01
    assert combined([]) is None
    other = LineSpread((5.0, 6.0, 7.0), (0.7, 0.7, 0.7), (0.01, 0.01, 0.01), lines=3)
    moved = combined([*good, other])
    assert moved is not None and moved.fwhm_nm == pytest.approx(other.fwhm_nm)


spread_values = st.builds(
    lambda f, s, n: LineSpread((1.0, 2.0, 3.0), tuple(f), tuple(s), lines=n),
    st.lists(st.floats(0.0, 1e3), min_size=3, max_size=3),
    st.lists(st.floats(0.0, 1e3), min_size=3, max_size=3),
    st.integers(0, 500),
)


@settings(max_examples=60, derandomize=True)
@given(st.lists(spread_values, min_size=1, max_size=16))
def test_whatever_is_combined_lies_between(spreads):
    together = combined(spreads)
    assert together is not None
    low, high = (limit([s.fwhm_nm for s in spreads], axis=0) for limit in (np.min, np.max))
    assert np.all(np.array(together.fwhm_nm) >= low - 1e-4) and np.all(np.array(together.fwhm_nm) <= high + 1e-4)
    assert np.isfinite(together.sigma_nm).all()


@settings(max_examples=60, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0.0, 2047.0), st.floats(-100.0, 100.0), st.floats(1e-6, 100.0)), max_size=20),
    st.booleans(),
)
def test_whatever_the_lines_say_widths_stay_bounded(told, with_hint):
    rows = np.array(told).reshape(-1, 3)
    before = Widths.even(2048, 4.0)
    result = learned(before, rows[:, 0], rows[:, 1], rows[:, 2], Widths.even(2048, 5.0) if with_hint else None)
    assert np.all(result.widths.fwhm_px >= 1.5) and np.all(result.widths.fwhm_px <= 20.0)


@pytest.mark.parametrize(
    ("width_px", "hint", "guessed"), [(30.0, False, True), (30.0, True, False), (8.0, False, False)]
)
def test_a_width_that_the_lines_do_not_tell_is_said_to_be_a_guess(width_px, hint, guessed):
    rng = np.random.default_rng(3)
    wl = np.linspace(400.0, 440.0, 4096)
    fwhm_nm = width_px * float(wl[1] - wl[0])
    sample, dark = measured(lines(wl, np.linspace(402.0, 438.0, 12), rng.uniform(2e3, 2e4, 12), fwhm_nm) + 300.0, 3)
    result = oesd.analyze(wl, sample, dark, saturation_counts=65535.0, fwhm_nm=fwhm_nm if hint else None)
    assert any("widths and areas are a guess" in warning for warning in result.warnings) is guessed
