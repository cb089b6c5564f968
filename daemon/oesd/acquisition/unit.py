"""One spectrometer and the one thread that owns it.

The thread takes orders, paces the run on the monotonic clock, hands captures over and recovers the device; nobody else
touches the spectrometer. A slot that is not served becomes a :class:`~oesd.model.Loss` with the reason of the moment.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from oesd.acquisition.light import Light, LightError
from oesd.acquisition.pacing import Grid
from oesd.acquisition.recovery import back_off_s, blame
from oesd.acquisition.settings import Settings
from oesd.acquisition.values import Place, Run, Sinks, UnitState, capture_of, device_of
from oesd.model import Kind, Loss, RunRecord, new_id
from oesd_drivers.errors import Refused, SpectrometerError
from oesd_drivers.spectrometer import Address, Description, Exposure, Spectrometer

log = logging.getLogger(__name__)

_IDLE_S = 0.5
_PATIENT_PERIODS = 4
_NS_PER_US = 1_000


class Unit:
    """A spectrometer at work.

    Parameters
    ----------
    settings : Settings
        What it is to do.
    spectrometer, description, address
        The driver, opened by the discovery, and what it said of itself.
    sinks : Sinks
        Where captures, losses, runs and beats go.
    light : Light
        Switches the light for darks and references.
    boot_id : str
        The host's boot, recorded beside monotonic times.
    """

    def __init__(
        self,
        settings: Settings,
        spectrometer: Spectrometer,
        description: Description,
        address: Address,
        sinks: Sinks,
        light: Light,
        boot_id: str,
    ) -> None:
        self.settings = settings
        self.address = address
        self._spectrometer = spectrometer
        self._device = device_of(description, settings.name)
        self._sinks = sinks
        self._light = light
        self._boot_id = boot_id
        self._changed = threading.Condition()
        self._orders: deque[tuple[Callable[[], None], int]] = deque()
        self._adopted: tuple[Spectrometer, Description, Address] | None = None
        self._stopping = False
        self._run: Run | None = None
        self._aside = Run(new_id(), paced=False, period_ns=0)
        self._exposure: Exposure | None = None
        self._light_at: Kind | None = None
        self._trouble = ""
        self._blame = ""
        self._captures = 0
        self._last_capture_utc: datetime | None = None
        self._saturated_pixels = 0
        self._thread = threading.Thread(target=self._main, name=f"unit-{settings.name}", daemon=True)

    # -- orders, from any thread -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> bool:
        """Finish the capture at hand, release the device, end the thread; True when it ended in time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(self._patience_s())
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def in_trouble(self) -> bool:
        """Whether the unit is without a working device at this moment."""
        return bool(self._trouble)

    def start_run(self, *, paced: bool) -> None:
        """Take the backgrounds that a switch allows, then serve slots; in an unpaced run when :meth:`serve` asks."""
        for kind, section in ((Kind.DARK, self.settings.dark), (Kind.REFERENCE, self.settings.reference)):
            if section.how == "switch":
                self.take(kind)
        self._order(lambda: self._begin(paced))

    def stop_run(self) -> None:
        """End the run; slots that are over count, those to come do not."""
        self._order(self._end)

    def serve(self) -> None:
        """Serve the slot of an unpaced run that is due; asking again while that waits (device gone) changes nothing."""
        with self._changed:
            if all(order != self._serve_slot for order, _ in self._orders):
                self._order(self._serve_slot)

    def take(self, kind: Kind) -> None:
        """Take one capture as soon as it disturbs no slot; a sample stands outside the schedule."""
        self._order(lambda: self._take_aside(kind))

    def adopt(self, spectrometer: Spectrometer, description: Description, address: Address) -> None:
        """Go on with the same spectrometer, opened elsewhere after it was plugged in again."""
        with self._changed:
            self._adopted = (spectrometer, description, address)
            self._changed.notify_all()

    def state(self) -> UnitState:
        """What the unit is doing now."""
        run = self._run
        idle = "idle" if run is None else "measuring"
        return UnitState(
            name=self.settings.name,
            serial=self.settings.serial,
            model=self._device.model,
            simulated=self._device.simulated,
            state=(self._blame if self._trouble else idle) if self.alive else "stopped",
            detail=self._trouble,
            address=str(self.address),
            run_id=run.run_id if run else "",
            next_slot=run.next_slot if run else 0,
            captures=self._captures,
            last_capture_utc=self._last_capture_utc,
            saturated_pixels=self._saturated_pixels,
        )

    def _order(self, order: Callable[[], None]) -> None:
        with self._changed:
            self._orders.append((order, time.monotonic_ns()))
            self._changed.notify_all()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception as error:
            # The top of the thread: the supervisor sees that it ended and starts another.
            log.exception("%s: the acquisition thread failed", self.settings.name)
            self._blame, self._trouble = "defect in oesd", repr(error)
        finally:
            try:
                self._end()
            finally:
                self._spectrometer.close()

    def _turn(self) -> None:
        self._sinks.beat(self.settings.name, self._patience_s())
        self._lose_missed()
        task = self._next_task()
        if task is None:
            return
        try:
            task()
        except SpectrometerError as error:
            self._recover(error)

    def _patience_s(self) -> float:
        scans = max(self.settings.scans_of(kind) for kind in Kind) + 2
        return 30.0 + 2 * scans * self.settings.integration_us / 1e6 + 2 * self.settings.settle_us / 1e6

    def _next_task(self) -> Callable[[], None] | None:
        """Wait for an order or for the next slot, at most the idle time."""
        with self._changed:
            now_ns = time.monotonic_ns()
            due_ns = self._due_ns()
            due = due_ns is not None and now_ns >= due_ns
            if self._orders and (self._waits_no_longer(now_ns) or (not due and self._fits(now_ns, due_ns))):
                return self._orders.popleft()[0]
            if due:
                return self._serve_slot
            wait_s = _IDLE_S if due_ns is None else min(_IDLE_S, (due_ns - now_ns) / 1e9)
            if not self._stopping:
                self._changed.wait(wait_s)
        return None

    def _due_ns(self) -> int | None:
        run = self._run
        return run.grid.due_ns(run.next_slot) if run and run.paced and run.grid else None

    def _waits_no_longer(self, now_ns: int) -> bool:
        """Whether the first order goes before a slot: a run's end always, a background when it has waited for long.

        Where a sample takes more than half of its period no background ever fits; one slot is then lost to it by name.
        """
        order, since_ns = self._orders[0]
        patience_ns = _PATIENT_PERIODS * (self._run.period_ns if self._run else 0)
        return order == self._end or now_ns - since_ns > patience_ns

    def _fits(self, now_ns: int, due_ns: int | None) -> bool:
        """Whether a background can be taken before the coming slot would be over, or can never fit better than now."""
        if due_ns is None or self._run is None:
            return True
        scans = max(self.settings.scans_of(Kind.DARK), self.settings.scans_of(Kind.REFERENCE)) + 2
        cost_ns = (2 * self.settings.settle_us + scans * self.settings.integration_us) * _NS_PER_US
        room_ns = due_ns + self._run.period_ns // 2 - now_ns
        return cost_ns <= room_ns or room_ns > self._run.period_ns

    # -- runs and slots ----------------------------------------------------------------------------------------------

    def _begin(self, paced: bool) -> None:
        self._end()
        period_us, now_ns = self.settings.every_us, time.monotonic_ns()
        record = RunRecord(new_id(), self.settings.name, period_us, paced, datetime.now(UTC), now_ns, self._boot_id)
        grid = Grid(now_ns, period_us * _NS_PER_US)
        self._sinks.run_begins(record)
        self._run = Run(record.run_id, paced, grid.period_ns, grid, record)
        log.info("%s: run %s begins", self.settings.name, record.run_id)

    def _end(self) -> None:
        run = self._run
        if run is None or run.record is None:
            return
        self._lose_missed()
        log.info("%s: run %s ends after %d slots", self.settings.name, run.run_id, run.next_slot)
        self._run = None
        self._sinks.run_ends(replace(run.record, ended_at_utc=datetime.now(UTC), slots=run.next_slot))

    def _lose_missed(self) -> None:
        run = self._run
        missed = run.slot_at(time.monotonic_ns()) - run.next_slot if run else 0
        if run and missed > 0:
            late = ("overrun", "the previous work took too long") if run.paced else ("schedule late", "nobody asked")
            self._lose_slots(run, missed, self._blame or late[0], self._trouble or late[1])

    def _lose_slots(self, run: Run, slots: int, reason: str, detail: str) -> None:
        self._lose(run, Kind.SAMPLE, run.next_slot, slots, reason, detail)
        run.next_slot += slots

    def _lose(self, run: Run, kind: Kind, first_slot: int, slots: int, reason: str, detail: str) -> None:
        name, now = self.settings.name, datetime.now(UTC)
        self._sinks.loss(Loss(name, run.run_id, kind, first_slot, slots, reason, detail, now))

    def _serve_slot(self) -> None:
        """Serve the slot of the run that is due, unless that was done already: a scheduler may ask too often."""
        self._lose_missed()
        run = self._run
        if run is None or run.slot_at(time.monotonic_ns()) < run.next_slot:
            return
        try:
            refused = self._capture(Kind.SAMPLE, run, run.next_slot)
        except LightError as error:
            self._note("light switch", str(error))
            refused = "light switch"
        if refused:
            self._lose_slots(run, 1, refused, f"{refused}: the sample could not be kept")
        else:
            run.next_slot += 1

    def _take_aside(self, kind: Kind) -> None:
        """Take what stands outside the schedule: a background, or a sample by hand."""
        run = self._run or self._aside
        try:
            refused = self._capture(kind, run, -1)
        except LightError as error:
            log.warning("%s: no %s taken: %s", self.settings.name, kind, error)
            refused = "light switch"
        if refused:
            self._lose(run, kind, -1, 1, refused, f"{refused}: no {kind} taken")

    # -- one capture -------------------------------------------------------------------------------------------------

    def _capture(self, kind: Kind, run: Run, slot: int) -> str:
        self._bring_light(kind)
        self._expose(Exposure(self.settings.integration_us, self.settings.scans_of(kind)))
        frame = self._spectrometer.read()
        self._working()
        place = Place(run.run_id, run.sequence, slot, self._boot_id)
        refused = self._sinks.capture(capture_of(self._device, kind, frame, place, self.settings.boxcar_half_width_px))
        if not refused:
            run.sequence += 1
            self._captures += 1
            self._last_capture_utc = datetime.now(UTC)
            self._saturated_pixels = int(frame.saturated.sum())
        return refused

    def _bring_light(self, kind: Kind) -> None:
        section = {Kind.DARK: self.settings.dark, Kind.REFERENCE: self.settings.reference}.get(kind)
        wanted = kind if section is not None and section.how == "switch" else Kind.SAMPLE
        switched = self.settings.dark.how == "switch" or self.settings.reference.how == "switch"
        if not switched or self._light_at is wanted:
            return
        self._light_at = None
        self._light.switch(wanted, self.settings.serial, self.settings.name)
        self._light_at = wanted
        self._exposure = None  # the frame in flight has seen both lights: set again, which discards it
        if self.settings.settle_us:
            time.sleep(self.settings.settle_us / 1e6)

    def _expose(self, exposure: Exposure) -> None:
        if exposure == self._exposure:
            return
        self._exposure = None
        self._spectrometer.set_exposure(exposure)
        self._exposure = exposure

    # -- trouble -----------------------------------------------------------------------------------------------------

    def _recover(self, error: SpectrometerError) -> None:
        """Close, open, set everything again; the waits grow, the thread stays ready to stop."""
        self._note(blame(error), str(error))
        for delay_s in back_off_s():
            self._exposure = None
            self._lose_missed()
            self._sinks.beat(self.settings.name, self._patience_s())
            if self._pause(delay_s) or self._reopened():
                return

    def _pause(self, delay_s: float) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._adopted is not None, delay_s)
            return self._stopping

    def _reopened(self) -> bool:
        with self._changed:
            adopted, self._adopted = self._adopted, None
        try:
            if adopted is not None:
                self._spectrometer.close()
                self._spectrometer, description, self.address = adopted
            else:
                description = self._spectrometer.open()
            if description.serial != self.settings.serial:
                raise Refused(f"another spectrometer answers at {self.address}: {description.serial!r}")
            self._device = device_of(description, self.settings.name)
            self._expose(Exposure(self.settings.integration_us, self.settings.scans))
        except SpectrometerError as error:
            self._note(blame(error), str(error))
            return False
        return True

    def _note(self, reason: str, trouble: str) -> None:
        if reason != self._blame:
            log.warning("%s: %s: %s", self.settings.name, reason, trouble)
        self._blame, self._trouble = reason, trouble

    def _working(self) -> None:
        if self._trouble:
            # The slots that passed meanwhile belong to the trouble, not to this capture.
            log.info("%s: works again after %s", self.settings.name, self._blame)
            self._blame = self._trouble = ""
