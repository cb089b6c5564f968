import threading
from datetime import UTC, datetime, timedelta

import pytest

from oesd.config import ConfigError, parse_config
from oesd.model import Kind
from oesd.schedule import Schedule, begun, cron


class Orders:
    def __init__(self) -> None:
        self.given: list[object] = []
        self.came = threading.Condition()

    def give(self, what: object) -> None:
        with self.came:
            self.given.append(what)
            self.came.notify_all()

    def wait_for(self, what: object) -> bool:
        with self.came:
            return self.came.wait_for(lambda: what in self.given, 20)


def _schedule(text: str, orders: Orders) -> Schedule:
    return Schedule(
        parse_config(text, "x"),
        start_runs=lambda: orders.give("start"),
        stop_runs=lambda: orders.give("stop"),
        take=orders.give,
    )


def test_always_starts_at_once_and_slow_captures_fire() -> None:
    orders = Orders()
    schedule = _schedule("", orders)
    schedule.start()
    try:
        assert orders.given == ["start"]
        schedule.every(100_000, lambda: orders.give(Kind.SAMPLE), "samples")
        assert orders.wait_for(Kind.SAMPLE)
        schedule.cancel("samples")
        schedule.cancel("samples")
    finally:
        schedule.stop()


def test_a_job_that_fails_does_not_stop_the_others() -> None:
    orders = Orders()
    schedule = _schedule("", orders)
    schedule.start()
    try:
        schedule.every(50_000, lambda: 1 / 0, "broken")  # type: ignore[arg-type, return-value]
        schedule.every(100_000, lambda: orders.give("fired"), "good")
        assert orders.wait_for("fired")
    finally:
        schedule.stop()


def test_a_cron_run_waits_for_its_time() -> None:
    orders = Orders()
    schedule = _schedule('[run]\nstart = "0 6 1 1 *"\nduration = "1 h"', orders)
    schedule.start()
    schedule.stop()
    assert orders.given == []


def test_cron_is_utc_and_checked() -> None:
    fires = cron("0 6 * * *").get_next_fire_time(None, datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert fires == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    with pytest.raises(ConfigError, match="no cron expression"):
        cron("61 * * * *")


@pytest.mark.parametrize(
    ("now", "began"),
    [
        (datetime(2026, 3, 2, 5, 59, tzinfo=UTC), None),
        (datetime(2026, 3, 2, 6, 0, tzinfo=UTC), datetime(2026, 3, 2, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 12, 0, tzinfo=UTC), datetime(2026, 3, 2, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 16, 1, tzinfo=UTC), None),
    ],
)
def test_a_run_that_should_be_under_way_is_found(now: datetime, began: datetime | None) -> None:
    assert begun(cron("0 6 * * *"), timedelta(hours=10), now) == began


def test_a_start_in_the_middle_of_a_run_goes_on_with_it() -> None:
    orders = Orders()
    schedule = _schedule('[run]\nstart = "* * * * *"\nduration = "10 min"', orders)
    schedule.start()
    try:
        assert orders.given == ["start"]
    finally:
        schedule.stop()
