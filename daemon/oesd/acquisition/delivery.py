"""From a frame to a capture that is handed over, or to a loss with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from oesd.acquisition.camera import Camera
from oesd.acquisition.clock import Clock
from oesd.acquisition.run_book import RunBook
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Sinks, capture_of, celsius_of
from oesd.model import Kind
from oesd_drivers.spectrometer import Frame


class Delivery:
    """Hands over what one spectrometer took.

    Parameters
    ----------
    settings : Settings
    camera : Camera
    sinks : Sinks
    clock : Clock
    book : RunBook
        Told what became of each slot.

    Attributes
    ----------
    captures, saturated_pixels : int
        Handed over since the start; saturated in the last one.
    last_capture_utc : datetime or None
    celsius : float or None
        Temperature of the last frame.
    """

    def __init__(self, settings: Settings, camera: Camera, sinks: Sinks, clock: Clock, book: RunBook) -> None:
        self._settings = settings
        self._camera = camera
        self._sinks = sinks
        self._clock = clock
        self._book = book
        self.captures = 0
        self.saturated_pixels = 0
        self.last_capture_utc: datetime | None = None
        self.celsius: float | None = None

    def sample(self, frame: Frame, slot: int, short: Frame | None = None) -> None:
        """Hand over the sample of the slot that comes next; whatever hinders it is the slot's reason."""
        full = frame.saturated if short is None else frame.saturated & short.saturated
        if self._settings.capture.saturated == "refuse" and full.any():
            pixels = int(full.sum())
            self._book.lose(1, "saturated", f"{pixels} pixels were saturated, which the configuration forbids")
            return
        refused = self._hand_over(Kind.SAMPLE, frame, slot, short)
        if refused:
            self._book.lose(1, refused, f"{refused}: the sample could not be kept")

    def aside(self, kind: Kind, frame: Frame) -> None:
        """Hand over what stands outside the slots."""
        refused = self._hand_over(kind, frame, -1)
        if refused:
            self._book.lose_aside(kind, refused, f"{refused}: the {kind} could not be kept")

    def _hand_over(self, kind: Kind, frame: Frame, slot: int, short: Frame | None = None) -> str:
        place, boxcar = self._book.place(slot), self._settings.capture.boxcar
        capture = capture_of(self._camera.device, kind, frame, place, boxcar)
        beside = None
        if short is not None:
            beside = capture_of(self._camera.device, kind, short, replace(place, slot=-1), boxcar)
        refused = self._sinks.capture(capture, beside)
        if not refused:
            self._book.kept(place)
            self.captures += 1
            self.last_capture_utc = self._clock.utc()
            self.saturated_pixels = int(frame.saturated.sum())
            self.celsius = celsius_of(frame)
        return refused
