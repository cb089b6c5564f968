"""python-seabreeze (pyseabreeze), unmodified, made to open one device and to leave the others alone.

The only module that imports seabreeze. Opening goes past ``list_devices()``, which resets and opens every spectrometer
on the bus. A device is claimed before it is reset, and reset before it is opened: what an earlier process left in its
queues would be read as ours.
"""

from __future__ import annotations

import contextlib
import errno
import struct
import warnings
from typing import Any

import usb.core
import usb.util
from seabreeze.pyseabreeze.devices import SeaBreezeDevice
from seabreeze.pyseabreeze.exceptions import SeaBreezeError
from seabreeze.pyseabreeze.protocol import OBPProtocol
from seabreeze.pyseabreeze.transport import USBTransportDeviceInUse, USBTransportError, USBTransportHandle

from . import calibration
from .capabilities import CAPABILITIES, Capabilities
from .errors import Busy, Denied, Gone, Reopen, SpectrometerError
from .obp import ObpDevice
from .obp_frame import Nack
from .ooi import OoiDevice
from .scans import Device
from .spectrometer import Description

_LONGEST_TEXT = 160
_LONGEST_SERIAL = 256

#: Everything pyseabreeze and pyusb were seen to raise for one and the same broken cable.
LIBRARY_ERRORS = (
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


class LibraryDevice:
    """A device that pyseabreeze has open.

    Parameters
    ----------
    device : pyusb device
        As :func:`oesd_drivers.usb.find` gives it. Everything in :data:`LIBRARY_ERRORS` may come out.

    Attributes
    ----------
    can : Capabilities
    talk : Device
        Its protocol.
    """

    def __init__(self, device: Any) -> None:
        _claim_and_reset(device)
        self._device: Any = SeaBreezeDevice(_Handle(device))
        try:
            _open_quietly(self._device)
            self.can: Capabilities = CAPABILITIES[self._device.model]
            self.talk = _protocol_of(self._device, self.can)
        except BaseException:
            self.close()
            raise

    def description(self, *, simulated: bool) -> Description:
        """What it says of itself, asked now, made sane."""
        talk, can = self.talk, self.can
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
            simulated=simulated,
            triggers=tuple(can.triggers),
            cooled=can.cooled,
            integration_step_us=can.step_us,
        )

    def close(self) -> None:
        """Release the device; harmless when it is gone."""
        with contextlib.suppress(*LIBRARY_ERRORS):
            self._device.close()


def meaning(error: BaseException) -> tuple[type[SpectrometerError], str]:
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


def _protocol_of(device: Any, can: Capabilities) -> Device:
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
