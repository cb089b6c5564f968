"""Endpoint rules decide by what they say: their rate of false alarms is the stated one, a change is found."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.watching import false_alarm_rate

from oesd.watching.backtest import played
from oesd.watching.deciding import Watch, slope_of
from oesd.watching.errors import WatchError
from oesd.watching.reading import Reading, State
from oesd.watching.rules import Rule, checked, sentence_of
from oesd.watching.run_length import cusum_limit, cusum_run_length, level_limit

S = 1_000_000
CUSUM = Rule("end", "f_ar", "cusum", "falls", 2 * S, 20 * S, false_alarm_in=10_000.0)
LEVEL = Rule("end", "f_ar", "level", "falls", 0, 10 * S, share=0.5, confirm=3)
SLOPE = Rule("end", "f_ar", "slope", "falls", 0, 0, per_s=0.5, window_us=5 * S)


def run(values, rule: Rule = CUSUM, sigma: float = 1.0) -> tuple[int | None, Watch]:
    watch = Watch(rule)
    for second, value in enumerate(values):
        if watch.step(second * S, Reading(float(value), sigma, State.MEASURED)):
            return second, watch
    return None, watch


def by_markov_chain(limit: float, reference: float, states: int) -> float:
    """Brook and Evans (1972): the sum in so many steps, the last of which absorbs."""
    width = 2.0 * limit / (2 * states - 1)
    cdf = np.vectorize(NormalDist().cdf)
    to, come = np.meshgrid(np.arange(states), np.arange(states))
    upper = cdf((to - come) * width + width / 2 + reference)
    lower = np.where(to == 0, 0.0, cdf((to - come) * width - width / 2 + reference))
    return float(np.linalg.solve(np.eye(states) - (upper - lower), np.ones(states))[0])


@pytest.mark.parametrize(("limit", "reference"), [(4.0, 0.5), (5.0, 0.5), (4.0, 0.25), (2.0, 1.0)])
def test_run_lengths_are_those_of_a_markov_chain(limit: float, reference: float) -> None:
    coarse, fine = (by_markov_chain(limit, reference, states) for states in (40, 80))
    assert cusum_run_length(limit, reference) == pytest.approx(fine + (fine - coarse) / 3.0, rel=2e-3)


def test_run_lengths_are_those_of_the_tables() -> None:
    """Hawkins and Olwell, Cumulative Sum Charts and Charting (1998): 336 at h = 4, 930.9 at h = 5, one-sided."""
    assert cusum_run_length(4.0, 0.5) == pytest.approx(335.4, rel=1e-3)
    assert cusum_run_length(5.0, 0.5) == pytest.approx(930.9, rel=1e-3)


@settings(max_examples=12)
@given(st.floats(50.0, 1e7), st.sampled_from([0.25, 0.5, 1.0]))
def test_a_limit_has_the_run_length_that_it_was_made_for(length: float, reference: float) -> None:
    assert cusum_run_length(cusum_limit(length, reference), reference) == pytest.approx(length, rel=1e-4)


def test_rates_that_nothing_can_keep_are_refused() -> None:
    with pytest.raises(WatchError, match="too often"):
        level_limit(1.5, 1)
    with pytest.raises(WatchError, match="no CUSUM"):
        checked(replace(CUSUM, shift=0.1, false_alarm_in=1e9))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    "rule",
    [
        replace(CUSUM, false_alarm_in=150.0),
        replace(CUSUM, kind="level", false_alarm_in=150.0, confirm=2),
        replace(CUSUM, kind="slope", false_alarm_in=150.0, window_us=7 * S),
    ],
    ids=["cusum", "level", "slope"],
)
def test_false_alarms_come_as_often_as_stated(rule: Rule, own: bool) -> None:
    """Bounded; ``python -m tests.bench.watching`` does it with a hundred times the runs."""
    measured, alarms = false_alarm_rate(replace(rule, own_sigma=own), runs=350, length=300, seed=11)
    assert alarms > 200
    assert measured == pytest.approx(1.0 / 150.0, rel=0.2)


def test_a_short_baseline_keeps_the_rate_as_well() -> None:
    """The mean of eight values is a third of a standard deviation off: a rule that trusted it would not."""
    rule = replace(CUSUM, after_us=0, baseline_us=8 * S, false_alarm_in=150.0)
    measured, _ = false_alarm_rate(rule, runs=350, length=300, seed=5)
    assert measured == pytest.approx(1.0 / 150.0, rel=0.2)


@pytest.mark.parametrize("own", [False, True])
def test_a_step_is_found_soon_and_in_its_direction_alone(own: bool) -> None:
    rng = random.Random(3)
    down = [100.0 + rng.gauss(0.0, 1.0) - (3.0 if k >= 60 else 0.0) for k in range(120)]
    rule = replace(CUSUM, own_sigma=own, false_alarm_in=1e6)
    found, watch = run(down, rule)
    assert 60 <= found <= 68
    assert watch.state == "reached"
    assert "above" in watch.why
    up = [200.0 - value for value in down]
    assert run(up, rule)[0] is None
    assert run(up, replace(rule, direction="rises"))[0] == found


def test_a_level_is_passed_by_values_in_a_row() -> None:
    values = [10.0] * 20 + [4.0, 4.0, 9.0] + [4.0] * 5
    found, watch = run(values, LEVEL)
    assert found == 25
    assert watch.limit == pytest.approx(5.0)
    assert run([10.0] * 20 + [1.0] * 2, LEVEL)[0] is None
    assert run([1, 2, 3, 9], replace(LEVEL, share=None, level=8.0, direction="rises", confirm=1, baseline_us=0))[0] == 3


def test_a_slope_is_that_of_its_window() -> None:
    values = [50.0] * 20 + [50.0 - 1.0 * k for k in range(20)]
    found, watch = run(values, SLOPE)
    assert 22 <= found <= 25
    assert "falls by" in watch.why
    assert run([50.0 + 0.01 * k for k in range(60)], SLOPE)[0] is None


def test_nothing_is_decided_before_its_time_or_from_what_is_not_measured() -> None:
    watch = Watch(CUSUM)
    assert not watch.step(0, Reading(1.0, 0.1, State.MEASURED))
    assert (watch.state, watch.points) == ("waiting", 0)
    for state in (State.SATURATED, State.UNDEFINED):
        assert not watch.step(5 * S, Reading(math.nan, math.nan, state))
    assert watch.skipped == 2
    assert not watch.step(5 * S, Reading(1.0, 0.1, State.NOT_DETECTED))
    assert watch.state == "learning"


def test_values_that_never_differed_are_no_reason_to_fail() -> None:
    found, _ = run([5.0] * 60, CUSUM)
    assert found is None
    found, watch = run([5.0] * 60 + [4.0] * 3, CUSUM)
    assert found is not None
    assert math.isfinite(watch.statistic)


def test_correlated_values_are_told() -> None:
    rng = random.Random(1)
    value, values = 0.0, []
    for _ in range(400):
        value = 0.8 * value + rng.gauss(0.0, 1.0)
        values.append(value)
    _, watch = run(values, replace(CUSUM, false_alarm_in=1e9, shift=2.0))
    assert watch.correlation > 0.5


@settings(max_examples=30)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=40), st.randoms())
def test_a_slope_does_not_depend_on_the_order_of_its_points(values, shuffler) -> None:
    points = [(float(k), value) for k, value in enumerate(values)]
    slope = slope_of(points)
    shuffler.shuffle(points)
    assert slope_of(points) == slope


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3, width=32), st.sampled_from([0, 1, 2, 3])), min_size=1, max_size=60))
def test_playing_a_run_is_stepping_through_it(values) -> None:
    for rule in (replace(CUSUM, false_alarm_in=20.0, baseline_us=5 * S), LEVEL, SLOPE):
        watch, fired = Watch(rule), None
        for second, (value, state) in enumerate(values):
            if watch.step(second * S, Reading(value, 0.5, State(state))):
                fired = second
                break
        times = [second * S for second in range(len(values))]
        result = played(rule, times, [v for v, _ in values], [0.5] * len(values), [s for _, s in values])
        assert result.fired == fired
        assert (result.points, result.skipped) == (watch.points, watch.skipped)
        assert result.why == (watch.why if fired is not None else "")


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (replace(CUSUM, false_alarm_in=0.0), "false_alarm_in: a cusum needs it"),
        (replace(CUSUM, baseline_us=0), "baseline: needed to learn"),
        (replace(LEVEL, share=None), "level: give one of level or share, or false_alarm_in"),
        (replace(LEVEL, level=3.0), "level: give one of"),
        (replace(SLOPE, window_us=0), "window: a slope needs"),
        (replace(SLOPE, per_s=None), "per_s: give one of"),
    ],
)
def test_a_rule_that_lacks_something_says_what(rule: Rule, said: str) -> None:
    with pytest.raises(WatchError, match=said):
        checked(rule)


def test_a_rule_is_a_sentence() -> None:
    assert sentence_of(CUSUM) == "f_ar has shifted (falls); one false alarm in 10000 spectra"
    assert sentence_of(LEVEL) == "f_ar is below 50 % of its baseline"
    assert sentence_of(SLOPE) == "f_ar falls by more than 0.5 a second"


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("rule", [LEVEL, replace(SLOPE, per_s=None, share_per_s=0.05, baseline_us=10 * S)])
def test_no_share_of_a_baseline_that_is_not_seen_is_passed(rule: Rule, own: bool) -> None:
    """A plasma that is not on, or a line that is not there: half of noise is passed by the next noise."""
    for seed in range(20):
        chance = random.Random(seed)
        noise = [chance.gauss(0.0, 1.0) for _ in range(200)]
        fired, watch = run(noise, replace(rule, own_sigma=own))
        if fired is not None:  # a mean of ten passes three of its own standard deviations once in some hundred runs
            assert abs(np.mean(noise[:10])) > 0.5
        else:
            assert "not told from zero" in watch.why or not math.isnan(watch.limit)
    quiet = noise[:30]
    assert run([100.0 + x for x in quiet] + [100.0 - 6.0 * k for k in range(12)], replace(rule, own_sigma=own))[0]
