"""Laws that hold for every spectrum."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.spectra import axis, continuum, measured, plasma

import oesd
from oesd.engine.analyze import analyze_measurement
from oesd.model import ConstraintMode, Measurement, Recipe

WL = axis(pixels=1024)
LIGHT = plasma(WL, {"Ar": 12000.0, "Ti": 7000.0, "Al": 5000.0}, 1.6) + continuum(WL, 900.0)
SAMPLE, DARK = measured(LIGHT)
FEW = settings(max_examples=8, derandomize=True)


def names(result):
    return [e.element for e in result.elements]


def peaks(result):
    return [(p.center_px, p.element, [c.candidate_key for c in p.candidates]) for p in result.detected_peaks]


PLAIN = oesd.analyze(WL, SAMPLE, DARK, saturation_counts=65535.0)


def test_the_plain_spectrum_is_solved():
    assert set(names(PLAIN)) == {"Ar", "Ti", "Al"}


@FEW
@given(st.integers(-8, 8))
def test_brighter_by_a_power_of_two_changes_no_name(power):
    factor = 2.0**power
    result = oesd.analyze(WL, SAMPLE * factor, DARK * factor, saturation_counts=65535.0 * factor)
    assert names(result) == names(PLAIN)
    assert peaks(result) == peaks(PLAIN)


@FEW
@given(st.floats(0.01, 100.0))
def test_brighter_by_any_factor_changes_no_name(factor):
    result = oesd.analyze(WL, SAMPLE * factor, DARK * factor, saturation_counts=65535.0 * factor)
    assert names(result) == names(PLAIN)


@FEW
@given(st.integers(-300, 20000))
def test_a_constant_in_sample_and_dark_changes_nothing(offset):
    result = oesd.analyze(WL, SAMPLE + offset, DARK + offset, saturation_counts=65535.0 + offset)
    assert names(result) == names(PLAIN)
    np.testing.assert_array_equal(result.scope_corrected, PLAIN.scope_corrected)


@FEW
@given(st.integers(1, 40))
def test_a_line_moved_by_n_pixels_is_found_moved_by_n(n):
    rng = np.random.default_rng(0)
    signal = rng.normal(0.0, 5.0, 1024)
    signal += 3000.0 * np.exp(-0.5 * ((np.arange(1024) - 500.3) / 1.6) ** 2)
    before, after = (oesd.analyze(WL, 500.0 + np.roll(signal, k), saturation_counts=65535.0) for k in (0, n))
    strongest = [max(r.detected_peaks, key=lambda p: p.intensity).center_px for r in (before, after)]
    assert strongest[1] - strongest[0] == pytest.approx(n, abs=0.02)


@FEW
@given(st.integers(-300, 2000))
def test_a_constant_without_a_dark_changes_no_name(offset):
    assert names(oesd.analyze(WL, SAMPLE + offset, saturation_counts=65535.0 + offset)) == names(PLAIN)


LONG = axis(236.0, 914.0, 1068)
LONG_SAMPLE, LONG_DARK = measured(
    plasma(LONG, {"Ar": 12000.0, "Ti": 7000.0, "Al": 5000.0}, 1.6) + continuum(LONG, 900.0)
)


def window(begin):
    part = slice(begin, begin + 1024)
    return oesd.analyze(LONG[part], LONG_SAMPLE[part], LONG_DARK[part], saturation_counts=65535.0)


AT_START = window(0)


@FEW
@given(st.integers(1, 30))
def test_a_spectrum_that_begins_n_pixels_later_has_the_same_names_at_the_same_light(n):
    later = window(n)
    assert set(names(later)) == set(names(AT_START))
    strong = [p for p in AT_START.detected_peaks if p.snr > 30.0 and n + 20 < p.center_px < 1004]
    sure = [p for p in strong if p.probability > 0.9]
    assert len(sure) > 20
    for peak in sure:
        same = min(later.detected_peaks, key=lambda p: abs(p.center_px + n - peak.center_px))
        assert same.center_px + n == pytest.approx(peak.center_px, abs=0.1)
        assert same.element == peak.element


@FEW
@given(st.permutations(["Ar", "Ti", "Cu", "Fe"]), st.sampled_from(["ambient", "expected"]))
def test_the_order_of_what_is_ambient_or_expected_changes_nothing(order, what):
    mode = {"constraint": "include", "elements": ["Al", "Ti"]} if what == "ambient" else {}
    as_given, in_order = (oesd.analyze(WL, SAMPLE, DARK, **mode, **{what: e}) for e in (order, sorted(order)))
    assert as_given.elements == in_order.elements
    assert as_given.detected_peaks == in_order.detected_peaks


@FEW
@given(st.lists(st.sampled_from(["Ar", "Ti", "Al", "Fe", "Ce", "Cu"]), min_size=1, unique=True))
def test_excluded_elements_are_never_claimed_or_offered(elements):
    result = oesd.analyze(WL, SAMPLE, DARK, constraint="exclude", elements=elements)
    assert not set(names(result)) & set(elements)
    assert not {c.element for p in result.detected_peaks for c in p.candidates} & set(elements)


@FEW
@given(st.lists(st.sampled_from(["Ar", "Ti", "Al", "Fe", "Ce", "Cu"]), unique=True))
def test_included_elements_are_all_that_is_claimed(elements):
    result = oesd.analyze(WL, SAMPLE, DARK, constraint="include", elements=elements)
    assert set(names(result)) <= set(elements)
    assert set(names(result)) >= set(elements) & {"Ar", "Ti", "Al"}


@FEW
@given(st.permutations(["Ar", "Ti", "Al", "Fe"]), st.sampled_from(["include", "exclude"]))
def test_the_order_of_the_elements_asked_for_changes_nothing(order, mode):
    given_order = oesd.analyze(WL, SAMPLE, DARK, constraint=mode, elements=order)
    sorted_order = oesd.analyze(WL, SAMPLE, DARK, constraint=mode, elements=sorted(order))
    assert given_order.elements == sorted_order.elements
    assert given_order.detected_peaks == sorted_order.detected_peaks


def test_the_same_input_gives_the_same_bytes():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    texts = [
        json.dumps(oesd.analyze(WL, SAMPLE, DARK, saturation_counts=65535.0).to_api(last_updated=moment))
        for _ in range(3)
    ]
    assert texts[0] == texts[1] == texts[2]


def test_dark_minus_dark_is_nothing():
    result = oesd.analyze(WL, DARK, DARK)
    assert not result.elements and not result.detected_peaks
    assert not result.scope_corrected.any()


def test_both_entrances_agree_and_the_inputs_stay_untouched():
    sample, dark = SAMPLE.copy(), DARK.copy()
    measurement = Measurement(WL, sample, dark, saturation_counts=65535.0)
    result = analyze_measurement(measurement, Recipe(ConstraintMode.AUTO))
    assert result.detected_peaks == PLAIN.detected_peaks
    np.testing.assert_array_equal(sample, SAMPLE)
    np.testing.assert_array_equal(dark, DARK)
    assert result.engine_version and result.line_table_version
