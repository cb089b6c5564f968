"""Ocean Optics spectrometers through unmodified python-seabreeze (pyseabreeze): the port, in this process.

Each device is opened afresh: claimed, reset, put into free-running and freed of what another program left it doing,
described, and usable only after an exposure was set.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from . import calibration
from .capabilities import Capabilities
from .errors import Gone, NoTrigger, Refused, Reopen, SpectrometerError
from .library import LIBRARY_ERRORS, LibraryDevice, meaning
from .ooi import OoiDevice
from .pace import HOST, Clock, Grid, wait_until
from .scans import Device, Scan, Thermometers, free_scan, triggered_scan
from .spectrometer import ONE, Address, Description, Exposure, Frame, Series, Trigger, no_more
from .stack import MOST_SCANS, Stack
from .usb import MODELS, find

_UNKNOWN_EXPOSURE_US = 100_000


class OceanSpectrometer:
    """A spectrometer at a USB address; implements :class:`oesd_drivers.spectrometer.Spectrometer`.

    Parameters
    ----------
    address : Address
    backend : {"libusb", "virtual"}
    clock : Clock
        The host's, or that of a simulation.
    """

    def __init__(self, address: Address, backend: str = "libusb", clock: Clock = HOST) -> None:
        self._address = address
        self._backend = backend
        self._clock = clock
        self._device: LibraryDevice | None = None
        self._description: Description | None = None
        self._exposure: Exposure | None = None
        self._exposing_us = _UNKNOWN_EXPOSURE_US
        self._thermometers = Thermometers(clock)
        self._armed = self._free = self._drained = False
        self._cooling: tuple[float | None] | None = None
        self._lamp: bool | None = None

    @property
    def address(self) -> Address:
        """Where it is plugged in."""
        return self._address

    @property
    def exposing_us(self) -> int:
        """Integration time the device is at, as far as is known: a frame may take that long before a new one begins."""
        return self._exposing_us

    def open(self) -> Description:
        """Open and describe the device. Also recovers: an open one is closed first.

        Raises
        ------
        Gone, Denied, Busy, Reopen
        GiveUp
            No libusb.
        """
        self.close()
        try:
            with self._translated("cannot be opened"):
                return self._open()
        except SpectrometerError:
            self.close()
            raise

    def set_exposure(self, exposure: Exposure) -> None:
        """Set integration time and trigger, then discard one frame: the next one never shows an older exposure.

        A time between two steps of the device is rounded to the nearer one; the frames tell which it was.

        Raises
        ------
        Refused
            Out of the device's range, a trigger it does not have, or it does not take it.
        Gone, Reopen
        """
        talk, can, _ = self._ready()
        wanted = _possible(exposure, can)
        with self._translated("did not take the exposure"):
            self._exposure = None
            if not self._free:
                talk.set_trigger(Trigger.FREE)
                self._free = True
            self._drain(talk, can)
            self._set_integration(talk, wanted.integration_us)
            if wanted.trigger is not Trigger.FREE:
                self._free = False
                talk.set_trigger(wanted.trigger)
        self._exposure = wanted

    def take(
        self,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        """Take frames of the exposure set last, each begun when it is due; see the port.

        A frame that is called off while it waits for its trigger is dropped, also when some of its scans were taken.
        What the device may still do about its request is undone before the next call, by opening it anew with all its
        settings: no frame begun by a late trigger is ever read.

        Raises
        ------
        Refused
            No exposure was set since the device was opened.
        NoTrigger
            None came in time.
        Gone, Reopen
        """
        self._ready()
        if self._exposure is None:
            raise Refused("no exposure was set since the spectrometer was opened")
        grid = Grid.of(series, self._clock.monotonic_ns())
        index, count = grid.next_index(0, self._clock.monotonic_ns()), series.count
        while True:
            count += more() if index >= count else 0
            if index >= count or not wait_until(grid.due_ns(index), self._clock, cancelled):
                return
            frame = self._frame(index, series, cancelled)
            if frame is None:
                return
            yield frame
            index = grid.next_index(index + 1, self._clock.monotonic_ns())

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool the detector to a temperature in degrees Celsius, or switch its cooler off.

        The detector takes minutes to get there; frames tell its temperature. Some devices keep this when closed, some
        do not: set it after each :meth:`open`.

        Raises
        ------
        Refused
            The model has no cooler, or it does not take this temperature.
        Gone, Reopen
        """
        talk, can, _ = self._ready()
        if not can.cooled:
            raise Refused(f"the {can.name} has no cooler")
        goal_c = calibration.detector_goal_c(setpoint_c)
        with self._translated("did not take the temperature"):
            talk.set_cooling(goal_c)
        self._cooling = (goal_c,)

    def set_lamp(self, on: bool) -> None:
        """Set the lamp-enable (strobe) line; set it after each :meth:`open`.

        Raises
        ------
        Refused
            No command is known for it, or the device does not take it.
        Gone, Reopen
        """
        talk, _, _ = self._ready()
        with self._translated("did not set its lamp line"):
            talk.set_lamp(on)
        self._lamp = on

    def close(self) -> None:
        """Release the device; harmless when it is closed or gone."""
        device, self._device = self._device, None
        self._description = self._exposure = self._cooling = self._lamp = None
        self._armed = False
        self._drained = False
        self._thermometers.forget()
        if device is not None:
            device.close()

    def _open(self) -> Description:
        self._device = device = LibraryDevice(find(self._address, self._backend))
        averaged = device.talk.calm()
        device.talk.set_trigger(Trigger.FREE)
        self._free = True
        self._exposing_us = averaged * (device.talk.integration_us() or _UNKNOWN_EXPOSURE_US)
        self._description = device.description(simulated=self._backend == "virtual")
        return self._description

    def _opened(self) -> tuple[Device, Capabilities, Description]:
        if self._device is None or self._description is None:
            raise Reopen(f"the spectrometer at {self._address} is not open")
        return self._device.talk, self._device.can, self._description

    def _ready(self) -> tuple[Device, Capabilities, Description]:
        """The open device, with no request in it that a late trigger could still answer."""
        if self._armed:
            exposure, cooling, lamp = self._exposure, self._cooling, self._lamp
            self.open()
            if cooling is not None:
                self.set_cooling(*cooling)
            if lamp is not None:
                self.set_lamp(lamp)
            if exposure is not None:
                self.set_exposure(exposure)
        return self._opened()

    def _drain(self, talk: Device, can: Capabilities) -> None:
        """Once after each opening, read what nobody asked for: answers of OOI devices do not name their question."""
        if isinstance(talk, OoiDevice) and not self._drained:
            # At the shortest exposure, so that it costs little even where the next one is long.
            self._set_integration(talk, can.first_us)
            talk.drain(can.first_us)
        self._drained = True

    def _set_integration(self, talk: Device, integration_us: int) -> None:
        """Set the integration time and discard the frame that still has the old one; once more where it was ignored."""
        before = self._exposing_us
        told: int | None = None
        for _ in range(2):
            talk.set_integration(integration_us)
            talk.scan(self._exposing_us + integration_us)
            told = talk.integration_us()
            if told is None or told == integration_us or told != before:
                self._exposing_us = integration_us
                return
        raise Refused(f"the device was asked for {integration_us} us and stays at {told} us")

    def _frame(self, index: int, series: Series, cancelled: Callable[[], bool]) -> Frame | None:
        """Take the scans of one frame; None when they were called off."""
        talk, _, description = self._opened()
        exposure = self._exposure
        if exposure is None:
            raise Refused("no exposure was set since the spectrometer was opened")
        stack = Stack(len(description.wavelengths_nm), exposure.scans, description.saturation_counts)
        first: Scan | None = None
        with self._translated("did not give a spectrum"):
            for _ in range(exposure.scans):
                scan = self._scan(talk, exposure, series, cancelled)
                if scan is None:
                    return None
                stack.add(scan.counts)
                first = first or scan
            temperatures = self._thermometers.of(talk)
        assert first is not None
        started = (first.started_monotonic_ns, first.started_unix_ns)
        return Frame(stack.counts_sum, stack.saturated, exposure, *started, *temperatures, index, stack.spread())

    def _scan(self, talk: Device, exposure: Exposure, series: Series, cancelled: Callable[[], bool]) -> Scan | None:
        if not exposure.trigger.waits:
            return free_scan(talk, exposure, self._clock)
        self._armed = True
        scan = triggered_scan(talk, exposure, series, self._clock, cancelled)
        self._armed = scan is None
        return scan

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """The one place where foreign errors become ours; closes the device, but after Refused and NoTrigger."""
        try:
            yield
        except (Refused, NoTrigger):
            raise
        except SpectrometerError as error:
            self.close()
            raise self._unless_gone(type(error))(f"{self._name()} {what}: {error}") from error
        except LIBRARY_ERRORS as error:
            self.close()
            kind, text = meaning(error)
            raise self._unless_gone(kind)(f"{self._name()} {what}: {text}") from error

    def _name(self) -> str:
        model = MODELS.get((self._address.vendor_id, self._address.product_id), "device")
        return f"{model} at {self._address}"

    def _unless_gone(self, kind: type[SpectrometerError]) -> type[SpectrometerError]:
        """A cable that is pulled shows as an I/O error as often as a missing device: look whether it is still there."""
        if kind is not Reopen:
            return kind
        try:
            find(self._address, self._backend)
        except Gone:
            return Gone
        except SpectrometerError:
            return kind
        return kind


def _possible(exposure: Exposure, can: Capabilities) -> Exposure:
    """The exposure in whole steps of the device; :class:`Refused` when it cannot do it."""
    if not can.first_us <= exposure.integration_us <= can.last_us:
        raise Refused(f"{exposure.integration_us} us is out of range: {can.first_us} to {can.last_us} us")
    if not 1 <= exposure.scans <= MOST_SCANS:
        raise Refused(f"{exposure.scans} scans cannot be summed: choose 1 to {MOST_SCANS}")
    if exposure.trigger not in can.triggers:
        raise Refused(f"the {can.name} has no trigger {exposure.trigger!s:.40}: choose {', '.join(can.triggers)}")
    return replace(exposure, integration_us=can.nearest_us(exposure.integration_us))
