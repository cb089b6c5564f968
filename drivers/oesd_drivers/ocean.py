"""Ocean Optics spectrometers through unmodified python-seabreeze (pyseabreeze): the port, in this process.

The only module that imports seabreeze. Opening goes past ``list_devices()``, which resets and opens every spectrometer
on the bus. Each device is opened afresh: claimed, reset (what an earlier process left in its queues would be read as
ours), described, and usable only after its integration time was set.
"""

from __future__ import annotations

import contextlib
import errno
import struct
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import usb.core
import usb.util
from seabreeze.pyseabreeze.devices import SeaBreezeDevice
from seabreeze.pyseabreeze.exceptions import SeaBreezeError
from seabreeze.pyseabreeze.protocol import OBPProtocol
from seabreeze.pyseabreeze.transport import USBTransportDeviceInUse, USBTransportError, USBTransportHandle

from . import calibration
from .capabilities import CAPABILITIES, Capabilities
from .errors import Busy, Denied, Gone, Refused, Reopen, SpectrometerError
from .obp import Nack, ObpDevice
from .ooi import OoiDevice
from .spectrometer import Address, Description, Exposure, Frame
from .usb import MODELS, find

#: Summed in uint32: 18 bits of a QE-PRO times this many scans still fit.
MOST_SCANS = 10_000
_TEMPERATURE_EVERY_NS = 1_000_000_000
_UNKNOWN_EXPOSURE_US = 100_000
_LONGEST_TEXT = 160
_LONGEST_SERIAL = 256

#: Everything pyseabreeze and pyusb were seen to raise for one and the same broken cable.
_LIBRARY_ERRORS = (
    OSError, SeaBreezeError, USBTransportError, USBTransportDeviceInUse, Nack, RuntimeError, ValueError, TypeError,
    AssertionError, AttributeError, LookupError, ArithmeticError, struct.error,
)  # fmt: skip
_BY_ERRNO: dict[int, tuple[type[SpectrometerError], str]] = {
    errno.ENODEV: (Gone, "it was unplugged"),
    errno.ENOENT: (Gone, "it is not on the bus any more"),
    errno.EACCES: (Denied, "no permission on its device node: install the udev rules and join the group oesd"),
    errno.EPERM: (Denied, "no permission on its device node: install the udev rules and join the group oesd"),
    errno.EBUSY: (Busy, "another program holds it"),
    errno.ETIMEDOUT: (Reopen, "it did not answer in time"),
    errno.EPIPE: (Reopen, "it stalled the transfer"),
    errno.EOVERFLOW: (Reopen, "it sent more than was asked for"),
}


class _Handle(USBTransportHandle):
    """pyseabreeze's handle, which resets the device at each garbage collection, made to reset it once, at close."""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.pyusb_device.reset()
        with contextlib.suppress(OSError):
            usb.util.dispose_resources(self.pyusb_device)

    def __del__(self) -> None:
        """Leave the device alone: by now it may be another process's."""


