"""One spectrometer and the one thread that owns it.

The thread takes orders, hands series of slots to the driver, which paces them by its own clock, hands captures over and
recovers the device; nobody else touches the spectrometer. A slot that is not served becomes a
:class:`~oesd.model.Loss` with the reason of the moment.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping
from functools import partial

from oesd.acquisition.camera import Camera
from oesd.acquisition.clock import Clock, HostClock
from oesd.acquisition.host_time import HostWatch
from oesd.acquisition.light import CutShort, Light
from oesd.acquisition.orders import Orders
from oesd.acquisition.sampling import Sampling
from oesd.acquisition.settings import Settings
from oesd.acquisition.state import UnitState, state_of
from oesd.acquisition.values import Sinks
from oesd.model import Kind, RunOrder
from oesd_drivers.errors import SpectrometerError
from oesd_drivers.spectrometer import Address, Description, Spectrometer

log = logging.getLogger(__name__)

_IDLE_S = 0.5
_AHEAD_NS = 40_000_000
"""A slot is handed over so much before it is due: the daemon's threads may keep each other waiting that long."""


Opened = tuple[Spectrometer, Description, Address]
"""A spectrometer that is open, what it said of itself, and where it is."""


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
    clock : Clock, optional
        The host's own; tests put another in its place.
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
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self._sinks = sinks
        self._clock = clock or HostClock()
        self._camera = Camera(settings, spectrometer, description, address, light, self._rest)
        self._work = Sampling(settings, self._camera, sinks, self._clock, boot_id)
        self._host = HostWatch(self._clock.monotonic_ns, self._clock.boottime_ns)
        self._waited_s = math.inf
        self._changed = threading.Condition()
        self._orders = Orders(settings, self._work)
        self._adopted: Opened | None = None
        self._stopping = False
        self._handing_over = self._ended = False
        self._handed: Opened | None = None
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

    def hand_over(self) -> Opened | None:
        """As :meth:`stop`, but leave the device open and return it, for another unit; None where it is in doubt."""
        self._handing_over = True
        if not self.stop():
            self._handing_over = False  # nobody waits for it any more: it releases its device when it ends
        return self._handed

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def address(self) -> Address:
        """Where the spectrometer is plugged in."""
        return self._camera.address

    @property
    def model(self) -> str:
        """What its spectrometer is."""
        return self._camera.device.model

    @property
    def holds_device(self) -> bool:
        """Whether it has its spectrometer open."""
        return not self._work.trouble.reopen

    @property
    def displaced(self) -> bool:
        """Whether another spectrometer answered where its own was."""
        return self._camera.displaced

    @property
    def in_trouble(self) -> bool:
        """Whether the unit is without a working device at this moment."""
        return bool(self._work.trouble.reason)

    def start_run(self, order: RunOrder) -> None:
        """End the run that is on; take the backgrounds that a switch allows, then serve the slots of a new one."""
        self._order(self._work.forget_plasma)
        for kind in (Kind.DARK, Kind.REFERENCE):
            section = self.settings.background(kind)
            if section is not None and section.how == "switch":
                self.take(kind)
        self._order(lambda: self._work.begin(order))

    def watch_plasma(self, order: RunOrder) -> None:
        """End the run that is on; begin one like this whenever the plasma goes on, and end it when it goes off."""
        self._order(lambda: self._work.watch(order))

    def stop_run(self) -> None:
        """End the run, and the watch for a plasma; slots that are over count, those to come do not."""
        self._order(self._work.forget_plasma)

    def pause(self, paused: bool) -> None:
        """Let the slots of the run that is on pass as "paused", or serve them again."""
        self._order(lambda: self._work.pause(paused))

    def label(self, run_id: str, labels: Mapping[str, str]) -> None:
        """Have the spectra to come of a run carry these labels, if it is still on."""
        self._order(lambda: self._work.book.label(run_id, labels))

    def take(self, kind: Kind) -> None:
        """Take one capture as soon as it disturbs no slot; a sample stands outside the schedule."""
        self._work.asides.wishes.ordered(kind)
        self._order(lambda: self._work.asides.take(kind, self._more_backgrounds), needs_device=True)

    def left(self, address: Address) -> None:
        """The spectrometer at this address was unplugged."""
        self._order(lambda: self._work.left(address))

    def adopt(self, spectrometer: Spectrometer, description: Description, address: Address) -> bool:
        """Go on with the same spectrometer, opened elsewhere after it was plugged in again; False when it cannot."""
        with self._changed:
            if self._ended:
                return False
            before, self._adopted = self._adopted, (spectrometer, description, address)
            self._changed.notify_all()
        if before is not None:
            before[0].close()
        return True

    def state(self) -> UnitState:
        """What the unit is doing now."""
        return state_of(self.settings, self._camera, self._work, alive=self.alive)

    def _order(self, call: Callable[[], None], *, needs_device: bool = False) -> None:
        with self._changed:
            self._orders.add(call, self._clock.monotonic_ns(), needs_device=needs_device)
            self._changed.notify_all()

    # -- the thread --------------------------------------------------------------------------------------------------

    def _main(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except Exception as error:
            # The top of the thread: the supervisor sees that it ended and starts another.
            log.exception("%s: the acquisition thread failed", self.settings.name)
            self._work.trouble.failed(repr(error))
        finally:
            try:
                self._work.end()
            finally:
                self._close()

    def _close(self) -> None:
        with self._changed:
            self._ended = True
            adopted, self._adopted = self._adopted, None
        if self._handing_over and adopted is None and not self.in_trouble:
            self._handed = self._camera.opened
            return
        if adopted is not None:
            adopted[0].close()
        self._camera.close()

    def _turn(self) -> None:
        self._sinks.beat(self.settings.name, self._patience_s())
        gap, self._waited_s = self._host.look(self._waited_s), math.inf
        if gap is not None:
            self._work.bridge(gap)
        self._work.settle()
        self._order_backgrounds()
        task = self._next_task()
        if task is None:
            return
        # Once more: what was wished for, or learned of the light, may take longer than what was on before.
        self._sinks.beat(self.settings.name, self._patience_s())
        try:
            task()
        except SpectrometerError as error:
            self._work.trouble.note(error)
        except CutShort:
            return

    def _goes_on(self) -> bool:
        """Whether the slots that follow need no turn of their own; what a turn looks after has been looked after."""
        self._sinks.beat(self.settings.name, self._patience_s())
        self._order_backgrounds()
        return not (self._stopping or self._orders or self._adopted or self._host.slept())

    def _order_backgrounds(self) -> None:
        for kind in self._work.asides.wished():
            self._order(partial(self._work.asides.take_wished, kind, self._more_backgrounds), needs_device=True)

    def _patience_s(self) -> float:
        """How long a turn may take: the exposures of a slot, of a background, and what opening a device may need.

        That is 30 s for a worker process to start and 10 s for the device.
        """
        capture, light, exposing = self.settings.capture, self.settings.light, self._work.exposing
        scans = max(exposing.scans(kind) for kind in Kind) + 2
        waits_us = 2 * scans * max(exposing.integration_us, capture.integration_us)
        waits_us += 2 * (light.settle_us + light.timeout_us)
        if exposing.of(Kind.SAMPLE).trigger.waits:
            waits_us += 2 * exposing.scans(Kind.SAMPLE) * self.settings.trigger.timeout_us  # each scan waits for one
        return 45.0 + waits_us / 1e6

    def _rest(self, seconds: float) -> bool:
        """Let time pass; False when it is time to stop."""
        end_ns = self._clock.monotonic_ns() + round(seconds * 1e9)
        with self._changed:
            while not self._stopping and (left_ns := end_ns - self._clock.monotonic_ns()) > 0:
                self._clock.wait(self._changed, left_ns / 1e9)
            return not self._stopping

    def _next_task(self) -> Callable[[], None] | None:
        """Wait for an order, for the next slot or for the next try to reopen, at most the idle time."""
        with self._changed:
            now_ns = self._clock.monotonic_ns()
            call = self._orders.next(now_ns)
            if call is not None:
                return call
            due_ns, task = self._next_due(now_ns)
            if due_ns is not None and now_ns >= due_ns:
                return task
            if not self._stopping:
                self._waited_s = _IDLE_S if due_ns is None else min(_IDLE_S, (due_ns - now_ns) / 1e9)
                self._clock.wait(self._changed, self._waited_s)
        return None

    def _next_due(self, now_ns: int) -> tuple[int | None, Callable[[], None]]:
        """What comes next of itself, and when; None for nothing."""
        if self._adopted or self._work.trouble.reopen:
            return (now_ns if self._adopted else self._work.trouble.retry_ns), self._reopen
        due_ns = self._work.due_ns()
        return (None if due_ns is None else due_ns - _AHEAD_NS), self._serve

    def _more_backgrounds(self) -> bool:
        with self._changed:
            return self._orders.any_needs_device

    def _serve(self) -> None:
        self._work.serve(lambda: self._stopping, lambda: self._stopping or bool(self._orders), self._goes_on)

    def _reopen(self) -> None:
        with self._changed:
            adopted, self._adopted = self._adopted, None
        self._work.reopen(adopted)
