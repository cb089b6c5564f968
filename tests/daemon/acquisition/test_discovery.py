"""Spectrometers that come and go, and are not what they seem."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.daemon.acquisition.conftest import ALWAYS, DEADLINE_S, Bench, capturing

from oesd.acquisition import Discovery, NoLight, Settings, Sinks, Unit
from oesd_drivers.errors import Gone
from oesd_drivers.spectrometer import ONE, Address, Description, Exposure, Frame, Series, Spectrometer, no_more

HERE, THERE = Address(1, 5, 0x2457, 0x101E, "1-1"), Address(1, 6, 0x2457, 0x4000, "1-2")


@dataclass
class Socket:
    """What is plugged in at an address, as its driver sees it."""

    model: str
    serial: str
    opened: int = 0
    closed: int = 0


@dataclass
class Desk:
    """Sockets and everything that drivers, units and the discovery made of them."""

    sockets: dict[Address, Socket]
    units: list[Unit] = field(default_factory=list)
    enlist_fails: int = 0

    def plugged(self) -> list[Address]:
        return list(self.sockets)

    def connect(self, address: Address) -> Spectrometer:
        return Driver(self, address)

    def enlist(self, spectrometer: Spectrometer, description: Description, address: Address) -> Unit | None:
        if self.enlist_fails:
            self.enlist_fails -= 1
            raise RuntimeError("can't start new thread")
        settings = Settings(description.serial, description.serial or "none", capture=capturing())
        sinks = Sinks(lambda _capture, _short: "", lambda _loss: None, lambda _name, _within_s: None)
        unit = Unit(settings, spectrometer, description, address, sinks, NoLight(), "boot")
        unit.start()
        self.units.append(unit)
        return unit


class Driver:
    """The port over a socket; what it was opened at is what it keeps."""

    def __init__(self, desk: Desk, address: Address) -> None:
        self._desk, self._address = desk, address
        self._at: Socket | None = None

    def open(self) -> Description:
        self.close()
        if self._address not in self._desk.sockets:
            raise Gone("nothing is plugged in")
        self._at = self._desk.sockets[self._address]
        self._at.opened += 1
        axis = np.linspace(200.0, 900.0, 16)
        return Description(self._at.serial, self._at.model, axis, 65535, (), (), 1000, 10**7, True, True)

    def set_exposure(self, exposure: Exposure) -> None:
        self._see()

    def take(
        self,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        self._see()
        counts = np.full(16, 1000, dtype=np.uint32)
        exposure = Exposure(1000)
        yield Frame(counts, counts > 60_000, exposure, time.monotonic_ns(), time.time_ns(), None, None)

    def set_cooling(self, setpoint_c: float | None) -> None:
        self._see()

    def set_lamp(self, on: bool) -> None:
        self._see()

    def close(self) -> None:
        at, self._at = self._at, None
        if at is not None:
            at.closed += 1

    def _see(self) -> None:
        if self._at is None or self._desk.sockets.get(self._address) is not self._at:
            raise Gone("it was unplugged")


@pytest.fixture
def desk() -> Desk:
    return Desk({HERE: Socket("USB2000+", "A")})


@pytest.fixture
def discovery(desk: Desk) -> Iterator[Discovery]:
    made = Discovery(desk.plugged, desk.connect, desk.enlist, lambda _unit: None, lambda _n, _s: None, 0.05)
    yield made
    made.stop()
    assert all(socket.opened == socket.closed for socket in desk.sockets.values()), "each is let go of"


def until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_unit_that_could_not_be_made_is_made_later(desk: Desk, discovery: Discovery) -> None:
    desk.enlist_fails = 1
    discovery.start()
    assert "thread" in discovery.problems()[str(HERE)]
    assert desk.sockets[HERE].closed == 1
    until(lambda: len(discovery.units()) == 1)
    until(lambda: discovery.problems() == {})


@pytest.mark.parametrize("serial", ["", "A"])
def test_another_model_with_the_same_serial_is_another_spectrometer(
    desk: Desk, discovery: Discovery, serial: str
) -> None:
    """Blank memories all say the same: an STS must not go on with the run of a USB2000+ that was pulled."""
    desk.sockets[HERE].serial = serial
    discovery.start()
    (unit,) = discovery.units()
    unit.start_run(ALWAYS)
    until(lambda: unit.state().captures > 0)
    del desk.sockets[HERE]
    until(lambda: unit.in_trouble)
    desk.sockets[THERE] = Socket("STS", serial)
    until(lambda: str(THERE) in discovery.problems())
    assert (unit.model, unit.in_trouble) == ("USB2000+", True)
    assert desk.sockets[THERE].closed == desk.sockets[THERE].opened
    desk.sockets[HERE] = Socket("USB2000+", serial)
    until(lambda: not unit.in_trouble)


def test_another_spectrometer_at_the_same_address_is_found(desk: Desk, discovery: Discovery) -> None:
    """Swapped between two looks at the bus: the old unit lets go of it, and it gets a unit of its own."""
    discovery.start()
    (first,) = discovery.units()
    first.start_run(ALWAYS)
    until(lambda: first.state().captures > 0)
    desk.sockets[HERE] = Socket("STS", "B")
    until(lambda: len(discovery.units()) == 2)
    second = desk.units[1]
    second.start_run(ALWAYS)
    until(lambda: second.state().captures > 3)
    assert (first.state().state, second.model) == ("device gone", "STS")
    assert discovery.problems() == {}


def test_a_device_that_its_unit_opened_again_is_not_opened_beside_it(desk: Desk, discovery: Discovery) -> None:
    """It comes back at its old address, and its unit is there before the discovery has looked."""
    discovery.start()
    (unit,) = discovery.units()
    unit.start_run(ALWAYS)
    until(lambda: unit.state().captures > 0)
    socket = desk.sockets.pop(HERE)
    discovery.look()
    until(lambda: unit.in_trouble)
    desk.sockets[HERE] = socket
    until(lambda: not unit.in_trouble)
    opened = socket.opened
    for _ in range(5):
        discovery.look()
        time.sleep(0.02)
    assert socket.opened == opened or socket.closed == socket.opened - 1


def test_a_unit_whose_thread_has_ended_takes_nothing_over(bench: Bench, desk: Desk, discovery: Discovery) -> None:
    discovery.start()
    (unit,) = discovery.units()
    assert unit.stop()
    driver = desk.connect(HERE)
    assert not unit.adopt(driver, driver.open(), HERE)
    driver.close()
