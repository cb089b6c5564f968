"""The bench: the spectrometers that are plugged in and the light before them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oesd.acquisition import CommandLight, Discovery, Light, NoLight, Unit
from oesd.config import Config, LightSection
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spare import Spare
from oesd_drivers.spectrometer import Address, Description, Spectrometer
from oesd_drivers.usb import plugged

Enlist = Callable[[Spectrometer, Description, Address], Unit | None]
Enlisted = Callable[[Unit], None]


class Bench:
    """Spectrometers behind workers, found by their discovery.

    Parameters
    ----------
    backend : str
        USB backend of the drivers: ``"libusb"`` or ``"virtual"``.
    light : Light
        What switches the light of all of them.
    spare : Spare
        Where workers come from.
    enlist, enlisted, beat : callable
        As :class:`~oesd.acquisition.Discovery` takes them.
    """

    def __init__(
        self,
        backend: str,
        light: Light,
        spare: Spare,
        enlist: Enlist,
        enlisted: Enlisted,
        beat: Callable[[str, float], None],
    ) -> None:
        self.light = light
        self.boot_id = boot_id()
        self._spare = spare
        self._discovery = Discovery(
            lambda: [found.address for found in plugged(backend)],
            lambda address: IsolatedSpectrometer(address, backend, spare=self._spare),
            enlist,
            enlisted,
            beat,
        )

    def start(self) -> None:
        """Find what is plugged in and watch for more."""
        self._discovery.start()

    def stop(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Let every unit finish and release its spectrometer; ``meanwhile`` is called once a second."""
        self._discovery.stop(meanwhile)

    def use(self, config: Config) -> None:
        """Take what another configuration says of the bench; units that are made from now on go by it."""

    def renew(
        self, changed: Callable[[Unit], bool], ended: Callable[[Unit], None], meanwhile: Callable[[], None]
    ) -> None:
        """As :meth:`oesd.acquisition.Discovery.renew`."""
        self._discovery.renew(changed, ended, meanwhile)

    def rooms(self) -> dict[str, bool]:
        """What must live for the bench to work, each with whether it does."""
        return {"discovery": self._discovery.alive}

    def units(self) -> list[Unit]:
        """All units."""
        return self._discovery.units()

    def problems(self) -> dict[str, str]:
        """Spectrometers that cannot be used, each with its reason."""
        return self._discovery.problems()

    def forget(self, unit: Unit) -> None:
        """Find the unit's spectrometer anew."""
        self._discovery.forget(unit)


class RealBench(Bench):
    """What stands beside the chamber."""

    def __init__(
        self, config: Config, spare: Spare, enlist: Enlist, enlisted: Enlisted, beat: Callable[[str, float], None]
    ) -> None:
        super().__init__("libusb", _light(config.light), spare, enlist, enlisted, beat)

    def use(self, config: Config) -> None:
        """Switch the light as the configuration says."""
        self.light = _light(config.light)


def _light(section: LightSection) -> Light:
    """What switches the light; a line of the spectrometer itself is no matter of the bench."""
    timeout_s = section.timeout_us / 1e6
    if section.command:
        return CommandLight(section.command, timeout_s)
    if section.url:
        from oesd.acquisition.http_light import HttpLight

        return HttpLight(section.url, timeout_s)
    return NoLight()


def boot_id() -> str:
    """Identity of the host's boot, which monotonic times belong to."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def plugged_spectrometers() -> list[tuple[str, str, str]]:
    """Model, address and port of each spectrometer on USB, without opening any."""
    return [(found.model, str(found.address), found.address.port) for found in plugged("libusb")]
