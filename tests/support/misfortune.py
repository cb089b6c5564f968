"""A spectrometer that much befalls, on a host that much befalls, at random moments of a simulated time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator

from tests.support.clocks import StepClock

from oesd_drivers.errors import Gone
from oesd_drivers.ocean import OceanSpectrometer
from oesd_drivers.spectrometer import ONE, Address, Description, Exposure, Frame, Series, no_more
from oesd_drivers.usb import plugged
from oesd_drivers.virtual import VirtualBus, VirtualDevice
from oesd_drivers.virtual.faults import Fault, FaultKind

HOUR_S, YEARS_S = 3_600.0, 315_360_000.0
FAULT_EVERY_S = 600.0

#: Faults of the device, each with the largest value that makes sense of it. A broken pixel in the middle of a frame is
#: none of them: the protocol has no checksum that would tell it.
_STRIKES = {
    FaultKind.STALL: 0.0,
    FaultKind.OVERFLOW: 0.0,
    FaultKind.SILENT: 0.0,
    FaultKind.LATE: 3.0,
    FaultKind.SHORT: 500.0,
    FaultKind.BAD_SYNC: 0.0,
}
_STEPS_S = (-HOUR_S, HOUR_S, -2.0, 2.0, YEARS_S, -YEARS_S)


class FoundBySerial:
    """The driver at whatever address the spectrometer has when it is opened: what the discovery does in the daemon."""

    def __init__(self, clock: StepClock) -> None:
        self._clock = clock
        self._driver: OceanSpectrometer | None = None

    def address(self) -> Address:
        found = plugged("virtual")
        if not found:
            raise Gone("it was unplugged")
        return found[0].address

    def open(self) -> Description:
        self.close()
        self._driver = OceanSpectrometer(self.address(), "virtual", self._clock.of_driver())
        return self._driver.open()

    def set_exposure(self, exposure: Exposure) -> None:
        self._opened().set_exposure(exposure)

    def take(
        self,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        return self._opened().take(series, cancelled, more)

    def set_cooling(self, setpoint_c: float | None) -> None:
        self._opened().set_cooling(setpoint_c)

    def set_lamp(self, on: bool) -> None:
        self._opened().set_lamp(on)

    def close(self) -> None:
        if self._driver is not None:
            self._driver.close()

    def _opened(self) -> OceanSpectrometer:
        if self._driver is None:
            raise Gone("it was not found when it was to be opened")
        return self._driver


class Misfortune:
    """What befalls the device and the host, at random moments of the simulated time."""

    def __init__(self, clock: StepClock, bus: VirtualBus, device: VirtualDevice, rng: random.Random) -> None:
        self._clock, self._bus, self._device, self._rng = clock, bus, device, rng
        self.befallen: Counter[str] = Counter()
        self.last_ns = 0
        self._stepped_s = 0.0
        self._kinds: list[tuple[str, Callable[[], None]]] = [
            *((kind.value, lambda kind=kind: self._strike(kind)) for kind in _STRIKES),
            ("unplug", self._unplug),
            ("unplug in a read", self._unplug_in_read),
            ("wedge", self._wedge),
            ("no permission", lambda: self._lasting("denied")),
            ("busy elsewhere", lambda: self._lasting("busy_elsewhere")),
            ("host asleep", lambda: clock.suspend(rng.uniform(1.0, 300.0))),
            ("daemon stopped", lambda: clock.stall(rng.uniform(2.0, 120.0))),
            ("clock stepped", self._step),
        ]
        self._plan_next()
        self._mind()

    def _mind(self) -> None:
        """Somebody passes by: a fault may strike after the plug that was meant to end it."""
        self._plug()
        self._in(2 * HOUR_S / 60, self._mind)

    def _plan_next(self) -> None:
        self._in(self._rng.expovariate(1.0 / FAULT_EVERY_S), self._befall)

    def _in(self, seconds: float, call: Callable[[], None]) -> None:
        self._clock.at(self._clock.monotonic_ns() + round(seconds * 1e9), call)

    def _befall(self) -> None:
        name, act = self._rng.choice(self._kinds)
        self.befallen[name] += 1
        self.last_ns = self._clock.monotonic_ns()
        act()
        self._plan_next()

    def _strike(self, kind: FaultKind) -> None:
        self._device.faults.add(Fault(kind, self._rng.uniform(0.0, _STRIKES[kind])))

    def _unplug(self) -> None:
        self._device.unplug()
        self._in(self._rng.uniform(0.5, 90.0), self._plug)

    def _unplug_in_read(self) -> None:
        self._device.faults.add(Fault(FaultKind.UNPLUG, self._rng.uniform(0.0, 0.01)))
        self._in(self._rng.uniform(5.0, 90.0), self._plug)

    def _wedge(self) -> None:
        """Nothing in this process ends such a read; in the daemon the worker is killed."""
        self._device.faults.add(Fault(FaultKind.WEDGE))
        self._in(self._rng.uniform(3.0, 10.0), self._device.unplug)
        self._in(self._rng.uniform(12.0, 20.0), self._plug)

    def _plug(self) -> None:
        self._bus.plug(self._device)

    def _lasting(self, switch: str) -> None:
        setattr(self._device, switch, True)
        self._in(self._rng.uniform(1.0, 60.0), lambda: setattr(self._device, switch, False))

    def _step(self) -> None:
        """Set the date, within twenty years of the true one."""
        step_s = self._rng.choice([s for s in _STEPS_S if abs(self._stepped_s + s) < 2 * YEARS_S])
        self._stepped_s += step_s
        self._clock.step(step_s)
