"""What the work on one spectrometer is made of; each knows one thing, and the thread of the unit owns them all."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.acquisition.camera import Camera
from oesd.acquisition.clock import Clock
from oesd.acquisition.delivery import Delivery
from oesd.acquisition.exposing import Exposing
from oesd.acquisition.plasma import Plasma
from oesd.acquisition.recovery import Trouble
from oesd.acquisition.run_book import RunBook
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Sinks
from oesd.acquisition.wishes import Wishes


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts.

    Attributes
    ----------
    settings : Settings
        What is to be done.
    camera : Camera
        The spectrometer and its light.
    clock : Clock
    exposing : Exposing
        How long and how often is exposed.
    plasma : Plasma or None
        Whether the plasma is on; None where no band of it is configured.
    book : RunBook
        The run that is on, and the fate of its slots.
    delivery : Delivery
        Where frames go.
    trouble : Trouble
        What is wrong.
    wishes : Wishes
        Darks and references that are due.
    """

    settings: Settings
    camera: Camera
    clock: Clock
    exposing: Exposing
    plasma: Plasma | None
    book: RunBook
    delivery: Delivery
    trouble: Trouble
    wishes: Wishes

    @classmethod
    def of(cls, settings: Settings, camera: Camera, sinks: Sinks, clock: Clock, boot_id: str) -> Parts:
        """Parts for one spectrometer; ``boot_id`` is the host's boot, recorded beside monotonic times."""
        book = RunBook(settings.name, sinks, clock, boot_id, settings.serial)
        return cls(
            settings,
            camera,
            clock,
            Exposing(settings, camera.device, camera.step_us),
            Plasma(settings.plasma, camera.device) if settings.plasma.bands else None,
            book,
            Delivery(settings, camera, sinks, clock, book),
            Trouble(settings.name, clock, settings.serial),
            Wishes(settings, sinks, clock),
        )
