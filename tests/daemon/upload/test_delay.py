"""The laws of waiting."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.upload.delay import LONGEST_RETRY_AFTER_S, LONGEST_S, SHORTEST_S, next_delay, retry_after
from oesd.upload.steady_clock import SteadyClock

ATTEMPTS = st.integers(-5, 10**9)
ASKED = st.none() | st.floats(-1e9, 1e9)


@given(ATTEMPTS, ASKED, st.integers())
def test_a_wait_is_never_shorter_than_asked_nor_longer_than_the_cap(
    attempt: int, asked: float | None, seed: int
) -> None:
    wait = next_delay(attempt, asked, Random(seed))
    least = min(max(asked or 0.0, 0.0), LONGEST_RETRY_AFTER_S)
    assert least + SHORTEST_S <= wait <= least + LONGEST_S


@given(ATTEMPTS, ASKED, st.integers())
def test_the_same_seed_waits_the_same(attempt: int, asked: float | None, seed: int) -> None:
    assert next_delay(attempt, asked, Random(seed)) == next_delay(attempt, asked, Random(seed))


@given(st.integers(1, 40), st.floats(0.0, 0.999))
def test_more_failures_never_wait_less_for_the_same_luck(attempt: int, luck: float) -> None:
    class Luck(Random):
        def random(self) -> float:
            return luck

    assert next_delay(attempt, None, Luck()) <= next_delay(attempt + 1, None, Luck())


def test_the_jitter_is_full() -> None:
    """Fifty daemons that failed ten times together come back spread over the whole quarter of an hour."""
    waits = sorted(next_delay(12, None, Random(seed)) for seed in range(50))
    assert waits[0] < 100
    assert waits[-1] > 800
    assert max(b - a for a, b in itertools.pairwise(waits)) < 150


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("99999999999999999999", LONGEST_RETRY_AFTER_S), (None, None),
        ("", None), ("-1", None), ("1.5", None), ("soon", None), ("١٢", None), ("1e9", None), ("nan", None),
    ],
)  # fmt: skip
def test_retry_after_in_seconds(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, None) == seconds


@given(st.integers(-(10**6), 10**6))
def test_retry_after_as_a_date_counts_from_the_servers_own_clock(ahead_s: int) -> None:
    wrong_by_years = datetime(2049, 1, 1, tzinfo=UTC)
    until = format_datetime(wrong_by_years + timedelta(seconds=ahead_s), usegmt=True)
    expected = min(max(float(ahead_s), 0.0), LONGEST_RETRY_AFTER_S)
    assert retry_after(until, format_datetime(wrong_by_years, usegmt=True)) == expected


def test_a_date_without_a_clock_to_compare_says_nothing() -> None:
    until = format_datetime(datetime(2049, 1, 1, tzinfo=UTC), usegmt=True)
    assert retry_after(until, None) is None
    assert retry_after(until, "yesterday") is None
    assert retry_after("Mon, 99 Foo 2049 00:00:00 GMT", until) is None
    for beyond in ("Wed, 21 Oct 2015 07:28:00 +99999999999999999", "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"):
        assert retry_after(beyond, until) is None


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_header_is_survived(value: str, date: str) -> None:
    seconds = retry_after(value, date)
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER_S


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.floats(-1e5, 1e5)), max_size=20))
def test_the_queues_clock_never_goes_back_and_never_stands(steps: list[tuple[float, float]]) -> None:
    """(elapsed, host clock stepped by): what came due by elapsed time is due, wherever the host's clock went."""
    host, mono = datetime(2026, 1, 1, tzinfo=UTC), 0.0
    clock = SteadyClock(lambda: host, lambda: mono)
    before = clock.now()
    for elapsed, stepped in steps:
        mono += elapsed
        host += timedelta(seconds=elapsed + stepped)
        now = clock.now()
        assert now - before >= timedelta(seconds=elapsed) - timedelta(microseconds=1)
        assert now >= host
        before = now
