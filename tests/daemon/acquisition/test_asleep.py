"""A host that sleeps while slots follow each other without a break; on a clock that the test steps."""

from __future__ import annotations

import threading

from tests.support.clocks import StepClock
from tests.support.misfortune import FoundBySerial

from oesd.acquisition import NoLight, Settings, Sinks, Unit
from oesd.config import CaptureSection
from oesd.model import Capture, Kind, Loss, RunOrder
from oesd_drivers.virtual import Light, VirtualBus, install, scene, spectrometer

SERIAL, EVERY_US = "ASLEEP-1", 100_000


def test_slots_that_a_host_sleeps_through_are_told_soon() -> None:
    clock, bus, ended = StepClock(), VirtualBus(), threading.Event()
    install(bus)
    light = Light(scene("hg-ar-lamp"), clock.seconds)
    bus.plug(spectrometer("NIRQuest256", SERIAL, light, 1, clock=clock.seconds, wait=clock.wait))
    happened: list[Capture | Loss] = []

    def take(capture: Capture, _short: Capture | None) -> str:
        happened.append(capture)
        return ""

    sinks = Sinks(take, happened.append, lambda _n, _s: None, lambda _run: None, lambda _run: ended.set())
    settings = Settings(SERIAL, SERIAL, capture=CaptureSection(every_us=EVERY_US, integration_us=10_000))
    driver = FoundBySerial(clock)
    unit = Unit(settings, driver, driver.open(), driver.address(), sinks, NoLight(), "boot", clock=clock)
    unit.start_run(RunOrder(cause="order", duration_us=120_000_000))
    clock.at(clock.monotonic_ns() + 3_000_000_000, lambda: clock.suspend(60.0))
    unit.start()
    assert ended.wait(60)
    unit.stop()
    (asleep,) = [h for h in happened if isinstance(h, Loss)]
    assert asleep.reason == "host asleep"
    assert 599 <= asleep.slots <= 601
    assert asleep.first_slot < 45, "within a second and a half"
    slots = [h.slot for h in happened if isinstance(h, Capture) and h.kind is Kind.SAMPLE]
    assert len(slots) + asleep.slots == 1_200
