"""Units at work: start error of paced slots, share of the frames that bursts get, with and without a busy interpreter.

    python -m tests.bench.pacing [SECONDS]

The start error is the moment at which the worker asks for a slot's first scan, minus the moment at which it was due.
Bursts are held against unmodified pyseabreeze on the same bus in the same run; captures go into a real store.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from msgspec.structs import replace
from tests.bench.speed import SIX, bare_rate, busy_interpreter

from oesd.acquisition import NoLight, Settings, Sinks, Unit
from oesd.config import CaptureSection
from oesd.model import Capture, Loss, Recipe, RunOrder, RunRecord
from oesd.processing import Processing
from oesd.service.punctual import take_short_turns
from oesd.store import Store
from oesd_drivers import virtual
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.usb import plugged

RATES_HZ = (10, 50)
BURSTS_US = (1_000, 10_000)
DEVICES = [("USB2000+", "BENCH-1")]


class Arrivals:
    """Where a unit's work goes: into a store, and in here what is counted."""

    def __init__(self, store: Store) -> None:
        self.room = Processing(store, Recipe(), upload=False, beat=lambda _n, _s: None)
        self.captures: list[tuple[int, int]] = []
        self.lost = 0
        self.begun: list[RunRecord] = []
        self.ended = threading.Event()

    def capture(self, capture: Capture, short: Capture | None) -> str:
        self.captures.append((capture.slot, capture.monotonic_ns))
        return self.room.accept(capture, short)

    def loss(self, loss: Loss) -> None:
        self.lost += loss.slots
        self.room.lose(loss)

    def begins(self, run: RunRecord) -> None:
        self.begun.append(run)
        self.room.begin_run(run)

    def ends(self, run: RunRecord) -> None:
        self.room.end_run(run)
        self.ended.set()


def unit_of(path: str, number: int, integration_us: int, every_us: int, arrivals: Arrivals) -> Unit:
    address = plugged("virtual")[number].address
    spectrometer = IsolatedSpectrometer(address, "virtual", env={virtual.ENVIRONMENT: path})
    description = spectrometer.open()
    capture = replace(CaptureSection(), integration_us=integration_us, every_us=every_us)
    settings = Settings(description.serial, description.serial, capture=capture)
    sinks = Sinks(arrivals.capture, arrivals.loss, lambda _n, _s: None, arrivals.begins, arrivals.ends)
    unit = Unit(settings, spectrometer, description, address, sinks, NoLight(), "boot")
    unit.start()
    return unit


@contextmanager
def units(path: str, numbers: range, integration_us: int, every_us: int) -> Iterator[list[tuple[Unit, Arrivals]]]:
    with tempfile.TemporaryDirectory() as directory:
        store = Store.open(Path(directory))
        made = []
        for number in numbers:
            arrivals = Arrivals(store)
            made.append((unit_of(path, number, integration_us, every_us, arrivals), arrivals))
        try:
            yield made
        finally:
            for unit, _ in made:
                unit.stop()
            for _, arrivals in made:
                arrivals.room.stop()
            store.close()


def start_errors_ms(path: str, rate_hz: int, seconds: float) -> list[float]:
    with units(path, range(1), 5_000, 1_000_000 // rate_hz) as ((unit, arrivals),):
        unit.start_run(RunOrder(cause="order", duration_us=round(seconds * 1e6)))
        arrivals.ended.wait(seconds + 30)
        (run,) = arrivals.begun
        errors = [ns - run.monotonic_ns - slot * 1000 * run.period_us for slot, ns in arrivals.captures if slot > 0]
        milliseconds = np.array(errors) / 1e6
        return [*np.percentile(milliseconds, (50, 99)), milliseconds.max(), float(arrivals.lost)]


def burst_rates_hz(path: str, numbers: range, integration_us: int, seconds: float) -> list[float]:
    frames = round(seconds * 1e6 / integration_us)
    with units(path, numbers, integration_us, 1_000_000) as made:
        for unit, _ in made:
            unit.start_run(RunOrder(cause="order", burst=frames))
        for _, arrivals in made:
            arrivals.ended.wait(5 * seconds + 30)
        rates = []
        for _, arrivals in made:
            times_ns = [ns for _, ns in arrivals.captures]
            rates.append((len(times_ns) - 1) / ((times_ns[-1] - times_ns[0]) / 1e9))
        return rates


@contextmanager
def bus(devices: list[tuple[str, str]]) -> Iterator[str]:
    with virtual.spawn_host(devices, "argon-metals", 1) as host:
        remote = virtual.connect(host.path)
        virtual.install(remote)
        yield str(host.path)
        remote.disconnect()


def report(title: str, measure: Callable[[int], list[float]]) -> None:
    print(f"\n{title:34}{'p50':>9}{'p99':>9}{'max':>9}{'lost':>6}")
    for rate_hz in RATES_HZ:
        p50, p99, most, lost = measure(rate_hz)
        print(f"{rate_hz:>5} Hz{'':26}{p50:>6.2f} ms{p99:>6.2f} ms{most:>6.2f} ms{lost:>6.0f}")


def main(seconds: float) -> None:
    take_short_turns()  # as the daemon does at its start
    with bus(DEVICES) as path:
        report("start error", lambda rate_hz: start_errors_ms(path, rate_hz, seconds))
        with busy_interpreter():
            report("start error, busy interpreter", lambda rate_hz: start_errors_ms(path, rate_hz, seconds))
        print(f"\n{'burst into a store':34}{'pyseabreeze':>12}{'unit':>9}{'share':>8}")
        for integration_us in BURSTS_US:
            bare_hz = bare_rate(0, integration_us, seconds)
            (ours_hz,) = burst_rates_hz(path, range(1), integration_us, seconds)
            print(f"{integration_us / 1000:>5g} ms{'':26}{bare_hz:>10.0f}/s{ours_hz:>7.0f}/s{ours_hz / bare_hz:>8.1%}")
    with bus([(model, f"BENCH-{n}") for n, model in enumerate(SIX)]) as path:
        rates = burst_rates_hz(path, range(len(SIX)), 20_000, seconds)
        print("\nsix at 20 ms, full rate: " + ", ".join(f"{rate:.1f}/s" for rate in rates) + " of 50/s")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
