"""Spectrometers that count their integration time in whole milliseconds: what is asked for is what they do."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.daemon.acquisition.conftest import ALWAYS, DEADLINE_S, SWITCHED, Bench, Shutter, capturing

from oesd.acquisition import Discovery
from oesd.config import ExposureSection
from oesd.model import Conditions, Kind

Discover = Callable[..., Discovery]


def test_the_exposure_follows_the_light_on_steps_of_a_millisecond(bench: Bench, discover: Discover) -> None:
    """Rungs such as 3.16 ms are none that the device can do: waiting for a frame of one, it never moved again."""
    bench.host.control.add("USB2000", "UNIT-3")
    (unit,) = discover(only=("UNIT-3",), exposure=ExposureSection(mode="auto")).units()
    unit.start_run(ALWAYS)
    deadline_s = time.monotonic() + DEADLINE_S
    for level in (10.0, 4.0, 1.5):
        bench.host.control.light(level)
        before_us = unit.state().integration_us
        while unit.state().integration_us <= before_us:
            assert time.monotonic() < deadline_s, f"it stays at {before_us} us"
            time.sleep(0.02)
    assert all(s.integration_us % 1000 == 0 for s in bench.samples())
    unit.stop_run()
    bench.slots_add_up()


def test_a_dark_of_the_time_that_the_device_does_is_enough(bench: Bench, discover: Discover) -> None:
    def due(kind: Kind, conditions: Conditions) -> str | None:
        have = [c for c in bench.captures if c.kind is kind and c.integration_us == conditions.integration_us]
        return None if have or kind is Kind.REFERENCE else "no dark yet"

    bench.due = due
    bench.host.control.add("USB2000", "UNIT-3")
    shutter = Shutter(bench.host.control)
    (unit,) = discover(only=("UNIT-3",), light=shutter, dark=SWITCHED, capture=capturing(integration_us=5_600)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(22)
    unit.stop_run()
    assert {c.integration_us for c in bench.captures} == {6_000}
    first = next(place for place, c in enumerate(bench.captures) if c.kind is Kind.SAMPLE)
    assert all(c.kind is Kind.SAMPLE for c in bench.captures[first:]), "none is due again and again"
