"""Automatic exposure as a closed loop: constant, noisy, flickering and unreachable light; what must not steer."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oesd.acquisition.exposure import AutoExposure, bracket_us, brightness_of, scans_in

AIM = (0.70, 0.85)
FULL = 62_000.0
SHORTEST, LONGEST = 1_000, 10_000_000


@dataclass
class Bench:
    """A detector with an offset, looking at light of so many counts per us."""

    light: float
    offset: float = 1480.0
    shortest: int = SHORTEST
    longest: int = LONGEST
    told_offset: float | None = 1480.0

    def __post_init__(self):
        self.exposure = AutoExposure(AIM, self.shortest, self.longest, FULL, self.told_offset)

    def peak(self, integration_us, factor=1.0):
        return min(self.offset + self.light * factor * integration_us, FULL)

    def run(self, start_us, factors):
        """Integration times chosen after each of the frames."""
        times, now = [], start_us
        for factor in factors:
            peak = self.peak(now, factor)
            now = self.exposure.next_us(now, peak, peak >= FULL)
            assert self.shortest <= now <= self.longest
            times.append(now)
        return times


def changes(times):
    return int(np.count_nonzero(np.diff(times)))


lights = st.floats(-5.0, 3.0).map(lambda power: 10.0**power)
starts = st.integers(SHORTEST, LONGEST)


def arrived(bench, integration_us):
    share = bench.peak(integration_us) / FULL
    too_dim, too_bright = integration_us == LONGEST and share < AIM[0], integration_us == SHORTEST and share > AIM[1]
    return AIM[0] <= share <= AIM[1] or too_dim or too_bright


@given(lights, starts)
@example(light=1e3, start_us=LONGEST)
@example(light=1e-5, start_us=SHORTEST)
def test_constant_light_comes_into_the_aim_or_to_a_bound_within_five_frames_and_stays(light, start_us):
    bench = Bench(light)
    *_, fifth = bench.run(start_us, [1.0] * 5)
    assert arrived(bench, fifth)
    assert set(bench.run(fifth, [1.0] * 30)) == {fifth}


@given(lights, starts, st.sampled_from([None, 1000.0]))
@example(light=1.0, start_us=1000, told_offset=None)
def test_with_an_offset_too_low_it_takes_a_hold_longer(light, start_us, told_offset):
    bench = Bench(light, told_offset=told_offset)
    last = bench.run(start_us, [1.0] * 15)[-1]
    assert arrived(bench, last)
    assert set(bench.run(last, [1.0] * 30)) == {last}


@given(lights, st.integers(1, 100_000_000))
def test_even_from_a_start_outside_the_bounds_nothing_leaves_them(light, start_us):
    Bench(light).run(start_us, [1.0] * 8)


@given(lights, starts)
def test_ten_times_the_light_a_tenth_of_the_time(light, start_us):
    once = Bench(light).run(start_us, [1.0] * 6)[-1]
    tenfold = Bench(10 * light).run(start_us, [1.0] * 6)[-1]
    assert {once, tenfold} & {SHORTEST, LONGEST} or 0.8 < 10 * tenfold / once < 1.25


@given(st.floats(0.01, 20.0), starts, st.integers(0, 2**32))
def test_noise_of_five_per_cent_does_not_toggle(light, start_us, seed):
    noise = np.random.default_rng(seed).uniform(0.95, 1.05, 420)
    settled = Bench(light).run(start_us, noise)[20:]
    assert changes(settled) <= 1, "a step to where it stays, never to and fro"


def test_gaussian_noise_of_five_per_cent_moves_it_less_than_once_in_a_thousand_frames():
    random = np.random.default_rng(11)
    moves = [
        changes(Bench(light).run(100_000, 1.0 + 0.05 * random.standard_normal(1020))[20:])
        for light in np.geomspace(0.2, 0.4, 30)
    ]
    assert sum(moves) < 30


@given(st.floats(0.01, 20.0), starts, st.floats(0.0, 0.95), st.integers(1, 6), st.integers(1, 4))
def test_light_that_flickers_steadily_is_measured_by_its_bright_moments(light, start_us, dim, dark_frames, bright):
    pattern = ([dim] * dark_frames + [1.0] * bright) * 20
    bench = Bench(light)
    times = bench.run(start_us, pattern)
    settled = times[-2 * (dark_frames + bright) :]
    assert changes(settled) == 0
    assert bench.peak(settled[-1]) < FULL or settled[-1] == SHORTEST


def test_light_that_flickers_at_random_seldom_moves_it():
    flicker = np.random.default_rng(7).choice([0.3, 0.6, 1.0], size=3000)
    times = Bench(0.4).run(100_000, flicker)
    assert changes(times) < 0.05 * len(times)


def test_light_that_falls_is_followed_after_the_hold_and_light_that_rises_at_once():
    bench = Bench(0.4)
    bright = bench.run(100_000, [1.0] * 20)[-1]
    fallen = bench.run(bright, [0.2] * 12)
    assert fallen[6] == bright
    assert fallen[-1] == pytest.approx(5 * bright, rel=0.15)
    risen = bench.run(fallen[-1], [1.0] * 5)
    assert risen[0] < fallen[-1] / 3
    assert risen[-1] == pytest.approx(bright, rel=0.15)


def test_a_frame_inside_the_aim_changes_nothing_though_its_time_is_on_no_rung():
    bench = Bench((0.78 * FULL - 1480.0) / 123_457)
    assert set(bench.run(123_457, [1.0] * 50)) == {123_457}


def test_three_frames_far_above_are_enough_two_are_not():
    bench = Bench((0.75 * FULL - 1480.0) / 100_000)
    assert bench.run(100_000, [1.0] * 10 + [1.28] * 2)[-1] == 100_000
    assert bench.run(100_000, [1.28])[-1] < 100_000


def test_frames_still_under_way_when_the_time_was_changed_do_not_add_up():
    exposure = AutoExposure(AIM, SHORTEST, LONGEST, FULL)
    first = exposure.next_us(100_000, FULL, True)
    assert exposure.next_us(100_000, FULL, True) == first == exposure.next_us(100_000, FULL, True)
    assert exposure.next_us(first, FULL, True) < first / 10


@given(lights, starts, st.integers(2, 40), st.integers(0, 2**32))
def test_frames_come_in_series_that_were_begun_before_the_time_was_changed(light, start_us, length, seed):
    bench, noise = Bench(light), np.random.default_rng(seed)
    now = start_us
    for number in range(30):
        begun_with = now
        for _ in range(length):
            peak = bench.peak(begun_with, noise.uniform(0.98, 1.02))
            now = bench.exposure.next_us(begun_with, peak, peak >= FULL)
        assert number < 12 or now == begun_with
    assert arrived(bench, now)


def test_forgetting_lets_the_next_frame_decide_alone():
    bench = Bench(0.4)
    bright = bench.run(100_000, [1.0] * 20)[-1]
    bench.exposure.forget()
    assert bench.run(bright, [0.2])[-1] > 3 * bright


def test_few_distinct_times_and_the_same_for_every_start():
    lights = 10.0 ** np.random.default_rng(1).uniform(-2.0, 1.0, 400)
    reached = {Bench(light).run(int(100 / light) + 1000, [1.0] * 12)[-1] for light in lights}
    assert len(reached) <= 24 * 3 + 1


def test_where_whole_microseconds_are_too_coarse_for_the_aim_it_stays_below():
    bench = Bench((0.9 * FULL - 1480.0) / 2, shortest=1, longest=1000)
    assert set(bench.run(1, [1.0] * 20)) == {1}
    assert bench.run(5, [1.0] * 20)[-1] == 1


def spectrum(level=1500.0):
    counts = np.full(2048, level) + np.random.default_rng(3).normal(0.0, 5.0, 2048)
    counts[500:505] += [4_000.0, 9_000.0, 20_000.0, 9_000.0, 4_000.0]
    return counts


NONE = np.zeros(2048, dtype=np.bool_)


def test_brightness_is_the_highest_pixel_of_a_line():
    seen = brightness_of(spectrum(), NONE)
    assert seen.peak_counts == spectrum().max()
    assert seen.offset_counts == pytest.approx(1490.0, abs=10.0)
    assert not seen.saturated


def test_hot_pixels_and_cosmic_hits_steer_nothing_however_many():
    counts, saturated = spectrum(), NONE.copy()
    places = np.arange(40, 480, 20)
    counts[places], saturated[places] = FULL, True
    seen = brightness_of(counts, saturated)
    assert seen.peak_counts == spectrum().max()
    assert not seen.saturated


def test_a_saturated_line_is_seen():
    counts, saturated = spectrum(), NONE.copy()
    counts[501:504], saturated[502] = [30_000.0, FULL, 30_000.0], True
    assert brightness_of(counts, saturated).saturated
    assert brightness_of(np.full(2048, FULL), ~NONE).saturated


def test_black_pixels_tell_the_offset_under_a_continuum():
    counts = spectrum(9_000.0)
    counts[:10] = 1_400.0
    assert brightness_of(counts, NONE, tuple(range(10))).offset_counts == 1_400.0
    assert brightness_of(counts, NONE, (5000, -3)).offset_counts > 8_000.0


@given(st.integers(0, 10**9), st.integers(1, 10**8), st.integers(0, 10**6))
def test_scans_fill_the_wished_time_and_no_more(total_us, integration_us, readout_us):
    scans = scans_in(total_us, integration_us, readout_us)
    assert 1 <= scans <= 10_000
    assert scans == 1 or scans * (integration_us + readout_us) <= total_us
    assert scans == 10_000 or (scans + 1) * (integration_us + readout_us) > total_us


def test_scans_of_a_wished_total():
    assert scans_in(500_000, 20_000) == 25
    assert scans_in(500_000, 20_000, 5_000) == 20
    assert scans_in(0, 20_000) == 1


@given(st.integers(1, 10**8), st.floats(0.0, 0.5), st.integers(1, 10**5))
def test_a_bracket_is_within_the_bounds_and_never_longer(integration_us, ratio, shortest_us):
    short = bracket_us(integration_us, ratio, shortest_us)
    assert short <= integration_us
    assert short >= min(shortest_us, integration_us)


def test_a_bracket_of_a_tenth():
    assert bracket_us(100_000, 0.1, 1_000) == 10_000
    assert bracket_us(2_000, 0.1, 1_000) == 1_000
    assert bracket_us(1_000, 0.1, 1_000) == 1_000
