"""Start error of paced slots, idle and with a thread that never lets go of the interpreter.

    python tests/bench/pacing.py [SECONDS]

The start error is the moment at which the worker asks for the first scan, minus the moment at which the slot was due.
A wake-up of a bare monotonic loop in the same run stands beside it: what this machine can do at all.
"""

from __future__ import annotations

import sys
import threading
import time

import numpy as np

from oesd.acquisition import NoLight, Settings, Sinks, Unit
from oesd.config import BackgroundSection
from oesd.model import Capture
from oesd_drivers import virtual
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.usb import plugged

RATES_HZ = (10, 50)


def paced(path: str, rate_hz: int, seconds: float) -> list[float]:
    """Start errors of a unit in ms."""
    captures: list[Capture] = []
    lost: list[object] = []
    address = plugged("virtual")[0].address
    spectrometer = IsolatedSpectrometer(address, "virtual", env={virtual.ENVIRONMENT: path})
    description = spectrometer.open()
    by_hand = BackgroundSection()
    settings = Settings(description.serial, "bench", 1_000_000 // rate_hz, 5_000, 1, 0, by_hand, by_hand, 0)

    def take(capture: Capture) -> str:
        captures.append(capture)
        return ""

    def beat(_name: str, _within_s: float) -> None:
        pass

    unit = Unit(settings, spectrometer, description, address, Sinks(take, lost.append, beat), NoLight(), "boot")
    unit.start()
    unit.start_run(paced=True)
    time.sleep(seconds)
    unit.stop()
    first = captures[0]
    steady = [c for c in captures if c.slot > 2]
    period_ns = 1_000_000_000 // rate_hz
    errors = np.array([c.monotonic_ns - first.monotonic_ns - (c.slot - first.slot) * period_ns for c in steady]) / 1e6
    errors -= np.min(errors)
    return [*np.percentile(errors, (50, 99)), errors.max(), float(len(lost))]


def bare(rate_hz: int, seconds: float) -> list[float]:
    """Start errors of a loop that only waits, in ms."""
    begin = time.monotonic()
    errors = []
    for slot in range(int(seconds * rate_hz)):
        due = begin + slot / rate_hz
        time.sleep(max(0.0, due - time.monotonic()))
        errors.append(1e3 * (time.monotonic() - due))
    return [*np.percentile(errors, (50, 99)), max(errors), 0.0]


def burn(stop: threading.Event) -> None:
    """Keep the interpreter busy."""
    while not stop.is_set():
        pass


def main(seconds: float) -> None:
    """Print a line for each rate, idle and busy."""
    print(f"{'':28}{'p50':>8}{'p99':>8}{'max ms':>8}{'lost':>6}")
    with virtual.spawn_host([("USB2000+", "BENCH-1")]) as host:
        bus = virtual.connect(host.path)
        virtual.install(bus)
        for busy in (False, True):
            stop = threading.Event()
            if busy:
                threading.Thread(target=burn, args=(stop,), daemon=True).start()
            for rate_hz in RATES_HZ:
                for name, figures in (
                    ("bare loop", bare(rate_hz, seconds)),
                    ("unit", paced(str(host.path), rate_hz, seconds)),
                ):
                    label = f"{name}, {rate_hz} Hz, {'busy' if busy else 'idle'}"
                    print(f"{label:28}" + "".join(f"{x:8.2f}" for x in figures[:3]) + f"{figures[3]:6.0f}")
            stop.set()
        bus.disconnect()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
