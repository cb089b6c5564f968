"""A unit on a virtual bench: host process, workers, and lists where captures and losses arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from oesd.acquisition import Discovery, NoLight, Settings, Sinks, Unit
from oesd.config import BackgroundSection, CaptureSection, LightSection
from oesd.model import Capture, Conditions, Kind, Loss, RunOrder, RunRecord
from oesd_drivers import virtual
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import ONE, Address, Description, Frame, Series, Spectrometer
from oesd_drivers.usb import plugged

SWITCHED = BackgroundSection(how="switch")
ALWAYS = RunOrder(cause="always")


def capturing(**changes: object) -> CaptureSection:
    """A slot each 100 ms, 5 ms of exposure, unless said otherwise."""
    return replace(CaptureSection(), **{"every_us": 100_000, "integration_us": 5_000, **changes})


DEADLINE_S = 40.0


class Shutter:
    """The virtual shutter as a light switch; remembers what was asked."""

    def __init__(self, control: virtual.HostControl) -> None:
        self._control = control
        self.asked: list[Kind] = []

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        self.asked.append(kind)
        self._control.shutter(serial, kind is not Kind.SAMPLE)
        self._control.lamp(serial, kind is Kind.REFERENCE)


class Counted(IsolatedSpectrometer):
    """Knows how many series were asked for."""

    series = 0

    def take(self, series: Series = ONE, *others: Callable[[], Any]) -> Iterator[Frame]:
        self.series += 1
        return super().take(series, *others)


@dataclass
class Bench:
    """A virtual bus in another process and everything that units made on it have handed over."""

    host: virtual.HostProcess
    captures: list[Capture] = field(default_factory=list)
    shorts: list[Capture | None] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    begun: list[RunRecord] = field(default_factory=list)
    ended: list[RunRecord] = field(default_factory=list)
    refusal: str = ""
    beats: list[float] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    drivers: list[Counted] = field(default_factory=list)
    due: Callable[[Kind, Conditions], str | None] = lambda _kind, _conditions: None

    def take(self, capture: Capture, short: Capture | None) -> str:
        with self.changed:
            if not self.refusal:
                self.captures.append(capture)
                self.shorts.append(short)
            self.changed.notify_all()
            return self.refusal

    def lose(self, loss: Loss) -> None:
        with self.changed:
            self.losses.append(loss)
            self.changed.notify_all()

    def end(self, run: RunRecord) -> None:
        with self.changed:
            self.ended.append(run)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, DEADLINE_S), (len(self.captures), self.losses)

    def wait_for_samples(self, number: int) -> None:
        self.wait(lambda: len(self.samples()) >= number)

    def samples(self) -> list[Capture]:
        return [c for c in self.captures if c.kind is Kind.SAMPLE]

    def connect(self, address: Address) -> IsolatedSpectrometer:
        environment = {virtual.ENVIRONMENT: str(self.host.path)}
        self.drivers.append(Counted(address, "virtual", env=environment, margin_s=1.5))
        return self.drivers[-1]

    def slots_add_up(self) -> None:
        """Every slot of every run is a capture or a loss, once."""
        served: dict[tuple[str, str], list[int]] = {}
        for capture in self.samples():
            if capture.slot >= 0:
                served.setdefault((capture.device.name, capture.run_id), []).append(capture.slot)
        for loss in self.losses:
            if loss.kind is Kind.SAMPLE and loss.first_slot >= 0:
                lost = range(loss.first_slot, loss.first_slot + loss.slots)
                served.setdefault((loss.device_name, loss.run_id), []).extend(lost)
        for slots in served.values():
            assert sorted(slots) == list(range(len(slots)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with virtual.spawn_host([("USB2000+", "UNIT-1"), ("STS", "UNIT-2")], "argon-metals", 3) as host:
        bus = virtual.connect(host.path)
        virtual.install(bus)
        yield Bench(host)
        bus.disconnect()


MakeDiscovery = Callable[..., Discovery]


@pytest.fixture
def discover(bench: Bench) -> Iterator[MakeDiscovery]:
    """Make a discovery whose units have these settings; all are stopped at the end."""
    made: list[Discovery] = []

    def make(
        *,
        light: object = None,
        section: LightSection | None = None,
        only: tuple[str, ...] = ("UNIT-1",),
        **changes: object,
    ) -> Discovery:
        def enlist(spectrometer: Spectrometer, description: Description, address: Address) -> Unit | None:
            if description.serial not in only:
                return None
            serial = description.serial
            given = {"capture": capturing(), "light": section or LightSection(), **changes}
            settings = Settings(serial, serial, **given)  # type: ignore[arg-type]
            beat: Callable[[str, float], None] = lambda _name, within_s: bench.beats.append(within_s)  # noqa: E731
            sinks = Sinks(bench.take, bench.lose, beat, bench.begun.append, bench.end, bench.due)
            unit = Unit(settings, spectrometer, description, address, sinks, light or NoLight(), "boot")  # type: ignore[arg-type]
            unit.start()
            return unit

        discovery = Discovery(
            lambda: [p.address for p in plugged("virtual")],
            bench.connect,
            enlist,
            lambda _unit: None,
            lambda _n, _s: None,
            0.2,
        )
        made.append(discovery)
        discovery.start()
        return discovery

    yield make
    for discovery in made:
        discovery.stop()
