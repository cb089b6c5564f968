"""Finds spectrometers as they are plugged in, opens each once to learn its serial number, and hands it to a unit.

The bus is only looked at (descriptors); a device that is at work is never opened, reset or asked by this thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from oesd.acquisition.unit import Unit
from oesd_drivers.errors import SpectrometerError
from oesd_drivers.spectrometer import Address, Description, Spectrometer

log = logging.getLogger(__name__)

_SOONEST_S, _LATEST_S = 1.0, 10.0
_SLICE_S = 1.0


class _Tries:
    """When to try again to open a device that is plugged in but cannot be used: soon, then less and less often."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._delay_s = _SOONEST_S

    def due(self) -> bool:
        """Whether to try now; the next time is later."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._delay_s
        self._delay_s = min(_LATEST_S, 1.5 * self._delay_s)
        return True


def _all_at_once(calls: Sequence[Callable[[], object]], meanwhile: Callable[[], None]) -> None:
    """Make calls at the same time and wait for all; ``meanwhile`` is called once a second."""
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(_SLICE_S)
            meanwhile()


class Discovery:
    """Watches the bus.

    Parameters
    ----------
    plugged : callable
        Lists the addresses of the spectrometers on the bus without opening any.
    connect : callable
        Makes the driver of an address, closed.
    enlist : callable
        Makes and starts the unit of an opened spectrometer; None when it is not ours.
    enlisted : callable
        Told of each new unit once :meth:`units` has it.
    beat : callable
        Called with this thread's name and the seconds within which it will call again.
    period_s : float
        Time between two looks at the bus.
    """

    def __init__(
        self,
        plugged: Callable[[], list[Address]],
        connect: Callable[[Address], Spectrometer],
        enlist: Callable[[Spectrometer, Description, Address], Unit | None],
        enlisted: Callable[[Unit], None],
        beat: Callable[[str, float], None],
        period_s: float = 0.5,
    ) -> None:
        self._plugged = plugged
        self._connect = connect
        self._enlist = enlist
        self._enlisted = enlisted
        self._beat = beat
        self._period_s = period_s
        self._units: dict[str, Unit] = {}
        self._present: set[Address] = set()
        self._known: set[Address] = set()
        self._doubles: set[Address] = set()
        self._tries: dict[Address, _Tries] = {}
        self._opening: dict[Address, threading.Thread] = {}
        self._problems: dict[str, str] = {}
        self._lock = threading.Lock()
        self._placing = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, name="discovery", daemon=True)

    def start(self) -> None:
        """Look once and wait for what is opened, so that errors and units are there at once; then go on in a thread."""
        self.look()
        self._wait_for_openings()
        self._thread.start()

    def stop(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """End the thread, then the units, all at the same time.

        Parameters
        ----------
        meanwhile : callable
            Called once a second while the exposures at hand are finished, which may take a minute.
        """
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(30)
        self._wait_for_openings()
        _all_at_once([unit.stop for unit in self.units()], meanwhile)

    def renew(
        self, changed: Callable[[Unit], bool], ended: Callable[[Unit], None], meanwhile: Callable[[], None]
    ) -> None:
        """Have units made anew on their open devices; who was not ours is asked for again.

        Parameters
        ----------
        changed : callable
            Whether a unit is to be made anew; the others notice nothing.
        ended : callable
            Told of each that has ended, before the new one begins.
        meanwhile : callable
            As :meth:`stop` takes it.
        """

        def renewed(unit: Unit) -> None:
            opened = unit.hand_over()
            ended(unit)
            with self._placing:
                self.forget(unit)
                if opened is not None:
                    self._place(*opened)

        with self._lock:
            self._known &= {unit.address for unit in self._units.values()} | self._doubles
        _all_at_once([partial(renewed, unit) for unit in self.units() if changed(unit)], meanwhile)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def units(self) -> list[Unit]:
        """All units, those in trouble too."""
        with self._lock:
            return list(self._units.values())

    def unit_of(self, serial: str) -> Unit | None:
        """The unit of a serial number, in trouble or not; None when there is none."""
        with self._lock:
            return self._units.get(serial)

    def problems(self) -> dict[str, str]:
        """Spectrometers that are plugged in but cannot be used, by address, each with its reason."""
        with self._lock:
            return dict(self._problems)

    def forget(self, unit: Unit) -> None:
        """Drop a unit whose thread failed; its spectrometer is found anew at the next look."""
        with self._lock:
            self._units.pop(unit.settings.serial, None)
            self._known.discard(unit.address)

    def _main(self) -> None:
        try:
            while not self._stop.wait(self._period_s):
                self.look()
        except Exception:
            # The top of the thread: the supervisor sees that it ended.
            log.exception("the discovery thread failed")

    def look(self) -> None:
        """Compare the bus with what is known, and begin to open what is new."""
        self._beat("discovery", 60.0)
        try:
            present = set(self._plugged())
        except (SpectrometerError, OSError) as error:
            self._problem("usb", str(error))
            return
        self._solved("usb")
        self._present = present
        for address in set(self._tries) - present:
            self._left(address)
        with self._lock:
            # Where a unit has its spectrometer open it may have come back by itself: opened here it would be busy.
            held = {unit.address for unit in self._units.values() if unit.holds_device}
            # Where it found another one instead, that one is new.
            self._known -= {unit.address for unit in self._units.values() if unit.displaced}
            new = sorted(present - self._known - held - set(self._opening))
        for address in new:
            if not self._stop.is_set() and self._tries.setdefault(address, _Tries()).due():
                self._open_aside(address)

    def _left(self, address: Address) -> None:
        with self._lock:
            # One that was refused because its serial number was taken may have its turn now.
            self._known -= {address, *self._doubles}
            self._doubles.clear()
            leaving = [unit for unit in self._units.values() if unit.address == address]
        del self._tries[address]
        self._solved(str(address))
        for unit in leaving:
            unit.left(address)

    def _open_aside(self, address: Address) -> None:
        """Open in a thread of its own: one device that does not answer must not keep the others waiting."""
        thread = threading.Thread(target=self._arrived, args=(address,), name=f"open {address}", daemon=True)
        with self._lock:
            self._opening[address] = thread
        thread.start()

    def _wait_for_openings(self) -> None:
        with self._lock:
            opening = list(self._opening.values())
        for thread in opening:
            thread.join(30)

    def _arrived(self, address: Address) -> None:
        try:
            self._open(address)
        except Exception as error:
            # The top of the thread; a later look tries again.
            log.exception("opening %s failed", address)
            self._problem(str(address), f"defect in oesd: {error!r:.160}")
        finally:
            with self._lock:
                del self._opening[address]

    def _open(self, address: Address) -> None:
        spectrometer = self._connect(address)
        try:
            description = spectrometer.open()
        except (SpectrometerError, OSError) as error:
            # OSError: no process or file can be had for the worker at the moment.
            spectrometer.close()
            self._problem(str(address), str(error))
            return
        self._solved(str(address))
        with self._placing:
            self._place(spectrometer, description, address)

    def _place(self, spectrometer: Spectrometer, description: Description, address: Address) -> None:
        with self._lock:
            self._known.add(address)
        try:
            used = not self._stop.is_set() and self._is_placed(spectrometer, description, address)
        except BaseException:
            # Such as no thread to be had for its unit: a later look finds it new.
            with self._lock:
                self._known.discard(address)
            spectrometer.close()
            raise
        if not used:
            spectrometer.close()

    def _is_placed(self, spectrometer: Spectrometer, description: Description, address: Address) -> bool:
        """Find its unit for an opened spectrometer; False when it is not to be used."""
        unit = self.unit_of(description.serial)
        if unit is None:
            return self._is_enlisted(spectrometer, description, address)
        if unit.model != description.model or (unit.address != address and unit.address in self._present):
            with self._lock:
                self._doubles.add(address)
            self._problem(str(address), f"a second spectrometer with serial {description.serial!r}: not used")
            return False
        if unit.adopt(spectrometer, description, address):
            return True
        with self._lock:
            self._known.discard(address)  # its thread has just failed: the unit after it takes it over
        return False

    def _is_enlisted(self, spectrometer: Spectrometer, description: Description, address: Address) -> bool:
        unit = self._enlist(spectrometer, description, address)
        if unit is None:
            return False
        with self._lock:
            self._units[description.serial] = unit
        self._enlisted(unit)
        return True

    def _problem(self, where: str, what: str) -> None:
        if self._problems.get(where) != what:
            log.warning("%s: %s", where, what)
        with self._lock:
            self._problems[where] = what

    def _solved(self, where: str) -> None:
        with self._lock:
            if self._problems.pop(where, None) is not None:
                log.info("%s: solved", where)
