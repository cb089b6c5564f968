"""What the thread of a spectrometer does between two orders: serves slots, takes darks, watches the plasma.

Knows no thread and never waits but for the spectrometer; :class:`~oesd.acquisition.unit.Unit` decides what comes next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from oesd.acquisition.camera import Camera
from oesd.acquisition.clock import Clock
from oesd.acquisition.exposing import Exposing
from oesd.acquisition.host_time import Gap
from oesd.acquisition.light import LightError
from oesd.acquisition.plasma import Plasma
from oesd.acquisition.recovery import Trouble, blame
from oesd.acquisition.run_book import Run, RunBook
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Sinks, capture_of, celsius_of
from oesd.acquisition.wishes import Wishes
from oesd.model import Conditions, Kind, RunOrder
from oesd_drivers.errors import Gone, Retry, SpectrometerError
from oesd_drivers.spectrometer import Address, Description, Exposure, Frame, Series, Spectrometer, Trigger

log = logging.getLogger(__name__)

_SERIES_NS = 500_000_000
"""Slots are handed to the driver for so long a time at most: an order waits no longer than that, or than one slot."""
_LATE = ("overrun", "the previous work took too long")


class Sampling:
    """The work of one spectrometer.

    Parameters
    ----------
    settings : Settings
    camera : Camera
    sinks : Sinks
    clock : Clock
    boot_id : str
        The host's boot, recorded beside monotonic times.

    Attributes
    ----------
    watching : RunOrder or None
        The run that begins when the plasma goes on.
    captures : int
        Handed over since the start.
    """

    def __init__(self, settings: Settings, camera: Camera, sinks: Sinks, clock: Clock, boot_id: str) -> None:
        self._settings = settings
        self._camera = camera
        self._sinks = sinks
        self._clock = clock
        self._next_look_ns = 0
        self._celsius: float | None = None
        period_s = settings.capture.every_us / 1e6
        self.exposing = Exposing(settings, camera.device)
        self.plasma = Plasma(settings.plasma, camera.device, period_s) if settings.plasma.bands else None
        self.book = RunBook(settings.name, sinks, clock, boot_id, settings.serial)
        self.trouble = Trouble(settings.name, clock, settings.serial)
        self.wishes = Wishes(settings, sinks, clock)
        self.watching: RunOrder | None = None
        self.waits_for_trigger = False
        self.captures = 0
        self.saturated_pixels = 0
        self.last_capture_utc: datetime | None = None

    # -- runs --------------------------------------------------------------------------------------------------------

    def begin(self, order: RunOrder) -> None:
        """End the run that is on and begin another."""
        self.end()
        self.exposing.lock(order.lock_exposure or self._settings.exposure.lock_in_runs)
        self.exposing.fit(order.every_us or self._settings.capture.every_us)
        exposure = self.exposing.of(Kind.SAMPLE)
        self._prepare(exposure)
        self.book.begin(order, self._settings.capture.every_us, exposure.integration_us * exposure.scans)

    def _prepare(self, exposure: Exposure) -> None:
        """Set everything before the first slot is due: none is lost to it. What fails is met again by that slot."""
        try:
            if not self.trouble.reopen:
                self._camera.prepare(Kind.SAMPLE, exposure)
        except SpectrometerError as error:
            self.trouble.note(error)
        except LightError as error:
            self.trouble.light(str(error))

    def end(self) -> None:
        """End the run that is on."""
        self.settle()
        self.book.end()
        self.exposing.lock(False)

    def watch(self, order: RunOrder) -> None:
        """End the run that is on; begin one like this whenever the plasma goes on."""
        self.end()
        self.watching = order
        self._next_look_ns = self._clock.monotonic_ns()

    def forget_plasma(self) -> None:
        """End the run that is on, and wait for no plasma any more."""
        self.watching = None
        self.end()

    def pause(self, paused: bool) -> None:
        """Let the slots of the run that is on pass, or serve them again."""
        self.settle()
        if self.book.run is not None:
            self.book.run.paused = paused

    def settle(self) -> None:
        """Account for the slots that have passed, and end a run that has had all it shall have."""
        self.book.lose_passed(*self._excuse())
        if self.book.run is not None and self.book.run.over:
            self.book.end()
            self.exposing.lock(False)

    def bridge(self, gap: Gap) -> None:
        """Account for the slots of a time in which the host slept or did not run the daemon."""
        log.warning("%s: %s", self._settings.name, gap.detail)
        excuse = self._excuse() if self.trouble.reason else (gap.reason, gap.detail)
        self.book.bridge(gap.slept_ns, *excuse)

    def due_ns(self) -> int | None:
        """When the next slot, or the next look for the plasma, is due on the monotonic clock; None for never."""
        if self.book.run is not None:
            return self.book.run.due_ns()
        return self._next_look_ns if self.watching else None

    def _excuse(self) -> tuple[str, str]:
        """Why slots have passed that were not served."""
        return (self.trouble.reason, self.trouble.detail) if self.trouble.reason else _LATE

    # -- slots -------------------------------------------------------------------------------------------------------

    def serve(self, stops: Callable[[], bool], called_away: Callable[[], bool]) -> None:
        """Serve the next slots of the run, or look whether the plasma is on.

        Parameters
        ----------
        stops : callable
            Whether to end after the frame at hand.
        called_away : callable
            Whether somebody waits: then one slot is served at a time, and a trigger no longer waited for.

        Raises
        ------
        SpectrometerError
        """
        self.settle()
        run = self.book.run
        if run is None:
            if self.watching is not None:
                self._look_for_plasma()
            return
        try:
            self._serve_series(run, stops, called_away)
        except LightError as error:
            self.trouble.light(str(error))
            self.book.lose(1, "light switch", str(error))
        except Retry as error:
            self.book.lose(1, "no trigger", str(error))
            self.book.lose_passed("no trigger", str(error))
        finally:
            self.waits_for_trigger = False

    def _serve_series(self, run: Run, stops: Callable[[], bool], called_away: Callable[[], bool]) -> None:
        exposure, short, first_slot = self.exposing.of(Kind.SAMPLE), self.exposing.short(), run.next_slot
        triggered = self.waits_for_trigger = exposure.trigger.waits
        series = Series(
            count=1 if triggered or short or called_away() else run.ahead(_SERIES_NS),
            first_due_ns=run.due_ns() or 0,
            period_ns=run.grid.period_ns if run.paced else 0,
            trigger_wait_s=self._settings.trigger.timeout_us / 1e6,
        )
        frame = None
        for frame in self._camera.take(Kind.SAMPLE, exposure, series, called_away if triggered else stops):
            # A run may end while its series goes on, with the plasma: what comes after belongs to nobody.
            if short is None and self.book.run is run:
                self._keep(frame, first_slot + frame.index)
                self._heed(frame)
        if short is not None and frame is not None:
            self._serve_bracket(frame, first_slot + frame.index, short)

    def _serve_bracket(self, frame: Frame, slot: int, short: Exposure) -> None:
        """Keep a frame with its shorter exposure; without that one it is good all the same."""
        second, failure = None, None
        try:
            (second,) = [*self._camera.take(Kind.SAMPLE, short)] or (None,)
        except SpectrometerError as error:
            failure = error
            log.warning("%s: a bracket without its short exposure: %s", self._settings.name, error)
        self._keep(frame, slot, second)
        self._heed(frame)
        if failure is not None and not isinstance(failure, Retry):
            raise failure

    def _keep(self, frame: Frame, slot: int, short: Frame | None = None) -> None:
        """Hand a sample over; whatever hinders it is the slot's reason."""
        # The slots that have passed belong to the trouble that is over now, not to this capture.
        self.book.lose_before(slot, *self._excuse())
        self.trouble.over()
        full = frame.saturated if short is None else frame.saturated & short.saturated
        if self._settings.capture.saturated == "refuse" and full.any():
            pixels = int(full.sum())
            self.book.lose(1, "saturated", f"{pixels} pixels were saturated, which the configuration forbids")
            return
        refused = self._hand_over(Kind.SAMPLE, frame, slot, short)
        if refused:
            self.book.lose(1, refused, f"{refused}: the sample could not be kept")

    def _hand_over(self, kind: Kind, frame: Frame, slot: int, short: Frame | None = None) -> str:
        place, boxcar = self.book.place(slot), self._settings.capture.boxcar
        capture = capture_of(self._camera.device, kind, frame, place, boxcar)
        beside = None
        if short is not None:
            beside = capture_of(self._camera.device, kind, short, replace(place, slot=-1), boxcar)
        refused = self._sinks.capture(capture, beside)
        if not refused:
            self.book.kept(place)
            self.captures += 1
            self.last_capture_utc = self._clock.utc()
            self.saturated_pixels = int(frame.saturated.sum())
            self._celsius = celsius_of(frame)
        return refused

    # -- light and plasma --------------------------------------------------------------------------------------------

    def _heed(self, frame: Frame) -> None:
        """Let exposure and runs follow the light of a sample."""
        counts = frame.counts_sum / float(frame.exposure.scans)
        self.exposing.heed(frame.exposure.integration_us, counts, frame.saturated)
        if self.plasma is None:
            return
        now_s = frame.started_monotonic_ns / 1e9
        if self.plasma.see(counts, frame.exposure.integration_us, frame.saturated, now_s):
            log.info("%s: %s", self._settings.name, self.plasma.reason)
        self._follow_plasma()

    def _follow_plasma(self) -> None:
        if self.watching is None or self.plasma is None:
            return
        if self.plasma.state == "on" and self.book.run is None:
            self.begin(self.watching)
        elif self.plasma.state == "off" and self.book.run is not None:
            self.end()
            self._next_look_ns = self._clock.monotonic_ns()

    def _look_for_plasma(self) -> None:
        """Take a frame that nobody keeps."""
        self._next_look_ns = self._clock.monotonic_ns() + 1_000 * self._settings.capture.every_us
        # Whatever samples wait for: a trigger that comes only with the plasma cannot be what the plasma is told by.
        look = replace(self.exposing.of(Kind.SAMPLE), scans=1, trigger=Trigger.FREE)
        try:
            # Run to its end first: a run that begins with this frame sets the exposure anew.
            for frame in [*self._camera.take(Kind.SAMPLE, look)]:
                self.trouble.over()
                self._celsius = celsius_of(frame)
                self._heed(frame)
        except LightError as error:
            self.trouble.light(str(error))

    # -- darks and references ----------------------------------------------------------------------------------------

    def wished(self) -> list[Kind]:
        """Darks and references that are due and can be had without a hand; each is told once, until it was taken."""
        proven_dark = self.plasma is not None and self.plasma.state == "off"
        ready = self.wishes.ready(self._conditions(), proven_dark=proven_dark)
        self.exposing.proving_scans = self.wishes.proving_scans
        return ready

    def take_aside(self, kind: Kind) -> None:
        """Take what stands outside the slots: a background, or a sample by hand.

        Raises
        ------
        SpectrometerError
            It is lost by name, and may be wished for again.
        """
        try:
            self._take_aside(kind)
        except SpectrometerError as error:
            self.book.lose_aside(kind, blame(error), str(error))
            if not isinstance(error, Retry):
                raise
        except LightError as error:
            log.warning("%s: no %s taken: %s", self._settings.name, kind, error)
            self.book.lose_aside(kind, "light switch", f"no {kind} taken: {error}")
        finally:
            self.wishes.taken(kind)
        self.book.lose_passed(f"{kind} taken", f"a {kind} was taken in its time")

    def _take_aside(self, kind: Kind) -> None:
        for frame in self._camera.take(kind, self.exposing.of(kind)):
            self.trouble.over()
            refused = self._hand_over(kind, frame, -1)
            if refused:
                self.book.lose_aside(kind, refused, f"{refused}: the {kind} could not be kept")

    def _conditions(self) -> Conditions:
        return Conditions(
            self._settings.name,
            self._camera.device.pixels,
            self.exposing.integration_us,
            self.exposing.scans(Kind.SAMPLE),
            self._settings.capture.boxcar,
            self._celsius,
        )

    def reopen(self, adopted: tuple[Spectrometer, Description, Address] | None) -> None:
        """Open the device, or go on with it where it was opened; all is set again before the next frame.

        Raises
        ------
        SpectrometerError
        """
        if adopted is not None:
            self._camera.adopt(*adopted)
        else:
            self._camera.reopen()
        self.trouble.reopened()
        if self.due_ns() is None:
            self.trouble.over()  # no frame is asked for that could show it

    def left(self, address: Address) -> None:
        """Its spectrometer is no longer plugged in there; nothing happens when it went on elsewhere meanwhile."""
        if address == self._camera.address and not self.trouble.reopen:
            self.trouble.note(Gone(f"nothing is plugged in at {address} any more"))
