"""The spectrometer with its light, brought into the state that a capture wants before it is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from oesd.acquisition.light import CutShort, Light
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import device_of
from oesd.model import Kind
from oesd_drivers.errors import Gone
from oesd_drivers.spectrometer import ONE, Address, Description, Exposure, Frame, Series, Spectrometer, no_more


class Camera:
    """One spectrometer; remembers what it was set to, and forgets it with every doubt.

    Parameters
    ----------
    settings : Settings
    spectrometer, description, address
        The driver, opened, and what it said of itself.
    light : Light
        Switches the light for darks and references, where the spectrometer's own line does not.
    rest : callable
        Waits so many seconds; False when it was cut short because everything ends.

    Attributes
    ----------
    address : Address
        Where it is plugged in.
    displaced : bool
        Another spectrometer answered there when it was opened last.
    device : Device
        What it said of itself.
    """

    def __init__(
        self,
        settings: Settings,
        spectrometer: Spectrometer,
        description: Description,
        address: Address,
        light: Light,
        rest: Callable[[float], bool],
    ) -> None:
        self._settings = settings
        self._spectrometer = spectrometer
        self._light = light
        self._rest = rest
        self._exposure: Exposure | None = None
        self._light_at: Kind | None = None
        self._cooled = False
        self.address = address
        self.displaced = False
        self._description = description
        self.device = device_of(description, settings)

    @property
    def opened(self) -> tuple[Spectrometer, Description, Address]:
        """The driver as another camera may take it over, and what it said of itself where it is."""
        return self._spectrometer, self._description, self.address

    @property
    def step_us(self) -> int:
        """The device takes integration times that are whole multiples of this."""
        return self._description.integration_step_us

    def take(
        self,
        kind: Kind,
        exposure: Exposure,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        """Bring the light and the exposure, then take frames, and more as long as some are added; to be run to its end.

        Raises
        ------
        LightError
            The light could not be switched; the spectrometer is as it was.
        CutShort
            The daemon ends.
        SpectrometerError
        """
        self.prepare(kind, exposure)
        return self._spectrometer.take(series, cancelled, more)

    def prepare(self, kind: Kind, exposure: Exposure | None) -> None:
        """Bring light, cooling and exposure, None for the light alone; raises as :meth:`take` does."""
        self._bring_light(kind)
        if exposure is not None:
            self._cool()
            self._expose(exposure)

    def reopen(self) -> None:
        """Close and open the device; everything is set again before the next frame.

        Raises
        ------
        SpectrometerError
            ``Gone`` when another spectrometer answers at its address, which is let go at once.
        """
        self._forget()
        if self.displaced:
            raise Gone(f"another spectrometer is plugged in at {self.address}")  # when ours is back, it is adopted
        self._described(self._spectrometer.open())

    def adopt(self, spectrometer: Spectrometer, description: Description, address: Address) -> None:
        """Go on with the same device, opened elsewhere after it was plugged in again."""
        self._forget()
        self._spectrometer.close()
        self._spectrometer, self.address = spectrometer, address
        self._described(description)

    def close(self) -> None:
        """Release the device."""
        self._spectrometer.close()

    def _described(self, description: Description) -> None:
        self.displaced = (description.serial, description.model) != (self._settings.serial, self.device.model)
        if self.displaced:
            self._spectrometer.close()
            found = f"{description.model} with serial {description.serial!r}"
            raise Gone(f"another spectrometer answers at {self.address}: {found:.200}")
        self._description = description
        self.device = device_of(description, self._settings)

    def _forget(self) -> None:
        self._exposure, self._light_at, self._cooled = None, None, False

    def _cool(self) -> None:
        if self._settings.cooling_c is not None and not self._cooled:
            self._spectrometer.set_cooling(self._settings.cooling_c)
            self._cooled = True

    def _expose(self, exposure: Exposure) -> None:
        if exposure != self._exposure:
            self._exposure = None
            self._spectrometer.set_exposure(exposure)
            self._exposure = exposure

    def _bring_light(self, kind: Kind) -> None:
        if kind is not Kind.SAMPLE:
            # Whoever blocked the light did it just now, and the frame in flight is older: it is to be discarded.
            self._exposure = None
        section = self._settings.background(kind)
        wanted = kind if section is not None and section.how == "switch" else Kind.SAMPLE
        if not self._settings.switched or self._light_at is wanted:
            return
        self._light_at = None
        # The frame in flight sees both lights: what is set again before the next one discards it.
        self._exposure = None
        self._switch(wanted)
        self._light_at = wanted
        if not self._rest(self._settings.light.settle_us / 1e6):
            self._light_at = None
            raise CutShort

    def _switch(self, wanted: Kind) -> None:
        line = self._settings.light.line
        if line == "none":
            self._light.switch(wanted, self._settings.serial, self._settings.name)
        else:
            dark = wanted is Kind.DARK
            self._spectrometer.set_lamp(dark if line == "closes" else not dark)
