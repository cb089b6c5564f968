"""Darks that are not dark."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.dark_units import light

from oesd.backgrounds.cells import Dark
from oesd.backgrounds.contamination import FIRST, Strictness, judge, scans_to_prove
from oesd.backgrounds.expectation import Expectation, from_darks, from_itself, from_model
from oesd.backgrounds.fitting import Noise

KINDS = ("line", "plasma", "glow", "room light")


def proving(unit, model, integration_us, celsius):
    noise = model.noise_counts(integration_us, celsius)
    return scans_to_prove(noise, model.noise.read_counts, unit.fwhm_px, unit.detector.pixels)


def by_model(unit, model, dark, **more):
    more.setdefault("line_fwhm_px", unit.fwhm_px)
    return judge(dark.counts, from_model(model, dark), scans=dark.scans, black=unit.detector.dark_pixels, **more)


def rate_of(unit, shape, counts, integration_us):
    return shape * counts * unit.detector.electrons_per_count / (integration_us / 1e6)


@pytest.mark.parametrize("kind", KINDS)
def test_no_light_above_twice_the_read_noise_passes(known, kind):
    unit, model = known
    rng = np.random.default_rng(KINDS.index(kind))
    for integration_us in (1_000, 50_000, 500_000):
        celsius = float(rng.uniform(15.0, 30.0))
        # Charge becomes counts at no more than 1.1 of the gain: this is at least 2.2 read noises at the highest pixel.
        rate = rate_of(unit, light(unit, kind, rng), 2.5 * model.noise.read_counts, integration_us)
        scans = proving(unit, model, integration_us, celsius)
        verdict = by_model(unit, model, unit.dark(integration_us, celsius, scans, rate))
        assert not verdict.accepted
        assert verdict.reason.startswith("not dark")
        assert verdict.contamination_counts > 0.5 * model.noise.read_counts


def test_clean_darks_pass_hot_pixels_and_all(known):
    unit, model = known
    rng = np.random.default_rng(9)
    verdicts = []
    for _ in range(40):
        integration_us, celsius = int(rng.choice([1_000, 50_000, 500_000])), float(rng.uniform(15.0, 30.0))
        scans = proving(unit, model, integration_us, celsius)
        verdicts.append(by_model(unit, model, unit.dark(integration_us, celsius, scans)))
    # 40 x 0.002 false alarms are expected to be none; two would happen once in 300 runs, and the seed is fixed.
    assert sum(not verdict.accepted for verdict in verdicts) <= 1
    assert sum("counts would have been seen" in verdict.reason for verdict in verdicts) >= 39


def test_one_scan_proves_nothing_and_says_how_many_do(usb2000):
    unit, model = usb2000
    verdict = by_model(unit, model, unit.dark(10_000, 25.0, 1))
    assert not verdict.accepted
    assert verdict.reason.startswith("not proven dark")
    assert verdict.contamination_counts == 0.0
    assert 5 <= verdict.scans_needed <= 15
    assert by_model(unit, model, unit.dark(10_000, 25.0, verdict.scans_needed)).accepted


def test_known_light_is_found_far_below_the_limit(usb2000):
    unit, model = usb2000
    shape = light(unit, "plasma", np.random.default_rng(1))
    integration_us = 10_000
    rate = rate_of(unit, shape, 0.9 * model.noise.read_counts, integration_us)
    dark = unit.dark(integration_us, 25.0, 40, rate)
    true = np.max(unit.mean(integration_us, 25.0, rate) - unit.mean(integration_us, 25.0))
    verdict = by_model(unit, model, dark, known_light={"the plasma": shape * 40_000.0})
    assert not verdict.accepted
    assert verdict.light == "the plasma"
    assert verdict.contamination_counts == pytest.approx(true, abs=4.0)


def test_a_line_is_named_by_its_wavelength_and_its_height(usb2000):
    unit, model = usb2000
    dark = unit.dark(10_000, 25.0, 12)
    pixels = np.arange(unit.detector.pixels)
    place = int(np.argmin(np.abs(unit.optics.wavelengths_nm - 546.07)))
    lit = dark.counts + 80.0 * np.exp(-0.5 * ((pixels - place) / (unit.fwhm_px / 2.355)) ** 2)
    verdict = judge(
        lit,
        from_model(model, dark),
        scans=12,
        wavelengths_nm=unit.optics.wavelengths_nm,
        line_fwhm_px=unit.fwhm_px,
    )
    assert verdict.light == "line"
    assert "a line at 54" in verdict.reason
    assert verdict.contamination_counts == pytest.approx(80.0, abs=15.0)


def test_a_single_pixel_is_no_light(usb2000):
    unit, model = usb2000
    dark = unit.dark(10_000, 25.0, 12)
    dark.counts[[300, 900, 1500]] += [5_000.0, 200.0, 60.0]
    assert by_model(unit, model, dark).accepted


def test_a_detector_warmer_than_it_says_is_not_light(known):
    unit, model = known
    true = unit.dark(300_000, 25.4, proving(unit, model, 300_000, 25.0))
    claims = Dark(true.counts, true.integration_us, true.scans, 25.0, true.saturated)
    assert by_model(unit, model, claims).accepted


def test_an_even_glow_is_told_from_warmth_by_the_pattern_of_the_current(known):
    unit, model = known
    scans = proving(unit, model, 300_000, 25.0)
    even = np.ones(unit.detector.pixels)
    even[list(unit.detector.dark_pixels)] = 0.0
    dark = unit.dark(300_000, 25.0, scans, rate_of(unit, even, 2.3 * model.noise.read_counts, 300_000))
    assert not by_model(unit, model, dark).accepted


@pytest.mark.parametrize("kind", KINDS)
def test_earlier_darks_serve_before_there_is_a_model(known, kind):
    unit, model = known
    noise = Noise(model.noise.read_counts, model.noise.per_count)
    scans = 2 * proving(unit, model, 50_000, 25.0)
    earlier = [unit.dark(50_000, 25.0, scans) for _ in range(4)]
    clean = unit.dark(50_000, 25.2, scans)
    assert judge(clean.counts, from_darks(earlier, clean, noise), scans=scans).accepted
    shape = light(unit, kind, np.random.default_rng(4))
    lit = unit.dark(50_000, 25.2, scans, rate_of(unit, shape, 2.5 * noise.read_counts, 50_000))
    verdict = judge(lit.counts, from_darks(earlier, lit, noise), scans=scans)
    assert not verdict.accepted
    assert "4 earlier darks" in verdict.reason


def test_the_first_dark_is_held_against_itself(known):
    unit, model = known
    clean = unit.dark(10_000, 25.0, 20)
    first = judge(clean.counts, from_itself(clean, model.noise.read_counts), scans=20, strictness=FIRST)
    assert first.accepted
    lit = unit.dark(10_000, 25.0, 20, rate_of(unit, light(unit, "plasma", np.random.default_rng(2)), 120.0, 10_000))
    verdict = judge(lit.counts, from_itself(lit, model.noise.read_counts), scans=20, strictness=FIRST)
    assert not verdict.accepted
    assert "the spectrum itself" in verdict.reason


def test_a_dark_below_its_expectation_accuses_the_expectation(usb2000):
    unit, model = usb2000
    noise = Noise(model.noise.read_counts, model.noise.per_count)
    line = rate_of(unit, light(unit, "line", np.random.default_rng(6)), 60.0, 10_000)
    lit = [unit.dark(10_000, 25.0, 12, line)]
    dark = unit.dark(10_000, 25.0, 12)
    verdict = judge(dark.counts, from_darks(lit, dark, noise), scans=12, strictness=FIRST)
    assert verdict.accepted
    assert verdict.darker_counts > model.noise.read_counts
    assert "which may have seen light" in verdict.reason
    assert by_model(unit, model, dark).darker_counts == 0.0


def plain(pixels=400, sigma=1.0):
    return Expectation("a flat line", np.zeros(pixels), np.full(pixels, sigma), np.zeros((0, pixels)), 3.0)


def test_false_alarms_are_as_rare_as_stated():
    clean = np.random.default_rng(5).normal(0.0, 1.0, (400, 400))
    often = Strictness(false_alarms=0.02, require_proof=False)
    alarms = sum(judge(counts, plain(), strictness=often).significance > 1.0 for counts in clean)
    assert 1 <= alarms <= 16  # at most 8 are expected; none at all would be blindness


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(20, 380), st.floats(1.0, 100.0))
def test_more_light_is_never_less_suspicious(seed, place, height):
    noise = np.random.default_rng(seed).normal(0.0, 1.0, 400)
    shape = np.exp(-0.5 * ((np.arange(400) - place) / 1.4) ** 2)
    less, more = (judge(noise + h * shape, plain(), strictness=FIRST) for h in (height, 2.0 * height))
    assert more.significance >= less.significance - 1e-9


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_the_verdict_knows_no_units(seed, factor):
    counts = np.random.default_rng(seed).normal(0.0, 1.2, 300)
    one = Expectation("x", np.zeros(300), np.ones(300), np.full((1, 300), 0.3), 3.0)
    other = Expectation("x", np.zeros(300), np.full(300, factor), np.full((1, 300), 0.3 * factor), 3.0 * factor)
    here, there = judge(counts, one), judge(counts * factor, other)
    assert here.accepted == there.accepted
    assert there.significance == pytest.approx(here.significance, rel=1e-6)
    assert there.limit_counts == pytest.approx(here.limit_counts * factor, rel=1e-6)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(-1e4, 1e4))
def test_what_is_shared_is_not_light(seed, amount):
    counts = np.random.default_rng(seed).normal(0.0, 1.0, 300)
    slope = np.linspace(-1.0, 1.0, 300)
    free = Expectation("x", np.zeros(300), np.ones(300), 1e8 * slope[None, :], 3.0)
    assert judge(counts + amount * slope, free, strictness=FIRST).significance == pytest.approx(
        judge(counts, free, strictness=FIRST).significance, abs=1e-2
    )
