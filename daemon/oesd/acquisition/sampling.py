"""What the thread of a spectrometer does between two orders: serves slots, watches the plasma.

Knows no thread and never waits but for the spectrometer; :class:`~oesd.acquisition.unit.Unit` decides what comes next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from oesd.acquisition.asides import Asides
from oesd.acquisition.camera import Camera
from oesd.acquisition.clock import Clock
from oesd.acquisition.host_time import Gap
from oesd.acquisition.light import LightError
from oesd.acquisition.parts import Parts
from oesd.acquisition.run_book import Run
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Sinks, celsius_of
from oesd.model import Kind, RunOrder
from oesd_drivers.errors import Gone, NoTrigger, SpectrometerError
from oesd_drivers.spectrometer import Address, Description, Exposure, Frame, Series, Spectrometer, Trigger

log = logging.getLogger(__name__)

_SERIES_NS = 500_000_000
"""Slots are handed to the driver for so long a time at once: an order waits for those, or for one slot."""
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
    exposing, plasma, book, delivery, trouble
        As in :class:`~oesd.acquisition.parts.Parts`.
    asides : Asides
        Darks and references.
    """

    def __init__(self, settings: Settings, camera: Camera, sinks: Sinks, clock: Clock, boot_id: str) -> None:
        parts = Parts.of(settings, camera, sinks, clock, boot_id)
        self._settings = settings
        self._camera = camera
        self._clock = clock
        self._next_look_ns = 0
        self.exposing, self.plasma = parts.exposing, parts.plasma
        self.book, self.delivery, self.trouble = parts.book, parts.delivery, parts.trouble
        self.asides = Asides(parts, self._prepare)
        self.watching: RunOrder | None = None
        self.waits_for_trigger = False
        self._pace()

    # -- runs --------------------------------------------------------------------------------------------------------

    def begin(self, order: RunOrder) -> None:
        """End the run that is on and begin another."""
        self.end()
        self.exposing.lock(order.lock_exposure or self._settings.exposure.lock_in_runs)
        self._pace(order.every_us)
        exposure = self.exposing.of(Kind.SAMPLE)
        self._prepare(exposure)
        self.book.begin(order, self._settings.capture.every_us, exposure.integration_us * exposure.scans)

    def _pace(self, every_us: int | None = None) -> None:
        """Go by another distance of the slots, None for the configuration's."""
        period_us = every_us or self._settings.capture.every_us
        self.exposing.fit(period_us)
        if self.plasma is not None:
            self.plasma.pace(period_us / 1e6)

    def _prepare(self, exposure: Exposure | None) -> None:
        """Bring the light of samples, and set their exposure before a slot is due: none is lost to it.

        What fails is met again by the slot.
        """
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

    def serve(self, stops: Callable[[], bool], called_away: Callable[[], bool], goes_on: Callable[[], bool]) -> None:
        """Serve the next slots of the run, and those after them, or look whether the plasma is on.

        Parameters
        ----------
        stops : callable
            Whether to end after the frame at hand.
        called_away : callable
            Whether somebody waits: then one slot is served at a time, and a trigger no longer waited for.
        goes_on : callable
            Asked before the slots are over: whether those that follow may be served without a break.

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
            self._serve_series(run, stops, called_away, goes_on)
        except LightError as error:
            self.trouble.light(str(error))
            self.book.lose(1, "light switch", str(error))
        except NoTrigger as error:
            self.book.lose(1, "no trigger", str(error))
            self.book.lose_passed("no trigger", str(error))
        finally:
            self.waits_for_trigger = False

    def _serve_series(
        self, run: Run, stops: Callable[[], bool], called_away: Callable[[], bool], goes_on: Callable[[], bool]
    ) -> None:
        exposure, short, first_slot = self.exposing.of(Kind.SAMPLE), self.exposing.short(), run.next_slot
        triggered = self.waits_for_trigger = exposure.trigger.waits
        series = Series(
            count=1 if triggered or short or called_away() else run.ahead(_SERIES_NS, first_slot),
            first_due_ns=run.due_ns() or 0,
            period_ns=run.grid.period_ns if run.paced else 0,
            trigger_wait_s=self._settings.trigger.timeout_us / 1e6,
        )
        end_slot = first_slot + series.count

        def more() -> int:
            nonlocal end_slot
            as_before = self.book.run is run and self.exposing.of(Kind.SAMPLE) == exposure
            added = run.ahead(_SERIES_NS, end_slot) if series.count > 1 and as_before and goes_on() else 0
            end_slot += added
            return added

        frame = None
        for frame in self._camera.take(Kind.SAMPLE, exposure, series, called_away if triggered else stops, more):
            # A run may end while its series goes on, with the plasma: what comes after belongs to nobody.
            if short is None and self.book.run is run:
                self._keep(frame, first_slot + frame.index)
                self._heed(frame)
        if short is not None and frame is not None:
            self._serve_bracket(frame, first_slot + frame.index, short, stops)
        if triggered and run.grid.period_ns > 1_000 * exposure.integration_us * exposure.scans:
            self.book.lose_passed("no trigger", "no trigger came in its time")

    def _serve_bracket(self, frame: Frame, slot: int, short: Exposure, stops: Callable[[], bool]) -> None:
        """Keep a frame with its shorter exposure; without that one it is good all the same."""
        second, failure = None, None
        series = Series(trigger_wait_s=self._settings.trigger.timeout_us / 1e6)
        try:
            (second,) = [*self._camera.take(Kind.SAMPLE, short, series, stops)] or (None,)
        except SpectrometerError as error:
            failure = error
            log.warning("%s: a bracket without its short exposure: %s", self._settings.name, error)
        self._keep(frame, slot, second)
        self._heed(frame)
        if failure is not None and not isinstance(failure, NoTrigger):
            raise failure

    def _keep(self, frame: Frame, slot: int, short: Frame | None = None) -> None:
        """Hand a sample over."""
        # The slots that have passed belong to the trouble that is over now, not to this capture.
        self.book.lose_before(slot, *self._excuse())
        self.trouble.over()
        self.delivery.sample(frame, slot, short)

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
                self.delivery.celsius = celsius_of(frame)
                self._heed(frame)
        except LightError as error:
            self.trouble.light(str(error))

    # -- the device --------------------------------------------------------------------------------------------------

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
