"""Pixels that cannot be believed, each kind with a truth that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.spectra import axis, lines

from oesd.engine.correction import correct
from oesd.engine.defects import hot_pixels, silent_pixels, stuck_pixels
from oesd.model import Measurement
from oesd.store.encoding import pack_spread, unpack_spread

WL = axis(300.0, 800.0, 1024)
GAIN, READ = 0.15, 8.0


def light_of(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    continuum = 1500.0 * np.exp(-(((WL - 550.0) / 150.0) ** 2))
    return continuum + lines(WL, rng.uniform(310, 790, 25), 10.0 ** rng.uniform(2.0, 4.2, 25), 1.2)


def scans_of(light: np.ndarray, scans: int, seed: int, flicker: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    level = light * (1.0 + flicker * rng.standard_normal((scans, 1)))
    return np.round(400.0 + rng.poisson(np.maximum(level, 0.0) / GAIN) * GAIN + rng.normal(0.0, READ, level.shape))


def measured(scans: np.ndarray, **more) -> Measurement:
    """As it comes out of the store, which keeps as many bits of a spread as mean something."""
    spread = unpack_spread(pack_spread(scans.std(axis=0, ddof=1).astype(np.float32), len(scans)))
    return Measurement(
        WL,
        scans.mean(axis=0),
        dark=np.full(len(WL), 400.0),
        scans=len(scans),
        saturation_counts=65535.0,
        spread=spread.astype(np.float64),
        **more,
    )


@pytest.mark.parametrize("scans", [2, 3, 10, 50])
def test_a_pixel_hit_in_one_scan_is_told_by_the_spread_even_within_a_line_and_gets_its_light_back(scans):
    light, rng = light_of(1), np.random.default_rng(2)
    taken = scans_of(light, scans, 3, flicker=0.01)
    places = rng.choice(np.arange(20, 1000, 12), 40, replace=False)
    for place in places:
        taken[rng.integers(scans), place] += 20.0 * np.sqrt(READ**2 + GAIN * light[place]) + 0.05 * light[place] + 200.0
    corrected = correct(measured(taken))
    off = (corrected.net - light)[places] / np.sqrt(corrected.variance[places])
    assert np.mean(np.abs(off) < 4.0) > 0.9
    assert np.sqrt(np.mean(np.sort(off**2)[:36])) < 1.3
    shown = corrected.scope_corrected[places] - light[places]
    assert shown.min() > 0.0  # what a person sees has the hits


def test_light_that_flickers_is_no_hit_and_no_bad_pixel():
    light, rng = light_of(4), np.random.default_rng(5)
    taken = scans_of(light, 10, 6, flicker=0.05)
    alone = lines(WL, np.array([450.0, 610.0]), np.array([9000.0, 4000.0]), 1.2)  # lines of another element
    taken += np.round(alone * (1.0 + 0.3 * rng.standard_normal((10, 1))))
    corrected = correct(measured(taken))
    assert not corrected.unsure.any()
    np.testing.assert_array_equal(corrected.net, corrected.scope_corrected)


def test_a_pixel_that_jumps_between_two_levels_has_its_own_variance():
    taken = scans_of(light_of(7), 20, 8)
    place = int(np.argmin(light_of(7)[30:-30])) + 30
    taken[:, place] += 300.0 * (np.arange(20) % 2) - 150.0
    corrected = correct(measured(taken))
    assert corrected.variance[place] == pytest.approx(300.0**2 / 4.0 / 20.0, rel=0.2)
    assert np.median(corrected.variance) < 20.0


def test_a_stuck_pixel_shows_no_noise():
    taken = scans_of(light_of(9), 5, 10)
    taken[:, 333] = 411.0
    corrected = correct(measured(taken))
    assert corrected.unsure[333]
    assert corrected.unsure.sum() == 1


def test_two_scans_alike_prove_no_stuck_pixel_and_neither_does_a_detector_without_noise():
    assert not stuck_pixels(np.where(np.arange(2048) % 20 == 0, 0.0, 8.0), 2).any()
    assert not stuck_pixels(np.where(np.arange(2048) % 2 == 0, 0.0, 0.4), 50).any()
    assert np.flatnonzero(stuck_pixels(np.where(np.arange(2048) == 7, 0.0, 8.0), 8)).tolist() == [7]


def test_saturated_pixels_show_no_noise_and_are_not_stuck():
    taken = scans_of(light_of(9), 5, 10)
    taken[:, 500:504] = 65535.0
    corrected = correct(measured(taken))
    assert corrected.saturated[500:504].all()
    assert not corrected.unsure[500:504].any()


def test_a_dead_pixel_is_told_by_the_reference_and_bridged():
    taken = scans_of(np.full(1024, 3000.0), 1, 11)
    taken[:, 77] = 402.0
    white = 400.0 + 20_000.0 * np.exp(-(((WL - 550.0) / 200.0) ** 2))
    white[77] = 405.0
    corrected = correct(Measurement(WL, taken[0], dark=np.full(1024, 400.0), reference=white))
    assert np.flatnonzero(corrected.unsure).tolist() == [77]
    assert corrected.net[77] == pytest.approx(3000.0, abs=100.0)
    assert corrected.scope_corrected[77] == pytest.approx(2.0)


def test_gaps_between_lines_of_a_reference_lamp_are_no_dead_pixels():
    step = WL[1] - WL[0]
    lamp = lines(WL, WL[[100, 104, 200, 203, 300, 302]], np.full(6, 5000.0), 1.8 * step)
    assert not silent_pixels(lamp + np.random.default_rng(1).normal(0.0, 3.0, 1024), None).any()


def test_a_listed_pixel_is_never_trusted_and_a_strange_number_does_no_harm():
    sample = np.full(1024, 500.0)
    sample[40] = 900.0
    corrected = correct(Measurement(WL, sample, dead_pixels=(40, -3, 5000)))
    assert np.flatnonzero(corrected.unsure).tolist() == [40]
    assert corrected.net[40] == 500.0
    assert corrected.scope_corrected[40] == 900.0


@given(
    seed=st.integers(0, 10**6),
    scans=st.integers(2, 40),
    flicker=st.sampled_from([0.0, 0.01, 0.1]),
)
@settings(max_examples=25)
def test_sound_pixels_are_hardly_ever_called_hit_noisy_or_stuck(seed, scans, flicker):
    light = light_of(seed)
    corrected = correct(measured(scans_of(light, scans, seed + 1, flicker)))
    assert np.isfinite(corrected.net).all()
    assert (corrected.variance > 0.0).all()
    assert np.count_nonzero(corrected.net != corrected.scope_corrected) <= 1


@pytest.mark.parametrize("noise", [0.1, 0.25, 0.4, 0.6])
def test_a_dark_whose_noise_is_hidden_in_its_whole_counts_has_no_hot_pixels_but_the_hot_ones(noise):
    dark = np.round(400.0 + np.random.default_rng(2).normal(0.0, noise, 2048))
    assert not hot_pixels(dark, 2048).any()
    dark[700] += 200.0
    dark[900] -= 200.0
    assert hot_pixels(dark, 2048).nonzero()[0].tolist() == [700, 900]


@pytest.mark.parametrize("scans", [5, 10, 100])
def test_a_scan_that_is_one_count_higher_was_not_hit(scans):
    rng = np.random.default_rng(1)
    seen = np.round(1000.3 + rng.normal(0.0, 0.1, (scans, 2048)))
    given = Measurement(np.arange(300.0, 2348.0), seen.mean(axis=0), scans=scans, spread=seen.std(axis=0, ddof=1))
    corrected = correct(given)
    np.testing.assert_array_equal(corrected.net, given.sample)
    assert not corrected.unsure.any()
