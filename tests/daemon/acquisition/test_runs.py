"""Runs as people order them: bursts, pauses, durations, triggers, plasma, exposure that follows the light."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from tests.daemon.acquisition.conftest import ALWAYS, DEADLINE_S, SWITCHED, Bench, Shutter, capturing

from oesd.acquisition import Discovery
from oesd.config import (
    BackgroundSection,
    ExposureSection,
    LightSection,
    PlasmaSection,
    TriggerSection,
    read,
)
from oesd.model import Conditions, Kind, RunOrder

ARGON = read(
    PlasmaSection,
    {
        "bands": [{"centre_nm": 763.5, "half_width_nm": 1.5, "side_nm": 4.0}, {"centre_nm": 2000.0}],
        "on_above": 20_000.0,
        "off_below": 5_000.0,
        "on_hold": "200 ms",
        "off_hold": "300 ms",
    },
)
Discover = Callable[..., Discovery]


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_burst_gives_its_frames_without_gap_and_ends(bench: Bench, discover: Discover) -> None:
    (unit,) = discover(capture=capturing(integration_us=10_000)).units()
    unit.start_run(RunOrder(cause="order", labels={"sample": "GaN-7"}, burst=60))
    until(lambda: len(bench.ended) == 1)
    (run,) = bench.ended
    assert (run.paced, run.slots, run.cause, run.labels) == (False, 60, "order", {"sample": "GaN-7"})
    samples = bench.samples()
    assert [s.slot for s in samples] == list(range(60))
    assert {s.labels["sample"] for s in samples} == {"GaN-7"}
    assert bench.losses == []
    steps_ms = np.diff([s.monotonic_ns for s in samples]) / 1e6
    assert np.median(steps_ms) < 12, "frames of 10 ms follow each other"
    until(lambda: unit.state().state == "idle")


def test_a_run_of_a_duration_has_its_slots_and_no_more(bench: Bench, discover: Discover) -> None:
    (unit,) = discover().units()
    unit.start_run(RunOrder(cause="plan", duration_us=1_050_000))
    until(lambda: len(bench.ended) == 1)
    assert bench.ended[0].slots == 10
    bench.slots_add_up()
    assert len(bench.samples()) + sum(loss.slots for loss in bench.losses) == 10


def test_another_distance_of_the_slots_may_be_ordered(bench: Bench, discover: Discover) -> None:
    (unit,) = discover().units()
    unit.start_run(RunOrder(cause="order", every_us=50_000, duration_us=500_000))
    until(lambda: len(bench.ended) == 1)
    assert (bench.ended[0].period_us, bench.ended[0].slots) == (50_000, 10)


def test_slots_of_a_pause_are_named(bench: Bench, discover: Discover) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    unit.pause(True)
    until(lambda: sum(loss.slots for loss in bench.losses) >= 3)
    assert (unit.state().state, unit.state().paused) == ("paused", True)
    number = len(bench.samples())
    unit.pause(False)
    bench.wait_for_samples(number + 3)
    unit.stop_run()
    until(lambda: unit.state().state == "idle")
    assert {loss.reason for loss in bench.losses} == {"paused"}
    bench.slots_add_up()


def test_a_run_can_be_ended_while_the_device_is_gone(bench: Bench, discover: Discover) -> None:
    (unit,) = discover().units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(2)
    bench.host.control.unplug("UNIT-1")
    bench.wait(lambda: len(bench.losses) > 0)
    unit.stop_run()
    until(lambda: len(bench.ended) == 1)
    bench.slots_add_up()


def test_a_trigger_begins_each_frame_and_none_is_a_named_loss(bench: Bench, discover: Discover) -> None:
    trigger = read(TriggerSection, {"mode": "edge", "timeout": "600 ms"})
    (unit,) = discover(capture=capturing(every_us=1_000_000), trigger=trigger).units()
    unit.start_run(ALWAYS)
    for number in (1, 2):
        bench.wait(lambda n=number: len(bench.losses) >= n)  # type: ignore[misc]
        fired_ns = time.monotonic_ns()
        until(lambda n=number: _fired(bench) >= n)  # type: ignore[misc]
        assert bench.samples()[-1].monotonic_ns > fired_ns - 20_000_000, "exposed after its trigger"
        time.sleep(1.0)
    assert {loss.reason for loss in bench.losses} == {"no trigger"}
    assert unit.stop()
    bench.slots_add_up()
    assert not unit.in_trouble


def _fired(bench: Bench) -> int:
    bench.host.control.trigger("UNIT-1")
    return len(bench.samples())


def test_slots_that_pass_while_a_trigger_is_waited_for_say_so(bench: Bench, discover: Discover) -> None:
    trigger = read(TriggerSection, {"mode": "edge", "timeout": "20 s"})
    (unit,) = discover(capture=capturing(scans=3), trigger=trigger).units()
    unit.start_run(ALWAYS)
    until(lambda: unit.state().state == "waiting for trigger")
    time.sleep(0.5)
    until(lambda: _fired(bench) >= 1)
    until(lambda: bool(bench.losses))
    assert unit.stop()
    assert {loss.reason for loss in bench.losses} == {"no trigger"}
    bench.slots_add_up()
    assert max(bench.beats) > 3 * 20.0, "each of the three scans may wait for 20 s"


def test_a_dark_by_hand_does_not_wait_for_a_trigger(bench: Bench, discover: Discover) -> None:
    (unit,) = discover(trigger=read(TriggerSection, {"mode": "edge", "timeout": "15 s"})).units()
    unit.start_run(ALWAYS)
    until(lambda: unit.state().state == "waiting for trigger")
    begun_s = time.monotonic()
    unit.take(Kind.DARK)
    bench.wait(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    assert time.monotonic() - begun_s < 5.0
    assert unit.stop()
    bench.slots_add_up()
    assert {loss.reason for loss in bench.losses} <= {"dark taken", "no trigger", "overrun"}


def test_the_exposure_follows_the_light_unless_it_is_locked(bench: Bench, discover: Discover) -> None:
    auto = ExposureSection(mode="auto")
    bench.host.control.light(10.0)
    (unit,) = discover(exposure=auto).units()
    unit.start_run(ALWAYS)
    bench.wait(lambda: any(_share(s.counts.max(), s) > 0.65 for s in bench.samples()))
    unit.start_run(RunOrder(cause="order", lock_exposure=True))
    until(lambda: len(bench.begun) == 2)
    locked = bench.begun[1].run_id
    bench.wait(lambda: sum(s.run_id == locked for s in bench.samples()) >= 2)
    settled_us = unit.state().integration_us
    bench.host.control.light(2.0)
    bench.wait(lambda: sum(s.run_id == locked for s in bench.samples()) >= 12)
    assert {s.integration_us for s in bench.samples() if s.run_id == locked} == {settled_us}
    unit.start_run(ALWAYS)
    until(lambda: unit.state().integration_us > 2 * settled_us)
    unit.stop_run()
    bench.slots_add_up()


def _share(peak: float, sample: object) -> float:
    return float(peak / sample.device.saturation_counts)  # type: ignore[attr-defined]


def test_a_bracketed_sample_brings_its_shorter_exposure(bench: Bench, discover: Discover) -> None:
    bracket = ExposureSection(bracket=0.2)
    (unit,) = discover(exposure=bracket, capture=capturing(every_us=300_000, integration_us=20_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(4)
    unit.stop_run()
    until(lambda: unit.state().state == "idle")
    for sample, short in zip(bench.captures, bench.shorts, strict=True):
        assert short is not None
        assert (sample.integration_us, short.integration_us, short.slot) == (20_000, 4_000, -1)
        assert short.run_id == sample.run_id
        assert float(short.counts.max()) < 0.5 * float(sample.counts.max())
    assert [s.slot for s in bench.samples()] == list(range(len(bench.samples())))


def test_a_saturated_sample_may_be_forbidden(bench: Bench, discover: Discover) -> None:
    (unit,) = discover(capture=capturing(every_us=400_000, integration_us=300_000, saturated="refuse")).units()
    unit.start_run(ALWAYS)
    bench.wait(lambda: len(bench.losses) >= 2)
    unit.stop_run()
    assert {loss.reason for loss in bench.losses} == {"saturated"}
    assert bench.samples() == []


def test_a_run_begins_with_the_plasma_and_ends_with_it(bench: Bench, discover: Discover) -> None:
    bench.host.control.light(0.0)
    (unit,) = discover(plasma=ARGON).units()
    unit.watch_plasma(RunOrder(cause="plasma on", labels={"project": "p1"}))
    until(lambda: unit.state().state == "waiting for plasma" and "off" in unit.state().plasma)
    assert bench.captures == []
    for number in (1, 2):
        bench.host.control.light(1.0)
        until(lambda n=number: len(bench.begun) == n)  # type: ignore[misc]
        until(lambda n=number: sum(s.run_id == bench.begun[n - 1].run_id for s in bench.samples()) >= 3)  # type: ignore[misc]
        bench.host.control.light(0.0)
        until(lambda n=number: len(bench.ended) == n)  # type: ignore[misc]
    unit.stop_run()
    until(lambda: unit.state().state == "idle")
    assert [run.cause for run in bench.begun] == ["plasma on", "plasma on"]
    assert all(s.labels == {"project": "p1"} for s in bench.samples())
    assert bench.losses == []
    assert sum(run.slots or 0 for run in bench.ended) == len(bench.samples())


def test_the_plasma_is_told_whatever_the_samples_wait_for(bench: Bench, discover: Discover) -> None:
    """The trigger never comes: frames that only look for the plasma do not wait for it."""
    bench.host.control.light(0.0)
    (unit,) = discover(plasma=ARGON, trigger=read(TriggerSection, {"mode": "edge", "timeout": "10 s"})).units()
    unit.watch_plasma(RunOrder(cause="plasma on"))
    until(lambda: "off" in unit.state().plasma)
    bench.host.control.light(1.0)
    until(lambda: len(bench.begun) == 1)
    assert unit.state().detail == ""


def due_until_taken(bench: Bench) -> Callable[[Kind, Conditions], str | None]:
    def due(kind: Kind, conditions: Conditions) -> str | None:
        have = [c for c in bench.captures if c.kind is kind and c.integration_us == conditions.integration_us]
        return None if have or kind is Kind.REFERENCE else "no dark yet"

    return due


def test_a_dark_that_is_due_is_taken_when_the_plasma_is_off(bench: Bench, discover: Discover) -> None:
    bench.due = due_until_taken(bench)
    (unit,) = discover(plasma=ARGON, dark=BackgroundSection(how="plasma off")).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(15)
    assert not any(c.kind is Kind.DARK for c in bench.captures)
    assert unit.state().due == {"dark": "no dark yet"}
    bench.host.control.light(0.0)
    bench.wait(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    bench.wait_for_samples(len(bench.samples()) + 12)
    assert sum(c.kind is Kind.DARK for c in bench.captures) == 1
    unit.stop_run()
    until(lambda: unit.state().state == "idle")
    bench.slots_add_up()


def test_a_dark_that_is_due_is_taken_by_the_switch(bench: Bench, discover: Discover) -> None:
    shutter = Shutter(bench.host.control)
    bench.due = due_until_taken(bench)
    (unit,) = discover(light=shutter, dark=SWITCHED).units()
    until(lambda: any(c.kind is Kind.DARK for c in bench.captures))
    until(lambda: shutter.asked == [Kind.DARK, Kind.SAMPLE])  # no run is on, and it is left open all the same
    assert unit.stop()


def test_the_line_of_the_spectrometer_closes_its_shutter(bench: Bench, discover: Discover) -> None:
    bench.host.control.hang_on_lamp_line("UNIT-1", "closes")
    (unit,) = discover(dark=SWITCHED, section=LightSection(line="closes"), capture=capturing(every_us=200_000)).units()
    unit.start_run(ALWAYS)
    bench.wait_for_samples(3)
    unit.take(Kind.DARK)
    bench.wait(lambda: sum(c.kind is Kind.DARK for c in bench.captures) == 2)
    bench.wait_for_samples(5)
    unit.stop_run()
    darks = [c.counts for c in bench.captures if c.kind is Kind.DARK]
    assert all(float(np.ptp(dark)) < 400 for dark in darks)
    assert all(float(np.ptp(sample.counts)) > 1000 for sample in bench.samples())


def test_a_stop_while_the_light_settles_loses_nothing(bench: Bench, discover: Discover) -> None:
    shutter = Shutter(bench.host.control)
    section = read(LightSection, {"settle": "15 s"})
    (unit,) = discover(light=shutter, dark=SWITCHED, section=section).units()
    unit.start_run(ALWAYS)
    until(lambda: shutter.asked == [Kind.DARK])
    begun_s = time.monotonic()
    assert unit.stop()
    assert time.monotonic() - begun_s < 5.0
    assert bench.losses == []
    assert bench.captures == []


def test_an_idle_spectrometer_that_leaves_is_noted_and_is_well_when_it_is_back(
    bench: Bench, discover: Discover
) -> None:
    (unit,) = discover().units()
    until(lambda: unit.state().state == "idle")
    bench.host.control.unplug("UNIT-1")
    until(lambda: unit.state().state == "device gone")
    bench.host.control.plug("UNIT-1")
    until(lambda: unit.state().state == "idle")
    assert not unit.in_trouble
    unit.take(Kind.SAMPLE)
    bench.wait(lambda: len(bench.captures) == 1)
    assert bench.losses == []


def test_other_labels_go_with_the_spectra_to_come(bench: Bench, discover: Discover) -> None:
    (unit,) = discover().units()
    unit.start_run(RunOrder(cause="order", labels={"sample": "GaN-7"}))
    until(lambda: len(bench.samples()) >= 2)
    (run,) = bench.begun
    unit.label("another run", {"sample": "wrong"})
    unit.label(run.run_id, {"sample": "GaN-8", "wafer": "W1"})
    until(lambda: bench.samples()[-1].labels == {"sample": "GaN-8", "wafer": "W1"})
    assert unit.state().run_labels == {"sample": "GaN-8", "wafer": "W1"}
    unit.stop_run()
    until(lambda: len(bench.ended) == 1)
    carried = [sample.labels["sample"] for sample in bench.samples()]
    assert carried == sorted(carried) and set(carried) == {"GaN-7", "GaN-8"}
    assert len({sample.run_id for sample in bench.samples()}) == 1, "it is the same run"
