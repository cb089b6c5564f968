"""On and off, proven from spectra."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.dark_units import Unit, light

from oesd.backgrounds.plasma_off import Band, Intensity, PlasmaWatch, State, Thresholds, band_intensity

ARGON = Band(750.6, 2.0, 8.0)
LEVELS = Thresholds(on_above=1_000.0, off_below=200.0, on_hold_s=1.0, off_hold_s=5.0, gap_s=3.0)


def sure(counts_per_s):
    return [Intensity(counts_per_s, 0.0)]


def test_a_band_measures_light_and_not_dark():
    unit = Unit("USB2000+", 3)
    shape = light(unit, "plasma", np.random.default_rng(0))
    nm = unit.optics.wavelengths_nm
    for integration_us, celsius in ((10_000, 20.0), (1_000_000, 33.0)):
        dark = band_intensity(nm, unit.dark(integration_us, celsius, 4).counts, ARGON, integration_us)
        assert abs(dark.counts_per_s) < 5.0 * dark.sigma
        # As bright in either exposure: counts per second do not depend on it.
        lit = band_intensity(nm, unit.dark(integration_us, celsius, 4, 5e4 * shape).counts, ARGON, integration_us)
        assert 2_000.0 < lit.counts_per_s < 20_000.0


def test_saturation_is_light_and_a_band_off_the_axis_is_refused():
    nm = np.linspace(700.0, 800.0, 300)
    full = np.abs(nm - 750.6) < 0.5
    assert band_intensity(nm, np.full(300, 60_000.0), ARGON, 1_000, full).counts_per_s == math.inf
    with pytest.raises(ValueError, match="does not lie on this spectrometer's axis"):
        band_intensity(nm, np.zeros(300), Band(300.0, 1.0, 3.0), 1_000)


@pytest.mark.parametrize("bad", [(750.0, 0.0, 1.0), (750.0, 1.0, -1.0), (math.nan, 1.0, 1.0)])
def test_bands_that_make_no_sense(bad):
    with pytest.raises(ValueError, match="positive widths"):
        Band(*bad)


@pytest.mark.parametrize("bad", [{"off_below": 1_000.0}, {"off_hold_s": -1.0}, {"gap_s": 0.0}])
def test_thresholds_that_make_no_sense(bad):
    with pytest.raises(ValueError, match=r"must be|must not"):
        Thresholds(**{"on_above": 1_000.0, "off_below": 200.0, **bad})


def test_off_is_proven_after_the_hold_time_and_on_sooner():
    watch = PlasmaWatch(LEVELS)
    states = [watch.update(sure(0.0), t).state for t in range(7)]
    assert states == [State.UNKNOWN] * 5 + [State.OFF] * 2
    found = [watch.update(sure(5_000.0), 7.0 + t) for t in (0.0, 0.5, 1.0, 1.5)]
    assert [f.state for f in found] == [State.OFF, State.OFF, State.ON, State.ON]
    assert [f.changed for f in found] == [False, False, True, False]
    assert found[2].reason == "plasma on: 5000 counts/s, above 1000 for 1.0 s"


def test_between_the_thresholds_nothing_changes():
    watch = PlasmaWatch(LEVELS)
    for t in range(3):
        watch.update(sure(5_000.0), t)
    assert all(watch.update(sure(600.0), 3.0 + t).state is State.ON for t in range(50))


def test_noise_above_the_threshold_proves_nothing():
    watch = PlasmaWatch(LEVELS)
    assert all(watch.update([Intensity(0.0, 100.0)], t).state is State.UNKNOWN for t in range(50))


def test_one_lit_band_among_dark_ones_is_light():
    watch = PlasmaWatch(LEVELS)
    assert all(watch.update([*sure(0.0), *sure(500.0)], t).state is State.UNKNOWN for t in range(50))


@pytest.mark.parametrize("nothing", [[], sure(math.nan), [Intensity(0.0, math.nan)]])
def test_a_spectrum_that_tells_nothing_breaks_the_proof(nothing):
    watch = PlasmaWatch(LEVELS)
    for t in range(5):
        watch.update(sure(0.0), t)
    watch.update(nothing, 5.0)
    assert watch.update(sure(0.0), 6.0).state is State.UNKNOWN


def test_a_gap_and_a_clock_that_steps_back_break_the_proof():
    for times in ((0.0, 2.0, 5.5, 8.0), (0.0, 3.0, 2.0, 5.0)):
        watch = PlasmaWatch(LEVELS)
        assert all(watch.update(sure(0.0), t).state is State.UNKNOWN for t in times)


def test_off_is_proven_only_as_long_as_it_is_seen():
    """A plasma that was off when the last run ended may burn when a dark falls due an hour later."""
    watch = PlasmaWatch(LEVELS)
    for t in range(6):
        watch.update(sure(0.0), t)
    gap_s = LEVELS.gap_s
    assert [watch.proves_off(5.0 + age_s) for age_s in (0.0, gap_s, gap_s + 0.1, 3600.0, -1.0)] == [
        True, True, False, False, False,
    ]  # fmt: skip
    watch.allow_gap(100.0)
    assert watch.proves_off(90.0)
    watch.update(sure(2 * LEVELS.on_above), 6.0)  # the state holds for a while; the proof does not
    assert watch.state is State.OFF
    assert not watch.proves_off(6.0)


@given(st.lists(st.tuples(st.floats(0.01, 4.0), st.floats(-100.0, 5_000.0)), min_size=1, max_size=60))
def test_a_change_always_has_its_proof(steps):
    watch, now_s, seen, before = PlasmaWatch(LEVELS), 0.0, [], State.UNKNOWN
    for step_s, value in steps:
        now_s += step_s
        seen.append((now_s, value))
        found = watch.update(sure(value), now_s)
        assert found.changed == (found.state is not before)
        if found.changed:
            hold_s = LEVELS.on_hold_s if found.state is State.ON else LEVELS.off_hold_s
            streak = proof(seen, found.state)
            assert streak[-1] - streak[0] >= hold_s
            assert all(b - a <= LEVELS.gap_s for a, b in pairwise(streak))
        before = found.state


def proof(seen, state):
    """Times of the unbroken run of spectra, up to the last one, that point to the state."""
    times = []
    for time_s, value in reversed(seen):
        points = value > LEVELS.on_above if state is State.ON else value < LEVELS.off_below
        if not points or (times and times[-1] - time_s > LEVELS.gap_s):
            break
        times.append(time_s)
    return times[::-1]
