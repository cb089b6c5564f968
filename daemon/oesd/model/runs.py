"""Runs and their slots: what is ordered, what was begun, what was lost, and how a spectrometer measures meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from oesd.model.measured import Kind


@dataclass(frozen=True, slots=True)
class Loss:
    """Scheduled slots that ended without a stored spectrum, and why.

    ``reason`` is a short fixed name (``device gone``, ``overrun``, ``usb error`` ...), ``detail`` a sentence,
    ``first_slot`` -1 for what stands outside a schedule, ``at_utc`` the moment by which the last of the slots was lost.
    """

    device_name: str
    run_id: str
    kind: Kind
    first_slot: int
    slots: int
    reason: str
    detail: str
    at_utc: datetime


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The scheduled slots of one spectrometer from a start to a stop: slot n is due n periods after the first.

    Attributes
    ----------
    period_us : int
        Distance of the slots; in a burst the time that one frame takes at least.
    paced : bool
        Whether the slots lie on a grid; in a burst each follows the one before.
    began_at_utc : datetime
        Host clock when slot 0 was due.
    monotonic_ns, boot_id : int, str
        Host monotonic clock when slot 0 was due, and the boot it belongs to.
    ended_at_utc, slots : datetime or None, int or None
        When the run ended and how many slots had come due by then; None while it lasts.
    """

    run_id: str
    device_name: str
    period_us: int
    paced: bool
    began_at_utc: datetime
    monotonic_ns: int
    boot_id: str
    ended_at_utc: datetime | None = None
    slots: int | None = None
    cause: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What somebody wants of a run: who or what began it, its labels, and how it differs from the configuration.

    Attributes
    ----------
    cause : str
        ``"always"``, ``"plan"``, ``"order"`` or ``"plasma on"``.
    labels : mapping of str to str
        Go with every spectrum of the run.
    duration_us : int
        How long it lasts on the monotonic clock; 0 until it is stopped.
    burst : int
        So many frames at the device's own speed, then it ends; 0 for slots on a grid.
    every_us : int or None
        Distance of the slots; None as configured.
    lock_exposure : bool
        An automatic exposure stays as it is while the run lasts.
    """

    cause: str
    labels: Mapping[str, str] = field(default_factory=dict)
    duration_us: int = 0
    burst: int = 0
    every_us: int | None = None
    lock_exposure: bool = False


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a spectrometer measures at the moment, as far as a dark or a reference has to match.

    Attributes
    ----------
    device : str
        Our name of the spectrometer.
    boxcar_half_width_px : int
        Smoothing asked for; stored counts are without it, so it only decides between equals.
    """

    device: str
    pixels: int
    integration_us: int
    scans: int
    boxcar_half_width_px: int
    detector_temperature_c: float | None
