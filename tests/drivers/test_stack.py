from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers.stack import MOST_SCANS, Stack

SCANS = st.lists(st.lists(st.integers(0, 2**18 - 1), min_size=4, max_size=4), min_size=1, max_size=20)


@given(SCANS, st.integers(1, 2**18))
def test_a_stack_is_what_numpy_makes_of_the_scans(scans, level):
    counts = np.array(scans, dtype=np.uint32)
    stack = Stack(4, len(counts), level)
    for scan in counts:
        stack.add(scan)
    assert np.array_equal(stack.counts_sum, counts.sum(axis=0, dtype=np.uint64))
    assert np.array_equal(stack.saturated, (counts >= level).any(axis=0))
    spread = stack.spread()
    if len(counts) == 1:
        assert spread is None
    else:
        assert spread.dtype == np.float32
        assert np.allclose(spread, counts.std(axis=0, ddof=1), rtol=1e-5, atol=1e-3)


@given(st.integers(0, 2**18 - 2))
def test_one_count_among_the_most_scans_is_not_lost(level):
    """In float32, and in float64 for sums of squares kept as they are, this spread would be noise."""
    stack = Stack(2, MOST_SCANS, 2**18)
    low = np.full(2, level, dtype=np.uint32)
    for _ in range(9):
        stack.add(low)
    stack.add(low + np.array([0, 1], dtype=np.uint32))
    assert np.allclose(stack.spread(), [0.0, np.sqrt(0.1)], rtol=1e-6, atol=0)


def test_the_largest_sums_fit():
    stack = Stack(1, MOST_SCANS, 2**18)
    for scan in range(MOST_SCANS):
        stack.add(np.array([262_143 * (scan % 2)], dtype=np.uint32))
    assert stack.counts_sum[0] == 262_143 * MOST_SCANS // 2
    assert np.isclose(stack.spread()[0], 262_143 / 2, rtol=1e-3)
