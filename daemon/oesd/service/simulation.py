"""A bench of virtual spectrometers: the world is another process, all that the daemon runs is what a lab PC runs."""

from __future__ import annotations

from collections.abc import Callable

from oesd.acquisition import LightError
from oesd.config import Config
from oesd.model import Kind
from oesd.service.bench import Bench, Enlist, Enlisted
from oesd_drivers.spare import Spare
from oesd_drivers.virtual import ENVIRONMENT, HostControl, HostError, HostProcess, connect, install, spawn_host


class VirtualBench(Bench):
    """Virtual spectrometers on a bus in a process of its own, with a shutter and a halogen lamp before each."""

    def __init__(self, config: Config, enlist: Enlist, enlisted: Enlisted, beat: Callable[[str, float], None]) -> None:
        self._section = config.simulation
        self._host: HostProcess | None = None
        super().__init__("virtual", _VirtualLight(lambda: self.control), Spare(), enlist, enlisted, beat)

    @property
    def control(self) -> HostControl:
        """Hands on the virtual world: plugs, light, faults."""
        if self._host is None:
            raise HostError("the virtual bus does not run")
        return self._host.control

    def start(self) -> None:
        """Start the world, then look for spectrometers in it."""
        self._host = spawn_host(self._section.pairs, self._section.scene, self._section.seed)
        self._bus = connect(self._host.path)
        install(self._bus)
        self._spare = Spare({ENVIRONMENT: str(self._host.path)})
        super().start()

    def rooms(self) -> dict[str, bool]:
        """The discovery, and the process that the virtual spectrometers live in."""
        return {**super().rooms(), "virtual bus": self._host is not None and self._host.alive}

    def stop(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Release the spectrometers, then end the world."""
        super().stop(meanwhile)
        self._spare.close()
        if self._host is not None:
            self._bus.disconnect()
            self._host.stop()
            self._host = None


class _VirtualLight:
    """Shutter and lamp of the virtual spectrometers; the lamp stands behind the shutter."""

    def __init__(self, control: Callable[[], HostControl]) -> None:
        self._control = control

    def switch(self, kind: Kind, serial: str, name: str) -> None:
        """Show the plasma, the lamp or nothing."""
        try:
            self._control().shutter(serial, kind is not Kind.SAMPLE)
            self._control().lamp(serial, kind is Kind.REFERENCE)
        except (HostError, KeyError, ValueError, OSError) as error:
            raise LightError(f"virtual light of {name}: {error}") from None
