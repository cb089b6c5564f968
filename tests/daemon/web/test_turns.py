"""Who does a short read: the event loop itself, or a thread when that could keep others waiting."""

from __future__ import annotations

import asyncio
import threading

from oesd.web.turns import AtHand, making


class Time:
    """A clock that work moves on."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def where(at_hand: AtHand, time: Time, takes_s: float = 0.001) -> bool:
    """Whether the work was done by the loop's own thread."""

    def work() -> int:
        time.now_s += takes_s
        return threading.get_ident()

    async def ask() -> bool:
        return await at_hand.do(work) == threading.get_ident()

    return asyncio.run(ask())


def test_short_reads_are_done_at_once() -> None:
    time = Time()
    at_hand = AtHand(True, time)
    assert all(where(at_hand, time) for _ in range(3))


def test_what_lies_on_another_computer_is_read_by_a_thread() -> None:
    time = Time()
    assert not where(AtHand(False, time), time)


def test_nobody_waits_for_a_document_that_another_makes() -> None:
    time = Time()
    at_hand = AtHand(True, time)
    with making:
        assert not where(at_hand, time)
    assert where(at_hand, time)


def test_a_slow_disk_is_read_by_threads_for_a_while() -> None:
    time = Time()
    at_hand = AtHand(True, time)
    assert where(at_hand, time, takes_s=0.5), "nobody could know"
    assert not where(at_hand, time, takes_s=0.5)
    time.now_s += 11.0
    assert where(at_hand, time)


def test_an_error_is_the_asker_s_and_counts_as_time() -> None:
    time = Time()
    at_hand = AtHand(True, time)

    def fail() -> None:
        time.now_s += 1.0
        raise KeyError("x")

    async def ask() -> None:
        await at_hand.do(fail)

    try:
        asyncio.run(ask())
    except KeyError:
        assert not where(at_hand, time)
    else:
        raise AssertionError("the error was lost")
