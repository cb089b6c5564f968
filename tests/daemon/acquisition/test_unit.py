"""A unit on a virtual spectrometer: pace, backgrounds, and every kind of trouble that a slot can meet."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import numpy as np
from tests.daemon.acquisition.conftest import ALWAYS, DEADLINE_S, SWITCHED, Bench, Shutter, capturing

from oesd.acquisition import Discovery, LightError
from oesd.model import Capture, Kind, RunOrder


def test_a_paced_run_serves_each_slot_once(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(8)
    unit.stop_run()
    samples = bench.samples()
    assert [s.slot for s in samples] == list(range(len(samples)))
    assert [s.sequence for s in samples] == list(range(len(samples)))
    assert bench.losses == []
    steps_ms = np.diff([s.monotonic_ns for s in samples]) / 1e6
    assert abs(np.median(steps_ms) - 100) < 5
    first = samples[0]
    assert first.device.simulated
    assert (first.integration_us, first.scans, first.counts_sum.dtype) == (5_000, 1, np.uint32)


def test_fast_slots_are_served_without_a_break(bench: Bench, discover: Callable[..., Discovery]) -> None:
    """A break between series is a time in which the daemon's threads must be quicker than a slot."""
    (unit,) = discover(capture=capturing(every_us=10_000, integration_us=1_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(400)
    assert (
        sum(driver.series for driver in bench.drivers) <= 4
    )  # one, but for a machine that does not run us for a quarter of a second
    beats = len(bench.beats)
    bench.wait_for_samples(600)
    assert len(bench.beats) > beats
    asked = time.monotonic()
    unit.take(Kind.DARK)
    bench.wait(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    assert time.monotonic() - asked < 5
    unit.stop_run()
    bench.wait(lambda: bool(bench.ended))
    bench.slots_add_up()


def test_a_run_of_a_number_of_slots_ends_with_them(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover(capture=capturing(every_us=10_000, integration_us=1_000)).units()
    unit.start_run(RunOrder(cause="order", duration_us=1_730_000))
    bench.wait(lambda: bool(bench.ended))
    assert bench.ended[0].slots == 173
    assert {c.slot for c in bench.samples()} <= set(range(173))
    bench.slots_add_up()


def test_backgrounds_come_first_and_disturb_no_slot(bench: Bench, discover: Callable[..., Discovery]) -> None:
    shutter = Shutter(bench.host.control)
    (unit,) = discover(light=shutter, dark=SWITCHED, reference=SWITCHED, capture=capturing(every_us=200_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    unit.take(Kind.DARK)
    bench.wait(lambda: sum(c.kind is Kind.DARK for c in bench.captures) == 2)
    bench.wait_for_samples(6)
    unit.stop_run()
    assert [c.kind for c in bench.captures[:3]] == [Kind.DARK, Kind.REFERENCE, Kind.SAMPLE]
    assert bench.losses == []
    bench.slots_add_up()
    # A frame that saw the light before the shutter closed would stand out from the dark by its lines.
    assert all(_contrast(c) < 300 for c in bench.captures if c.kind is Kind.DARK)
    assert all(_contrast(c) > 1000 for c in bench.samples())


def _contrast(capture: Capture) -> float:
    return float(capture.counts.max() - np.median(capture.counts))


def test_an_order_without_a_run_is_served(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover(capture=capturing(scans=3)).units()
    unit.take(Kind.SAMPLE)
    unit.take(Kind.DARK)
    bench.wait(lambda: len(bench.captures) == 2)
    assert [(c.kind, c.slot, c.scans) for c in bench.captures] == [(Kind.SAMPLE, -1, 3), (Kind.DARK, -1, 3)]


def test_a_killed_worker_costs_only_its_own_slots(bench: Bench, discover: Callable[..., Discovery]) -> None:
    discovery = discover(only=("UNIT-1", "UNIT-2"))
    for unit in discovery.units():
        unit.start_run(ALWAYS)
    bench.wait_for_samples(6)
    victim = bench.drivers[0]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    bench.wait(lambda: len(bench.losses) > 0)
    bench.wait_for_samples(len(bench.samples()) + 10)
    for unit in discovery.units():
        unit.stop_run()
    bench.slots_add_up()
    assert {loss.reason for loss in bench.losses} == {"worker lost"}
    assert len({loss.device_name for loss in bench.losses}) == 1
    # The daemon must be measuring again within five seconds; it is idle on this bench within about one.
    assert sum(loss.slots for loss in bench.losses) <= 50


def test_unplugged_and_plugged_in_again_goes_on_in_the_same_run(
    bench: Bench, discover: Callable[..., Discovery]
) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    bench.host.control.unplug("UNIT-1")
    bench.wait(lambda: any(loss.reason == "device gone" for loss in bench.losses))
    assert unit.in_trouble
    assert unit.state().state == "device gone"
    number = len(bench.samples())
    bench.host.control.plug("UNIT-1")
    bench.wait_for_samples(number + 5)
    unit.stop_run()
    bench.slots_add_up()
    assert len({s.run_id for s in bench.samples()}) == 1
    assert not unit.in_trouble


def test_usb_errors_are_recovered_from(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    for fault in ("stall", "overflow", "short"):
        number = len(bench.samples())
        bench.wait_for_samples(number + 2)
        bench.host.control.fault("UNIT-1", fault)
        bench.wait_for_samples(number + 6)
    unit.stop_run()
    bench.slots_add_up()
    brightest = [s.counts.max() for s in bench.samples()]
    assert max(brightest) < 1.2 * min(brightest), "a frame of another exposure was taken for a good one"


def test_work_longer_than_the_period_is_named(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover(capture=capturing(every_us=20_000, integration_us=30_000)).units()
    unit.start_run(ALWAYS)
    bench.wait(lambda: len(bench.losses) > 3 and len(bench.samples()) > 5)
    unit.stop_run()
    bench.slots_add_up()
    assert {loss.reason for loss in bench.losses} == {"overrun"}


def test_what_cannot_be_kept_is_a_loss_with_its_reason(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(2)
    bench.refusal = "not stored"
    bench.wait(lambda: sum(loss.slots for loss in bench.losses) >= 3)
    bench.refusal = ""
    bench.wait_for_samples(len(bench.samples()) + 2)
    unit.stop_run()
    bench.slots_add_up()
    assert {loss.reason for loss in bench.losses} == {"not stored"}


class StuckLight:
    """A switch that fails for darks only."""

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        if kind is Kind.DARK:
            raise LightError("the shutter is stuck")


def test_the_end_of_a_run_does_not_wait_behind_a_dark(bench: Bench, discover: Callable[..., Discovery]) -> None:
    """No dark fits beside so long a sample: it waits for four periods, of ten minutes perhaps."""
    (unit,) = discover(capture=capturing(every_us=2_000_000, integration_us=1_200_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(1)
    unit.take(Kind.DARK)
    ordered_s = time.monotonic()
    unit.stop_run()
    bench.wait(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    assert time.monotonic() - ordered_s < 7.5, "two exposures are discarded and the dark's own"
    assert unit.state().run_id == ""
    bench.slots_add_up()


def test_a_stuck_shutter_loses_the_dark_and_no_sample(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover(light=StuckLight(), dark=SWITCHED).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(4)
    unit.stop_run()
    assert [(loss.kind, loss.reason) for loss in bench.losses] == [(Kind.DARK, "light switch")]
    bench.slots_add_up()


def test_a_dark_that_cannot_be_had_is_tried_ever_less_often(bench: Bench, discover: Callable[..., Discovery]) -> None:
    bench.due = lambda kind, _: "there is none" if kind is Kind.DARK else None
    (unit,) = discover(light=StuckLight(), dark=SWITCHED).units()
    bench.wait(lambda: len(bench.losses) >= 2)
    begun_s = time.monotonic()
    while time.monotonic() < begun_s + 3.5:
        time.sleep(0.1)
    assert len(bench.losses) == 2, "after two failures it waits for four seconds"
    assert unit.state().due == {"dark": "there is none"}
    bench.wait(lambda: len(bench.losses) == 3)


class PulledAtTheFirstDark:
    """Somebody pulls the cable while the shutter closes for the first dark."""

    def __init__(self, bench: Bench) -> None:
        self._control = bench.host.control
        self.darks = 0

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        if kind is Kind.DARK:
            self.darks += 1
            if self.darks == 1:
                self._control.unplug(serial)


def test_a_dark_that_failed_is_named_and_wished_for_again(bench: Bench, discover: Callable[..., Discovery]) -> None:
    light = PulledAtTheFirstDark(bench)
    darks = lambda: [capture for capture in bench.captures if capture.kind is Kind.DARK]  # noqa: E731
    bench.due = lambda kind, _: "there is none" if kind is Kind.DARK and not darks() else None
    discover(light=light, dark=SWITCHED)
    bench.wait(lambda: bool(bench.losses))
    assert [(loss.kind, loss.reason, loss.first_slot) for loss in bench.losses] == [(Kind.DARK, "device gone", -1)]
    bench.host.control.plug("UNIT-1")
    bench.wait(lambda: bool(darks()))
    assert light.darks == 2


def test_a_device_that_may_not_be_opened_is_named_until_it_may(
    bench: Bench, discover: Callable[..., Discovery]
) -> None:
    bench.host.control.deny("UNIT-2", True)
    discovery = discover(only=("UNIT-1", "UNIT-2"))
    assert [unit.settings.serial for unit in discovery.units()] == ["UNIT-1"]
    (problem,) = discovery.problems().values()
    assert "permission" in problem
    bench.host.control.deny("UNIT-2", False)
    _until(lambda: len(discovery.units()) == 2)
    assert discovery.problems() == {}


def test_a_device_that_is_not_ours_is_left_alone(bench: Bench, discover: Callable[..., Discovery]) -> None:
    discovery = discover(only=())
    assert discovery.units() == []
    assert discovery.problems() == {}
    assert all(driver.pid is None for driver in bench.drivers)


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def _accounted(bench: Bench) -> int:
    lost = sum(loss.slots for loss in bench.losses if loss.first_slot >= 0)
    return lost + sum(s.slot >= 0 for s in bench.samples())


def test_a_run_tells_its_beginning_and_its_end(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    (begun,) = bench.begun
    first = bench.samples()[0]
    assert (begun.device_name, begun.run_id, begun.period_us, begun.paced) == ("UNIT-1", first.run_id, 100_000, True)
    assert begun.ended_at_utc is None
    assert 0 <= first.monotonic_ns - begun.monotonic_ns < 100_000_000
    assert bench.ended == []
    unit.start_run(ALWAYS)
    _until(lambda: len(bench.begun) == 2 and len(bench.ended) == 1)
    bench.host.control.unplug("UNIT-1")
    bench.wait(lambda: sum(loss.slots for loss in bench.losses) >= 3)
    assert unit.stop()
    assert [run.run_id for run in bench.ended] == [run.run_id for run in bench.begun]
    assert all(run.ended_at_utc is not None for run in bench.ended)
    assert sum(run.slots or 0 for run in bench.ended) == _accounted(bench)
    bench.slots_add_up()


def test_a_sample_by_hand_takes_no_slot(bench: Bench, discover: Callable[..., Discovery]) -> None:
    (unit,) = discover(capture=capturing(every_us=200_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(2)
    unit.take(Kind.SAMPLE)
    bench.wait(lambda: any(s.slot == -1 for s in bench.samples()))
    number = len(bench.samples())
    bench.wait_for_samples(number + 3)
    unit.stop_run()
    scheduled = [s.slot for s in bench.samples() if s.slot >= 0]
    assert scheduled == list(range(len(scheduled)))
    assert bench.losses == []


def test_where_no_background_fits_it_is_taken_all_the_same_and_the_run_can_end(
    bench: Bench, discover: Callable[..., Discovery]
) -> None:
    (unit,) = discover(capture=capturing(every_us=60_000, integration_us=45_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    unit.take(Kind.DARK)
    bench.wait(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    bench.wait_for_samples(len(bench.samples()) + 3)
    unit.stop_run()
    _until(lambda: unit.state().state == "idle")
    bench.slots_add_up()
