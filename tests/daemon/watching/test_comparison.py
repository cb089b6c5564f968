"""Runs are laid over each other, and chance makes no difference between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.watching.alignment import aligned
from oesd.watching.comparison import Course, compared_runs, holm

TIMES = np.arange(0.0, 120.0, 0.5)


def plasma(on_s: float, rng: np.random.Generator) -> np.ndarray:
    lit = 1.0 / (1.0 + np.exp(-(TIMES - on_s) / 1.5))
    return 1000.0 * lit * (1.0 + 0.2 * np.sin((TIMES - on_s) / 8.0)) + 50.0 + rng.normal(0.0, 5.0, len(TIMES))


@pytest.mark.parametrize("shift_s", [-6.3, 0.0, 4.3, 11.1])
def test_a_later_beginning_is_found_to_a_fraction_of_a_spectrum(shift_s: float) -> None:
    rng = np.random.default_rng(4)
    found = aligned(TIMES, plasma(20.0 + shift_s, rng), TIMES, plasma(20.0, rng), "light")
    assert found.shift_s == pytest.approx(shift_s, abs=0.15)
    assert found.correlation > 0.99


def test_runs_in_which_nothing_happens_are_not_shifted() -> None:
    rng = np.random.default_rng(4)
    found = aligned(TIMES, rng.normal(size=240), TIMES, rng.normal(size=240), "light")
    assert (found.shift_s, "does not tell" in found.sentence) == (0.0, True)
    assert "too few" in aligned(TIMES[:3], TIMES[:3], TIMES, TIMES, "light").sentence


def course(level: float, rng: np.random.Generator, alike: float = 0.6) -> Course:
    """A species with flicker that lasts a few spectra and noise of one."""
    flicker = np.zeros(len(TIMES))
    for k in range(1, len(TIMES)):
        flicker[k] = alike * flicker[k - 1] + rng.normal()
    return Course(TIMES, level + 3.0 * flicker + rng.normal(size=len(TIMES)), np.ones(len(TIMES)))


def test_equal_runs_differ_in_nothing() -> None:
    rng = np.random.default_rng(8)
    families = [{f"s{k}": (course(100.0, rng), course(100.0, rng)) for k in range(12)} for _ in range(15)]
    wrong = sum(any(one.p_corrected < 0.01 for one in compared_runs(family, 0.0)) for family in families)
    assert wrong <= 2  # 0.15 are expected


def test_what_differs_is_told_first_with_how_much() -> None:
    rng = np.random.default_rng(8)
    pairs = {f"s{k}": (course(100.0, rng), course(100.0, rng)) for k in range(12)}
    pairs["Ar"] = (course(150.0, rng), course(100.0, rng))
    pairs["N2"] = (course(60.0, rng), course(0.0, rng))
    found = compared_runs(pairs, 0.0)
    assert {one.species for one in found[:2]} == {"Ar", "N2"}
    assert [one.different for one in found].count(True) == 2
    by_name = {one.species: one for one in found}
    assert by_name["Ar"].ratio == pytest.approx(1.5, rel=0.1)
    assert "% more than in the golden run" in by_name["Ar"].sentence
    assert by_name["Ar"].sigma > 0.5  # far above the noise of a mean of 240 values, 0.09: neighbours are alike


@pytest.mark.parametrize(("run", "golden"), [(150, 5), (150, 12), (5, 150), (60, 60)])
def test_few_golden_values_are_no_certain_ones(run: int, golden: int) -> None:
    rng = np.random.default_rng(run + golden)

    def noise(count: int) -> Course:
        return Course(np.linspace(0.0, 1000.0, count), rng.normal(100.0, 10.0, count), np.full(count, 10.0))

    drawn = [compared_runs({"Ar": (noise(run), noise(golden))}, 0.0)[0].p for _ in range(400)]
    assert np.mean(np.array(drawn) < 0.01) < 0.025  # 0.01 and 3 of its standard deviations; it was 0.17 of five values


def test_a_small_difference_is_told_and_not_called_one() -> None:
    pair = tuple(Course(TIMES, np.full(240, level), np.full(240, 0.01)) for level in (101.0, 100.0))
    (found,) = compared_runs({"Ar": pair}, 0.0)
    assert (found.different, found.p_corrected < 1e-6) == (False, True)


def test_only_the_time_that_both_have_counts() -> None:
    late = Course(TIMES + 100.0, np.where(TIMES < 20, 5.0, 500.0), np.ones(240))
    early = Course(TIMES, np.full(240, 5.0), np.ones(240))
    (found,) = compared_runs({"Ar": (late, early)}, 0.0)
    assert found.difference == pytest.approx(0.0)
    assert compared_runs({"Ar": (late, early)}, -500.0) == []


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_a_corrected_probability_is_never_smaller_and_keeps_the_order(probabilities) -> None:
    corrected = holm(probabilities)
    assert all(0.0 <= p <= q <= 1.0 for p, q in zip(probabilities, corrected, strict=True))
    assert min(corrected) == min(1.0, len(probabilities) * min(probabilities))
    order = sorted(range(len(corrected)), key=lambda k: probabilities[k])
    assert [corrected[k] for k in order] == sorted(corrected)
