"""The port: what the daemon asks of any spectrometer, and the values that cross it.

Two real implementations stand behind it: :class:`oesd_drivers.ocean.OceanSpectrometer` talks to a device in this
process, :class:`oesd_drivers.isolated.IsolatedSpectrometer` to one in a child process with deadlines. One thread owns
an instance; no method may be called from two threads at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where a device is plugged in: the identity USB gives before anything is opened.

    ``address`` changes at each plug; ``port`` (``"1-2.3"``) names the socket and stays.
    """

    bus: int
    address: int
    vendor_id: int
    product_id: int
    port: str = ""

    def __str__(self) -> str:
        return f"{self.bus:03d}:{self.address:03d} ({self.vendor_id:04x}:{self.product_id:04x})"


@dataclass(frozen=True, slots=True, eq=False)
class Description:
    """What an opened spectrometer says of itself, checked and made sane.

    Attributes
    ----------
    serial : str
        Raw text of the device; foreign, at most 256 characters.
    wavelengths_nm : (pixels,) float64
        The device's own axis, strictly increasing. Pixel numbers 0..n-1 when ``calibrated`` is False.
    saturation_counts : int
        Raw count of one scan at and above which a pixel is saturated.
    nonlinearity : tuple of float
        Sane polynomial coefficients, else empty.
    electric_dark_pixels : tuple of int
        Optically black pixels as flat indices, else empty.
    simulated : bool
        True on the virtual bus.
    """

    serial: str
    model: str
    wavelengths_nm: NDArray[np.float64]
    saturation_counts: int
    nonlinearity: tuple[float, ...]
    electric_dark_pixels: tuple[int, ...]
    integration_min_us: int
    integration_max_us: int
    calibrated: bool
    simulated: bool


@dataclass(frozen=True, slots=True)
class Exposure:
    """Settings of an acquisition: integration time of one scan in us, and the number of scans summed."""

    integration_us: int
    scans: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """``scans`` scans summed in the driver, raw integers.

    Attributes
    ----------
    counts_sum : (pixels,) uint32
        Sum of raw counts, not normalised, not corrected in any way.
    saturated : (pixels,) bool
        Pixels at or above saturation in at least one raw scan.
    started_monotonic_ns, started_unix_ns : int
        Host clocks when the first scan was asked for.
    """

    counts_sum: NDArray[np.uint32]
    saturated: NDArray[np.bool_]
    exposure: Exposure
    started_monotonic_ns: int
    started_unix_ns: int
    detector_temperature_c: float | None
    board_temperature_c: float | None


class Spectrometer(Protocol):
    """A spectrometer that can be opened, set, read and closed. Every failure is a :class:`SpectrometerError`."""

    def open(self) -> Description:
        """Open and describe the device. Also recovers: an open one is closed first."""
        ...

    def set_exposure(self, exposure: Exposure) -> None:
        """Set the integration time, then discard one frame: the next :meth:`read` never shows an older exposure."""
        ...

    def read(self) -> Frame:
        """Take the scans of the exposure set last and return their sum."""
        ...

    def close(self) -> None:
        """Release the device; harmless when it is closed or gone."""
        ...
