"""What is remembered of darks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.backgrounds.cells import MEMORY, Cell, Dark, DarkStatistics, statistics_of
from oesd.backgrounds.linearity import Linearity

PIXELS = 80
exposures = st.tuples(
    st.sampled_from([1_000, 20_000, 1_000_000]), st.integers(1, 20), st.floats(-20.0, 40.0, allow_nan=False)
)


def dark(integration_us=1_000, scans=1, celsius=20.0, level=100.0):
    return Dark(np.full(PIXELS, level), integration_us, scans, celsius)


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(19.0, 21.0)), min_size=1, max_size=6))
def test_a_cell_keeps_what_any_law_of_temperature_wants(darks):
    cell = Cell.of(dark(20_000, *darks[0]))
    for scans, celsius in darks[1:]:
        cell.absorb(Cell.of(dark(20_000, scans, celsius)))
    slope, bend, anchor_c = 0.1, -2e-4, 27.0
    exact = sum(n * 0.02 * math.exp(slope * (c - anchor_c) + bend * (c - anchor_c) ** 2) for n, c in darks)
    assert cell.exposure_s(slope, bend, anchor_c) == pytest.approx(exact / sum(n for n, _ in darks), rel=2e-4)


@given(st.lists(exposures, min_size=1, max_size=40), st.integers(2, 6))
def test_memory_is_bounded_and_nothing_is_lost(darks, limit):
    made = statistics_of((dark(us, n, c, level=float(n)) for us, n, c in darks), PIXELS, limit)
    assert len(made.cells) <= limit
    assert made.captures == len(darks)
    assert sum(cell.scans for cell in made.cells) == sum(n for _, n, _ in darks)
    assert sum(cell.counts_sum[0] for cell in made.cells) == pytest.approx(sum(n * n for _, n, _ in darks))
    assert sum(cell.moments[0] for cell in made.cells) == pytest.approx(sum(n * us / 1e6 for us, n, _ in darks))


def test_darks_of_long_ago_fade():
    """Hourly darks of a year would outweigh those of the last weeks, and an offset that crept on would be light."""
    made = statistics_of((dark(scans=20, level=100.0) for _ in range(1000)), PIXELS)
    (cell,) = made.cells
    spread = cell.variances / cell.precision_sum
    for _ in range(2 * MEMORY):
        made.add(dark(scans=20, level=110.0))
    assert made.captures == 1000 + 2 * MEMORY
    assert cell.mean[0] == pytest.approx(110.0 - 10.0 * math.exp(-2.0), abs=0.1)
    assert cell.time_s == pytest.approx(0.001, rel=1e-9)
    assert cell.temperature_c == pytest.approx(20.0)
    assert cell.variances / cell.precision_sum == pytest.approx(spread, rel=0.2)
    assert 0.8 * 20 * MEMORY <= cell.scans <= 1.05 * 20 * MEMORY


@pytest.mark.parametrize("scans", [1, 3])
def test_darks_of_few_scans_fade_too(scans):
    made = statistics_of((dark(scans=scans, level=100.0) for _ in range(300)), PIXELS)
    for _ in range(5 * MEMORY):
        made.add(dark(scans=scans, level=110.0))
    assert made.cells[0].mean[0] > 109.5


def stored(cell):
    return Cell.from_stored(cell.number, cell.numbers, cell.counts_sum.copy(), cell.left_out.copy())


def same(one, other):
    return (
        one.number == other.number
        and np.array_equal(one.numbers, other.numbers)
        and np.array_equal(one.counts_sum, other.counts_sum)
        and np.array_equal(one.left_out, other.left_out)
    )


@given(st.lists(exposures, min_size=1, max_size=40), st.integers(2, 6))
def test_whoever_stores_what_each_dark_changed_has_it_all(darks, limit):
    made, kept = DarkStatistics(PIXELS, limit), {}
    for us, scans, celsius in darks:
        changed = made.add(dark(us, scans, celsius, level=float(scans)))
        kept.update({cell.number: stored(cell) for cell in changed.cells})
        for number in changed.gone:
            kept.pop(number, None)
    back = DarkStatistics(PIXELS, limit, [kept[number] for number in sorted(kept)])
    assert len(back.cells) == len(made.cells)
    assert all(same(one, kept[one.number]) for one in made.cells)
    back.add(dark())
    assert back.captures == made.captures + 1


def test_one_dark_without_a_temperature_makes_all_of_them_uncertain():
    made = statistics_of([dark(), dark(20_000, celsius=None)], PIXELS)
    assert not made.temperatures_known
    assert not DarkStatistics(PIXELS, cells=[stored(cell) for cell in made.cells]).temperatures_known
    with pytest.raises(ValueError, match="not 3 pixels"):
        DarkStatistics(3, cells=made.cells)
    with pytest.raises(ValueError, match="no cell"):
        Cell.from_stored(1, np.zeros(8), np.zeros(3), np.zeros(3, dtype=np.bool_))


def test_the_spread_of_repeats_is_the_variance_of_one_scan():
    rng = np.random.default_rng(1)
    cell = Cell.of(Dark(rng.normal(500.0, 6.0 / 2.0, 4000), 1_000, 4, 20.0))
    for _ in range(20):
        cell.absorb(Cell.of(Dark(rng.normal(500.0, 6.0 / 3.0, 4000), 1_000, 9, 20.0)))
    assert cell.variances / cell.precision_sum == pytest.approx(36.0, rel=0.03)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Dark(np.zeros(3), 1_000, 1, 20.0), "3 pixels, expected 80"),
        (Dark(np.full(PIXELS, np.nan), 1_000, 1, 20.0), "not finite"),
        (Dark(np.zeros(PIXELS), 1_000, 1, math.inf), "not finite"),
        (Dark(np.zeros(PIXELS), 0, 1, 20.0), "without exposure"),
    ],
)
def test_bad_darks_are_refused(bad, says):
    made = DarkStatistics(PIXELS)
    with pytest.raises(ValueError, match=says):
        made.add(bad)
    assert not made.cells


@given(st.floats(0.0, 62_000.0))
def test_linearity_goes_both_ways(counts):
    curve = Linearity((9.35e-1, 3.9e-6, -4.2e-11, 2.0e-17), 62_000.0)
    assert curve.known
    there = curve.to_linear(np.array([counts]))
    assert curve.to_counts(there)[0] == pytest.approx(counts, abs=0.01)
    exact = counts / (9.35e-1 + 3.9e-6 * counts - 4.2e-11 * counts**2 + 2.0e-17 * counts**3)
    assert there[0] == pytest.approx(exact, abs=0.05)


@pytest.mark.parametrize("coefficients", [(), (0.0,), (1.0, 1e-3), (math.nan, 0.0), (1.0, -4e-5), (math.inf,)])
def test_coefficients_not_to_be_believed_change_nothing(coefficients):
    curve = Linearity(coefficients, 62_000.0)
    assert not curve.known
    assert curve.to_linear(np.array([12_345.0]))[0] == pytest.approx(12_345.0)
