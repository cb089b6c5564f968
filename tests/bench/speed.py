"""How punctual and how fast the driver is, on the virtual bus.

    python tests/bench/speed.py [SECONDS]

Start error: the moment at which the worker asks for a frame, minus the moment at which it was due, with a thread in
this process that never lets go of the interpreter. Duty: frames without a pause, against what bare pyseabreeze reads
of the same device in the same run. Six: as many spectrometers at 20 ms at once, back to back, against 50 a second.
Recovery: from an error to the next good frame.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from seabreeze.pyseabreeze.devices import SeaBreezeDevice
from seabreeze.pyseabreeze.transport import USBTransportHandle

from oesd_drivers import virtual
from oesd_drivers.errors import Reopen
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Exposure, Series
from oesd_drivers.usb import find, plugged

SIX = ["USB2000+", "USB4000", "STS", "QE-PRO", "SR4", "Maya2000 Pro"]
WARM_UP = 5


def like_hardware(pid: int) -> None:
    """Let the virtual bus go first, where the system allows it: it stands for devices that no load of the PC delays."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(2))


def opened(path: str, number: int, exposure: Exposure) -> IsolatedSpectrometer:
    """Open the spectrometer that was plugged in as this number, set and warm."""
    spectrometer = IsolatedSpectrometer(plugged("virtual")[number].address, "virtual", env={virtual.ENVIRONMENT: path})
    spectrometer.open()
    spectrometer.set_exposure(exposure)
    list(spectrometer.take(Series(WARM_UP)))
    return spectrometer


def start_errors_ms(path: str, rate_hz: int, seconds: float) -> tuple[np.ndarray, int]:
    """Start errors of a paced series, and the frames that were left out."""
    spectrometer = opened(path, 0, Exposure(5_000))
    count, period_ns = int(seconds * rate_hz), 1_000_000_000 // rate_hz
    series = Series(count, time.monotonic_ns() + 100_000_000, period_ns)
    frames = list(spectrometer.take(series))
    spectrometer.close()
    errors = [frame.started_monotonic_ns - series.first_due_ns - frame.index * period_ns for frame in frames]
    return np.array(errors) / 1e6, count - len(frames)


def bare_rate(number: int, integration_us: int, seconds: float) -> float:
    """Frames a second that pyseabreeze's own read reaches in this process."""
    device = SeaBreezeDevice(USBTransportHandle(find(plugged("virtual")[number].address, "virtual")))
    device.open()
    device.f.spectrometer.set_integration_time_micros(integration_us)
    for _ in range(WARM_UP):
        device.f.spectrometer.get_intensities()
    frames, begin = 0, time.monotonic()
    while time.monotonic() - begin < seconds:
        device.f.spectrometer.get_intensities()
        frames += 1
    rate = frames / (time.monotonic() - begin)
    device.close()
    return rate


def own_rate(spectrometer: IsolatedSpectrometer, count: int) -> float:
    """Frames a second of a series without a pause, by the moments at which they were asked for."""
    started = [frame.started_monotonic_ns for frame in spectrometer.take(Series(count))]
    return 1e9 * (len(started) - 1) / (started[-1] - started[0])


@contextlib.contextmanager
def busy_interpreter() -> Iterator[None]:
    """Keep this process's interpreter busy in another thread."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            pass

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def punctuality(path: str, seconds: float) -> None:
    """Print start errors."""
    print(f"{'start error, ms':34}{'p50':>8}{'p99':>8}{'max':>8}{'left out':>10}   goal: p99 < 1")
    for rate_hz in (10, 50):
        with busy_interpreter():
            errors, left_out = start_errors_ms(path, rate_hz, seconds)
        figures = "".join(f"{x:8.3f}" for x in (*np.percentile(errors, (50, 99)), errors.max()))
        print(f"{f'{rate_hz} Hz, busy interpreter':34}{figures}{left_out:10d}")


def duty(path: str, seconds: float) -> None:
    """Print duty cycles against bare pyseabreeze, the two in turns."""
    print(f"\n{'duty, frames/s':34}{'bare':>8}{'ours':>8}{'ratio':>8}")
    for number, integration_us, goal in ((0, 1_000, 0.8), (0, 10_000, 0.97), (1, 10_000, 0.97)):
        bare, own = [], []
        for _ in range(3):
            bare.append(bare_rate(number, integration_us, seconds / 3))
            spectrometer = opened(path, number, Exposure(integration_us))
            own.append(own_rate(spectrometer, int(seconds / 3 * 1e6 / integration_us)))
            spectrometer.close()
        name = f"{SIX[number]}, {integration_us / 1000:g} ms"
        ratio = np.median(own) / np.median(bare)
        print(f"{name:34}{np.median(bare):8.1f}{np.median(own):8.1f}{ratio:8.3f}   goal: {goal}")


def together(path: str, seconds: float) -> None:
    """Print the rates of six spectrometers at once."""
    print(f"\n{'six at once at 20 ms, frames/s':34}{'rate':>8}{'of 50':>8}")
    rates: dict[str, float] = {}
    opened_ones = [(name, opened(path, number, Exposure(20_000))) for number, name in enumerate(SIX)]

    def run(name: str, spectrometer: IsolatedSpectrometer) -> None:
        rates[name] = own_rate(spectrometer, int(seconds * 50))

    threads = [threading.Thread(target=run, args=pair) for pair in opened_ones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, spectrometer in opened_ones:
        print(f"{name:34}{rates[name]:8.2f}{rates[name] / 50:8.3f}")
        spectrometer.close()


def recovered_after_s(control: virtual.HostControl, path: str, number: int, *, fresh: bool) -> float:
    """Seconds from an error to the next good frame at 10 ms; after it nothing is waited for, as no supervisor would."""
    spectrometer = opened(path, number, Exposure(10_000))
    child = spectrometer.pid
    if fresh and child is not None:
        os.kill(child, signal.SIGKILL)
    else:
        control.fault(f"BENCH-{number}", "stall")
    with contextlib.suppress(Reopen):
        list(spectrometer.take(Series(3)))
        raise AssertionError("the fault did not strike")
    begin = time.monotonic()
    spectrometer.open()
    spectrometer.set_exposure(Exposure(10_000))
    list(spectrometer.take())
    took_s = time.monotonic() - begin
    assert (spectrometer.pid == child) != fresh
    spectrometer.close()
    return took_s


def recovery(control: virtual.HostControl, path: str, seconds: float) -> None:
    """Print how long it takes from an error to good data."""
    print(f"\n{'error to the next good frame, s':34}{'median':>8}{'max':>8}")
    for name, fresh, goal in (("stall: the living worker", False, 2), ("kill -9: a fresh worker", True, 5)):
        for number in (0, 2):
            took = [recovered_after_s(control, path, number, fresh=fresh) for _ in range(max(3, int(seconds / 2)))]
            print(f"{f'{name}, {SIX[number]}':34}{np.median(took):8.3f}{max(took):8.3f}   goal: {goal}")


def main(seconds: float) -> None:
    """Print the table."""
    with virtual.spawn_host([(model, f"BENCH-{number}") for number, model in enumerate(SIX)]) as host:
        like_hardware(host.pid)
        bus = virtual.connect(host.path)
        virtual.install(bus)
        for part in (punctuality, duty, together):
            part(str(host.path), seconds)
        recovery(host.control, str(host.path), seconds)
        bus.disconnect()


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
