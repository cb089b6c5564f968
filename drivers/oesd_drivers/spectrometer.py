"""The port: what the daemon asks of any spectrometer, and the values that cross it.

Two real implementations stand behind it: :class:`oesd_drivers.ocean.OceanSpectrometer` talks to a device in this
process, :class:`oesd_drivers.isolated.IsolatedSpectrometer` to one in a child process with deadlines. One thread owns
an instance; no method may be called from two threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Trigger(StrEnum):
    """What begins an exposure; each model has its own code for it, and not every model has all."""

    FREE = "free-running"
    SOFTWARE = "software"
    SYNCHRONOUS = "synchronous"  # an external clock begins and ends it
    EDGE = "edge"
    LEVEL = "level"
    SINGLE = "single-shot"
    EXTERNAL = "external"
    INTERNAL = "internal"
    NEVER = "disabled"

    @property
    def waits(self) -> bool:
        """Whether a frame comes only when something outside says so."""
        return self not in (Trigger.FREE, Trigger.SOFTWARE, Trigger.INTERNAL)


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
    triggers : tuple of Trigger
        What can begin an exposure of this model.
    cooled : bool
        It has a detector cooler: :meth:`Spectrometer.set_cooling` works.
    integration_step_us : int
        It takes whole multiples of this; a time between two is rounded to the nearer one.
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
    triggers: tuple[Trigger, ...] = (Trigger.FREE,)
    cooled: bool = False
    integration_step_us: int = 1


@dataclass(frozen=True, slots=True)
class Exposure:
    """Settings of an acquisition: integration time of one scan in us, the scans summed, and what begins a scan."""

    integration_us: int
    scans: int = 1
    trigger: Trigger = Trigger.FREE


@dataclass(frozen=True, slots=True)
class Series:
    """Frames to be taken one after another by the driver's own clock.

    Frame *i* is asked for at ``first_due_ns + i * period_ns``, at once when that is past; it is left out when the next
    one is due already. With ``period_ns`` 0 the frames follow each other at the device's own speed.

    Attributes
    ----------
    count : int
        Frames, left out ones included.
    first_due_ns, period_ns : int
        Host monotonic clock, ns; 0 for at once, and for no grid.
    trigger_wait_s : float
        How long to wait for each trigger that comes from outside, seconds.
    """

    count: int = 1
    first_due_ns: int = 0
    period_ns: int = 0
    trigger_wait_s: float = 5.0


#: One frame, now.
ONE = Series()


def no_more() -> int:
    """A series ends when its frames were taken."""
    return 0


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
        Host clocks when the first scan was asked for; with an external trigger, when its exposure began as far as
        that is known.
    index : int
        Its place in the series.
    spread : (pixels,) float32 or None
        Standard deviation of the scans of each pixel, counts (n - 1 in the denominator); None with one scan.
    """

    counts_sum: NDArray[np.uint32]
    saturated: NDArray[np.bool_]
    exposure: Exposure
    started_monotonic_ns: int
    started_unix_ns: int
    detector_temperature_c: float | None
    board_temperature_c: float | None
    index: int = 0
    spread: NDArray[np.float32] | None = None


class Spectrometer(Protocol):
    """A spectrometer that can be opened, set, read and closed. Every failure is a :class:`SpectrometerError`."""

    def open(self) -> Description:
        """Open and describe the device. Also recovers: an open one is closed first."""
        ...

    def set_exposure(self, exposure: Exposure) -> None:
        """Set integration time and trigger, then discard one frame: the next one never shows an older exposure."""
        ...

    def take(
        self,
        series: Series = ONE,
        cancelled: Callable[[], bool] = lambda: False,
        more: Callable[[], int] = no_more,
    ) -> Iterator[Frame]:
        """Take frames of the exposure set last, each yielded as it comes; the iterator must be run to its end.

        ``more`` is asked before the series ends: so many frames are added to it, without a break.

        ``cancelled`` is asked at least every 50 ms while a trigger is waited for, and between frames; once it says yes
        the series ends after the frames that are taken already.

        Raises
        ------
        NoTrigger
            None came in time; the frame that a later one begins is never given out.
        """
        ...

    def set_cooling(self, setpoint_c: float | None) -> None:
        """Cool the detector to degrees Celsius, None switches the cooler off; refused where there is none."""
        ...

    def set_lamp(self, on: bool) -> None:
        """Set the device's own lamp-enable (strobe) line, which a lamp or a shutter hangs on."""
        ...

    def close(self) -> None:
        """Release the device; harmless when it is closed or gone."""
        ...
