"""What is taken outside the slots: darks and references, wished for or ordered, and samples by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable

from oesd.acquisition.light import CutShort, LightError
from oesd.acquisition.parts import Parts
from oesd.acquisition.recovery import blame
from oesd.acquisition.wishes import Wishes
from oesd.model import Conditions, Kind
from oesd_drivers.errors import NoTrigger, SpectrometerError
from oesd_drivers.spectrometer import Exposure

log = logging.getLogger(__name__)


class Asides:
    """Takes them.

    Parameters
    ----------
    parts : Parts
    make_ready : callable
        Brings the light of samples, and their exposure or None; what fails is noted.
    """

    def __init__(self, parts: Parts, make_ready: Callable[[Exposure | None], None]) -> None:
        self._parts = parts
        self._make_ready = make_ready

    @property
    def wishes(self) -> Wishes:
        """What is due."""
        return self._parts.wishes

    def wished(self) -> list[Kind]:
        """Darks and references that are due and can be had without a hand; each is told once, until it was taken."""
        ready = self._parts.wishes.ready(self._conditions(), proven_dark=self._proven_dark())
        self._parts.exposing.proving_scans = self._parts.wishes.proving_scans
        return ready

    def take_wished(self, kind: Kind, more: Callable[[], bool]) -> None:
        """As :meth:`take`, if it can still be had without a hand: the plasma may be on again meanwhile."""
        if self._parts.wishes.without_a_hand(kind, proven_dark=self._proven_dark()):
            self.take(kind, more)
        else:
            self._parts.wishes.given_up(kind)

    def _proven_dark(self) -> bool:
        return self._parts.plasma is not None and self._parts.plasma.proves_off(self._parts.clock.monotonic_ns() / 1e9)

    def take(self, kind: Kind, more: Callable[[], bool] = lambda: False) -> None:
        """Take what stands outside the slots: a background, or a sample by hand.

        Then all is as samples want it, whether or not one comes soon: no shutter stays closed, no lamp burns on.

        Parameters
        ----------
        kind : Kind
        more : callable
            Whether another one waits, which brings its own light.

        Raises
        ------
        SpectrometerError
            It is lost by name, and may be wished for again.
        """
        try:
            self._take_frames(kind)
        except SpectrometerError as error:
            self._lost(kind, blame(error), str(error))
            if not isinstance(error, NoTrigger):
                raise
        except LightError as error:
            log.warning("%s: no %s taken: %s", self._parts.settings.name, kind, error)
            self._lost(kind, "light switch", f"no {kind} taken: {error}")
        except CutShort:
            self._parts.wishes.given_up(kind)
            raise
        else:
            self._parts.wishes.taken(kind)
        if not more():
            self._make_ready(self._parts.exposing.of(Kind.SAMPLE) if self._parts.book.run else None)
        self._parts.book.lose_passed(f"{kind} taken", f"a {kind} was taken in its time")

    def _lost(self, kind: Kind, reason: str, detail: str) -> None:
        self._parts.wishes.failed(kind)
        self._parts.book.lose_aside(kind, reason, detail)

    def _take_frames(self, kind: Kind) -> None:
        for frame in self._parts.camera.take(kind, self._parts.exposing.of(kind)):
            self._parts.trouble.over()
            self._parts.delivery.aside(kind, frame)

    def _conditions(self) -> Conditions:
        return Conditions(
            self._parts.settings.name,
            self._parts.camera.device.pixels,
            self._parts.exposing.integration_us,
            self._parts.exposing.scans(Kind.SAMPLE),
            self._parts.settings.capture.boxcar,
            self._parts.delivery.celsius,
        )
