"""The schedule on the host's clocks: APScheduler, threads, orders to a service."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import force_setattr
from tests.support.clocks import StepClock

from oesd.config import Config, ConfigError, parse_config
from oesd.model import Kind, RunOrder
from oesd.schedule import Schedule, check_plan, cron
from oesd.schedule.cron import last_firing
from oesd.schedule.plan import Moment


def with_darks_every(config: Config, every_us: int) -> Config:
    """A configuration with darks more often than a file may ask for."""
    force_setattr(config.dark, "every_us", every_us)
    return config


class Orders:
    """What a service is told."""

    def __init__(self) -> None:
        self.given: list[object] = []
        self.came = threading.Condition()

    def give(self, what: object) -> None:
        with self.came:
            self.given.append(what)
            self.came.notify_all()

    def wait_for(self, number: int) -> bool:
        with self.came:
            return self.came.wait_for(lambda: len(self.given) >= number, 20)


def schedule_of(config: Config, orders: Orders, clock: StepClock | None = None) -> Schedule:
    clocks = {} if clock is None else {"moment": lambda: Moment(clock.utc(), clock.boottime_ns())}
    return Schedule(
        config,
        start_runs=orders.give,
        stop_runs=lambda: orders.give("stop"),
        take=orders.give,
        **clocks,
    )


PLASMA = "[plasma]\nbands = [{ centre_nm = 750.4 }]\non_above = 2.0\noff_below = 1.0\n"
SWITCHED = '[light]\ncommand = ["shutter"]\n[dark]\nhow = "switch"\nevery = "10 s"'


@pytest.mark.parametrize("start", ["always", "plasma on"])
def test_a_standing_order_is_given_once_at_the_start(start: str) -> None:
    orders = Orders()
    text = f'{PLASMA}[run]\nstart = "{start}"\nlabels = {{ project = "x" }}'
    schedule = schedule_of(parse_config(text, "x"), orders)
    schedule.start()
    for _ in range(3):
        schedule.look()
    schedule.stop()
    assert orders.given == [RunOrder(cause=start, labels={"project": "x"})]


@pytest.mark.parametrize("run", ['start = "on order"', 'start = "0 6 29 2 *"\nduration = "1 h"'])
def test_nothing_is_ordered_before_its_time(run: str) -> None:
    orders = Orders()
    schedule = schedule_of(parse_config(f"[run]\n{run}", "x"), orders)
    schedule.start()
    schedule.look()
    schedule.stop()
    assert orders.given == []


def test_apscheduler_wakes_the_plan_without_being_looked_at() -> None:
    config = parse_config(SWITCHED, "x")
    config = with_darks_every(config, 100_000)
    orders = Orders()
    schedule = schedule_of(config, orders)
    schedule.start()
    try:
        assert orders.wait_for(4)
    finally:
        schedule.stop()
    assert orders.given[1:4] == [Kind.DARK] * 3


def test_an_order_that_fails_does_not_end_the_schedule() -> None:
    config = parse_config(SWITCHED, "x")
    config = with_darks_every(config, 50_000)
    orders = Orders()

    def take(kind: Kind) -> None:
        orders.give(kind)
        raise OSError("no")

    schedule = Schedule(config, start_runs=orders.give, stop_runs=lambda: None, take=take)
    schedule.start()
    try:
        assert orders.wait_for(4)
    finally:
        schedule.stop()


def test_a_start_in_the_middle_of_a_window_goes_on_with_the_rest_of_it() -> None:
    clock, orders = StepClock(datetime(2026, 3, 2, 12, 0, tzinfo=UTC)), Orders()
    config = parse_config('[run]\nstart = "0 6 * * *"\nduration = "10 h"\nlabels = { operator = "mk" }', "x")
    schedule = schedule_of(config, orders, clock)
    schedule.start()
    schedule.stop()
    (order,) = orders.given
    assert isinstance(order, RunOrder)
    assert (order.cause, order.labels) == ("plan", {"operator": "mk"})
    assert order.duration_us == pytest.approx(4 * 3600e6, abs=1e6)


def test_a_step_is_logged_by_how_much(caplog: pytest.LogCaptureFixture) -> None:
    clock = StepClock(datetime(2026, 3, 2, 4, 0, tzinfo=UTC))
    schedule = schedule_of(parse_config("", "x"), Orders(), clock)
    schedule.look()
    clock.step(3600)
    schedule.look()
    schedule.look()
    (line,) = caplog.messages
    assert "stepped by +3600.0 s to 2026-03-02 05:00:00" in line


def test_cron_is_utc_and_checked() -> None:
    fires = cron("0 6 * * *").get_next_fire_time(None, datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert fires == datetime(2026, 3, 29, 6, 0, tzinfo=UTC)
    with pytest.raises(ConfigError, match=r"run\.start: .* no cron expression"):
        cron("61 * * * *")
    with pytest.raises(ConfigError, match="never fires"):
        cron("0 6 31 2 *")


def test_every_cron_of_a_configuration_is_checked() -> None:
    check_plan(parse_config('[run]\nstart = "on order"', "x"))
    with pytest.raises(ConfigError, match=r"dark\.window"):
        check_plan(parse_config('[dark]\nhow = "window"\nwindow = "0 5 x * *"', "x"))
    with pytest.raises(ConfigError, match=r"run\.start"):
        check_plan(parse_config('[run]\nstart = "0 25 * * *"\nduration = "1 h"', "x"))


@pytest.mark.parametrize(
    ("now", "began"),
    [
        (datetime(2026, 3, 2, 5, 59, tzinfo=UTC), None),
        (datetime(2026, 3, 2, 6, 0, tzinfo=UTC), datetime(2026, 3, 2, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 12, 0, tzinfo=UTC), datetime(2026, 3, 2, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 16, 0, tzinfo=UTC), None),
    ],
)
def test_the_last_firing_within_a_window(now: datetime, began: datetime | None) -> None:
    assert last_firing(cron("0 6 * * *"), now, timedelta(hours=10)) == began


def test_the_last_firing_of_a_dense_plan_and_a_long_window() -> None:
    now = datetime(2026, 3, 2, 6, 0, 30, tzinfo=UTC)
    assert last_firing(cron("* * * * *"), now, timedelta(days=365)) == now.replace(second=0)
