"""Spectrometers of several families at work under one discovery, on a virtual bus in another process."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace
from tests.support.fault_truth import Judge, Stored

from oesd.acquisition import Discovery, NoLight, Settings, Sinks, Unit
from oesd.config import CaptureSection
from oesd.model import Capture, Loss, RunOrder, RunRecord
from oesd_drivers import virtual
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Address, Description, Spectrometer
from oesd_drivers.usb import plugged

NEIGHBOUR = "Torus"
NEIGHBOUR_SERIAL = "NEIGHBOUR"
SHORTEST_US = 10_000
_START_S = 60.0
_MAY_COME_YET = 20
_HEAVY_AT_ONCE = 3


@dataclass
class Records:
    """What the sinks were given, for all devices; captures as far as they are still to be judged."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    stored: dict[str, list[Stored]] = field(default_factory=lambda: defaultdict(list))
    losses: dict[str, list[Loss]] = field(default_factory=lambda: defaultdict(list))
    slots: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    runs: list[RunRecord] = field(default_factory=list)

    def capture(self, capture: Capture, short: Capture | None) -> str:
        """A sink for captures."""
        stored = Stored.of(capture, time.monotonic_ns())
        with self.changed:
            self.stored[stored.serial].append(stored)
            self.slots[stored.run_id][stored.slot] += 1
            self.changed.notify_all()
        return ""

    def loss(self, loss: Loss) -> None:
        """A sink for losses."""
        with self.changed:
            self.losses[loss.device_name].append(loss)
            if loss.first_slot >= 0:
                self.slots[loss.run_id].update(range(loss.first_slot, loss.first_slot + loss.slots))
            self.changed.notify_all()

    def ended(self, run: RunRecord) -> None:
        """A sink for ends of runs."""
        with self.changed:
            self.runs.append(run)
            self.changed.notify_all()

    def wait(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait for what the sinks were given."""
        with self.changed:
            return self.changed.wait_for(condition, within_s)

    def ledger_faults(self) -> list[str]:
        """Runs whose slots are not each a capture or a loss, once."""
        return [
            f"{run.device_name}: {run.slots} slots, {len(self.slots[run.run_id])} accounted for, "
            f"{sum(self.slots[run.run_id].values())} times in all"
            for run in self.runs
            if self.slots[run.run_id] != Counter(range(run.slots or 0))
        ]


class Rig:
    """A bus host, a discovery, and a unit per family that measures without end; see :func:`rig`."""

    def __init__(self, host: virtual.HostProcess, serials: dict[str, str], every_us: int) -> None:
        self.control = host.control
        self.records = Records()
        self.serials = serials
        #: Held by a trial that starts processes, from the strike to the first good capture. A lab PC loses one worker
        #: at a time; nineteen starting at once would measure the processor, and starve the neighbour.
        self.gate = threading.Semaphore(_HEAVY_AT_ONCE)
        self.judges = {serial: Judge() for serial in serials.values()}
        self._every_us = every_us
        self._environment = {virtual.ENVIRONMENT: str(host.path)}
        self._drivers: dict[str, IsolatedSpectrometer] = {}
        self._ports = {f"250-{number}": serial for number, serial in enumerate(serials.values(), 1)}
        self.discovery = Discovery(
            lambda: [found.address for found in plugged("virtual")],
            self._connect,
            self._enlist,
            lambda unit: unit.start_run(RunOrder("always")),
            lambda _name, _within_s: None,
        )

    @property
    def every_s(self) -> float:
        """Distance of the slots."""
        return self._every_us / 1e6

    def pid(self, serial: str) -> int | None:
        """Worker process of a device."""
        return self._drivers[serial].pid

    def unit(self, serial: str) -> Unit | None:
        """Unit of a device."""
        return next((unit for unit in self.discovery.units() if unit.settings.serial == serial), None)

    def wait_until_all_measure(self) -> bool:
        """Wait for two captures of each device."""
        stored = self.records.stored
        return self.records.wait(lambda: all(len(stored[serial]) > 1 for serial in self.serials.values()), _START_S)

    def judge(self, serial: str) -> Counter[str]:
        """Verdicts on the captures of a device that were not judged yet; one thread at a time for each device."""
        judge = self.judges[serial]
        stored = self.records.stored[serial][judge.judged :]
        made = self.control.frames_made(serial, judge.since)
        judge.judged += len(stored)
        judge.since = max((frame.index for frame in made), default=0) - _MAY_COME_YET
        return Counter(judge.verdicts(stored, made))

    def bury_the_dead(self) -> list[str]:
        """Forget units whose thread ended, as the daemon's supervisor does; their names."""
        dead = [unit for unit in self.discovery.units() if not unit.alive]
        for unit in dead:
            self.discovery.forget(unit)
        return [unit.settings.name for unit in dead]

    def _connect(self, address: Address) -> IsolatedSpectrometer:
        driver = IsolatedSpectrometer(address, "virtual", env=self._environment)
        self._drivers[self._ports[address.port]] = driver
        return driver

    def _enlist(self, spectrometer: Spectrometer, description: Description, address: Address) -> Unit | None:
        serial = description.serial
        if serial not in self.judges:
            return None
        integration_us = max(SHORTEST_US, description.integration_min_us)
        capture = replace(CaptureSection(), every_us=self._every_us, integration_us=integration_us)
        settings = Settings(serial, serial, capture)
        records = self.records
        sinks = Sinks(records.capture, records.loss, lambda _n, _s: None, lambda _run: None, records.ended)
        unit = Unit(settings, spectrometer, description, address, sinks, NoLight(), "boot")
        unit.start()
        return unit


@contextmanager
def rig(families: Sequence[str], seed: int, every_us: int = 200_000) -> Iterator[Rig]:
    """Start a rig with a device of each family and the neighbour, all measuring; ended with the context.

    The bus is installed for this process: one rig at a time.
    """
    serials = {family: f"F-{number}" for number, family in enumerate(families, 1)}
    serials[NEIGHBOUR] = NEIGHBOUR_SERIAL
    with virtual.spawn_host(list(serials.items()), "argon-metals", seed) as host:
        bus = virtual.connect(host.path)
        virtual.install(bus)
        made = Rig(host, serials, every_us)
        try:
            made.discovery.start()
            if not made.wait_until_all_measure():
                raise RuntimeError(f"not all measure: {made.discovery.problems()}")
            yield made
        finally:
            made.discovery.stop()
            bus.disconnect()