class OceanSpectrometer:
    """A spectrometer at a USB address; implements :class:`oesd_drivers.spectrometer.Spectrometer`.

    Parameters
    ----------
    address : Address
    backend : {"libusb", "virtual"}
    """

    def __init__(self, address: Address, backend: str = "libusb") -> None:
        self._address = address
        self._backend = backend
        self._library_device: Any = None
        self._talk: OoiDevice | ObpDevice | None = None
        self._description: Description | None = None
        self._exposure: Exposure | None = None
        self._can: Capabilities | None = None
        self._exposing_us = _UNKNOWN_EXPOSURE_US
        self._temperatures: tuple[float | None, float | None] = (None, None)
        self._temperatures_at_ns = 0

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
        with self._translated("cannot be opened"):
            device = find(self._address, self._backend)
            _claim_and_reset(device)
            self._library_device = SeaBreezeDevice(_Handle(device))
            _open_quietly(self._library_device)
            self._can = CAPABILITIES[self._library_device.model]
            self._talk = _protocol_of(self._library_device, self._can)
            self._description = self._describe(self._can, self._talk)
            self._exposing_us = self._talk.integration_us() or _UNKNOWN_EXPOSURE_US
            return self._description

    def set_exposure(self, exposure: Exposure) -> None:
        """Set the integration time, then discard one frame: the next :meth:`read` never shows an older exposure.

        A time between two steps of the device is rounded to the nearer one; the frames tell which it was.

        Raises
        ------
        Refused
            Out of the device's range, or it does not take it.
        Gone, Reopen
        """
        talk, can, _ = self._opened()
        if not can.first_us <= exposure.integration_us <= can.last_us:
            raise Refused(f"{exposure.integration_us} us is out of range: {can.first_us} to {can.last_us} us")
        rounded = Exposure(can.nearest_us(exposure.integration_us), exposure.scans)
        if not 1 <= exposure.scans <= MOST_SCANS:
            raise Refused(f"{exposure.scans} scans cannot be summed: choose 1 to {MOST_SCANS}")
        with self._translated("did not take the exposure"):
            self._exposure = None
            talk.set_integration(rounded.integration_us)
            talk.scan(self._exposing_us + rounded.integration_us)
        self._exposing_us, self._exposure = rounded.integration_us, rounded

    def read(self) -> Frame:
        """Take the scans of the exposure set last and return their sum.

        Raises
        ------
        Refused
            No exposure was set since the device was opened.
        Gone, Reopen
        """
        talk, _, description = self._opened()
        exposure = self._exposure
        if exposure is None:
            raise Refused("no exposure was set since the spectrometer was opened")
        total = np.zeros(len(description.wavelengths_nm), dtype=np.uint32)
        saturated = np.zeros(len(total), dtype=np.bool_)
        started_monotonic_ns, started_unix_ns = time.monotonic_ns(), time.time_ns()
        with self._translated("did not give a spectrum"):
            for _ in range(exposure.scans):
                counts = talk.scan(exposure.integration_us)
                saturated |= counts >= description.saturation_counts
                total += counts
            detector_c, board_c = self._measured_temperatures(talk)
        return Frame(total, saturated, exposure, started_monotonic_ns, started_unix_ns, detector_c, board_c)

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
        talk, can, _ = self._opened()
        if not can.cooled:
            raise Refused(f"the {can.name} has no cooler")
        goal_c = calibration.detector_goal_c(setpoint_c)
        with self._translated("did not take the temperature"):
            talk.set_cooling(goal_c)

    def close(self) -> None:
        """Release the device; harmless when it is closed or gone."""
        device, self._library_device = self._library_device, None
        self._talk = self._can = self._description = self._exposure = None
        self._temperatures_at_ns = 0
        if device is not None:
            with contextlib.suppress(*_LIBRARY_ERRORS):
                device.close()

    def _opened(self) -> tuple[OoiDevice | ObpDevice, Capabilities, Description]:
        if self._talk is None or self._can is None or self._description is None:
            raise Reopen(f"the spectrometer at {self._address} is not open")
        return self._talk, self._can, self._description

    def _describe(self, can: Capabilities, talk: OoiDevice | ObpDevice) -> Description:
        axis, calibrated = calibration.wavelength_axis(talk.wavelength_coefficients(), can.pixels, can.first_index)
        saturation = calibration.saturation_counts(talk.saturation_level(), can.full_scale, can.usual_saturation)
        return Description(
            serial=talk.serial()[:_LONGEST_SERIAL],
            model=can.name,
            wavelengths_nm=axis,
            saturation_counts=saturation,
            nonlinearity=calibration.nonlinearity(talk.nonlinearity_coefficients(), saturation),
            electric_dark_pixels=can.dark_pixels,
            integration_min_us=can.first_us,
            integration_max_us=can.last_us,
            calibrated=calibrated,
            simulated=self._backend == "virtual",
        )

    def _measured_temperatures(self, talk: OoiDevice | ObpDevice) -> tuple[float | None, float | None]:
        """Detector and board, asked for at most once a second: they are slow, spectra are not."""
        now_ns = time.monotonic_ns()
        if now_ns - self._temperatures_at_ns >= _TEMPERATURE_EVERY_NS:
            self._temperatures = (
                calibration.sane_temperature_c(talk.detector_temperature_c()),
                calibration.sane_temperature_c(talk.board_temperature_c()),
            )
            self._temperatures_at_ns = now_ns
        return self._temperatures

    @contextlib.contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """The one place where foreign errors become ours; after any but :class:`Refused` the device is closed."""
        try:
            yield
        except Refused:
            raise
        except SpectrometerError as error:
            self.close()
            raise self._unless_gone(type(error))(f"{self._name()} {what}: {error}") from error
        except _LIBRARY_ERRORS as error:
            self.close()
            kind, text = _meaning(error)
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


def _meaning(error: BaseException) -> tuple[type[SpectrometerError], str]:
    """Class and text of a foreign error."""
    if isinstance(error, USBTransportDeviceInUse):
        return _BY_ERRNO[errno.EBUSY]
    number = getattr(error, "errno", None)
    if number in _BY_ERRNO:
        return _BY_ERRNO[number]
    return Reopen, f"{type(error).__name__} {str(error)[:_LONGEST_TEXT]!r}"


def _claim_and_reset(device: Any) -> None:
    """Make sure that the device is ours before it is reset: a reset ends another program's transfers as well."""
    try:
        with contextlib.suppress(NotImplementedError):
            if device.is_kernel_driver_active(0):
                device.detach_kernel_driver(0)
        device.set_configuration()
        usb.util.claim_interface(device, 0)  # nobody can take it between this question and the reset
        device.reset()
    finally:
        with contextlib.suppress(OSError):
            usb.util.dispose_resources(device)


def _protocol_of(device: Any, can: Capabilities) -> OoiDevice | ObpDevice:
    protocol = device.f.spectrometer.protocol
    if isinstance(protocol, OBPProtocol):
        return ObpDevice(protocol.transport, int(protocol.OBP.HEADER_PROTOCOL_VERSION), can)
    return OoiDevice(device, can)


def _open_quietly(device: Any) -> None:
    """Open with pyseabreeze's warnings silenced: what it only warns of is checked in :mod:`.obp`.

    A serial number that it cannot decode, its last step, is no reason to give up: we read it ourselves.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            device.open()
        except ValueError:
            if not device.is_open or getattr(device.f, "spectrometer", None) is None:
                raise
