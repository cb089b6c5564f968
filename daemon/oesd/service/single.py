"""One capture without a daemon: open, expose, read, close; the result is a file."""

from __future__ import annotations

from datetime import UTC, datetime

from oesd.acquisition import Place, capture_of, device_of
from oesd.acquisition.settings import Settings, safe_name
from oesd.formats import write_columns
from oesd.model import Entry, Kind, new_id
from oesd.service.bench import boot_id
from oesd_drivers.errors import Busy, Gone
from oesd_drivers.isolated import IsolatedSpectrometer
from oesd_drivers.spectrometer import Description, Exposure, Frame
from oesd_drivers.usb import BackendName, plugged


def capture_file(kind: Kind, serial: str, exposure: Exposure, backend: BackendName = "libusb") -> bytes:
    """Take one capture from a spectrometer that no daemon uses; returns a file in the column form.

    Parameters
    ----------
    kind : Kind
        What the light before the spectrometer is.
    serial : str
        Which one; "" takes the first that is plugged in.
    exposure : Exposure
        Integration time and scans.
    backend : {"libusb", "virtual"}
        Real USB, or the virtual bus.

    Raises
    ------
    SpectrometerError
        When there is none, it is busy, or it refuses the exposure.
    """
    description, frame = _exposed(serial, exposure, backend)
    device = device_of(description, Settings(description.serial, safe_name(description.serial)))
    taken = capture_of(device, kind, frame, Place(new_id(), 0, -1, boot_id()))
    entry = Entry(new_id(), taken.record_id, None, None, "single capture", "single capture", datetime.now(UTC))
    return write_columns(entry, taken, None, None, None)


def _exposed(serial: str, exposure: Exposure, backend: BackendName) -> tuple[Description, Frame]:
    busy: Busy | None = None
    for found in plugged(backend):
        spectrometer = IsolatedSpectrometer(found.address, backend)
        try:
            description = spectrometer.open()
            if serial in ("", description.serial):
                spectrometer.set_exposure(exposure)
                (frame,) = spectrometer.take()
                return description, frame
        except Busy as error:  # a daemon may have this one, and another one is free
            busy = error
        finally:
            spectrometer.close()
    if busy is not None:
        raise busy
    raise Gone(f"no spectrometer with serial {serial!r} is plugged in" if serial else "no spectrometer is plugged in")
