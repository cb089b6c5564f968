"""The values of the acquisition room."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from oesd.acquisition.settings import Settings
from oesd.model import Capture, Conditions, Device, Kind, Loss, RunRecord, new_id
from oesd_drivers.spectrometer import Description, Frame


@dataclass(frozen=True, slots=True)
class Sinks:
    """Where a unit's work goes.

    Attributes
    ----------
    capture : callable
        Takes a capture over at once, with the shorter exposure of a bracketed sample or None; returns "" or the
        reason why it cannot.
    loss : callable
        Takes a loss over at once.
    beat : callable
        Called with the unit's name and the seconds within which it will call again.
    run_begins, run_ends : callable
        Take the record of a run over at once: before its first slot, and when its last one is a capture or a loss.
        Not heeded by default: outside the daemon nobody keeps a ledger.
    due : callable
        Why a dark or a reference is due under these conditions, None when none is; answers at once.
    proving_scans : callable
        Scans that a dark needs under these conditions to prove itself dark, 0 where that is not known.
    """

    capture: Callable[[Capture, Capture | None], str]
    loss: Callable[[Loss], None]
    beat: Callable[[str, float], None]
    run_begins: Callable[[RunRecord], None] = lambda _run: None
    run_ends: Callable[[RunRecord], None] = lambda _run: None
    due: Callable[[Kind, Conditions], str | None] = lambda _kind, _conditions: None
    proving_scans: Callable[[Conditions], int] = lambda _conditions: 0


def device_of(description: Description, settings: Settings) -> Device:
    """The daemon's value of what a driver said of its spectrometer, and of what a person says of it."""
    pixels = len(description.wavelengths_nm)
    return Device(
        serial=description.serial,
        name=settings.name,
        model=description.model,
        wavelengths_nm=description.wavelengths_nm,
        saturation_counts=description.saturation_counts,
        nonlinearity=description.nonlinearity,
        electric_dark_pixels=description.electric_dark_pixels,
        integration_min_us=description.integration_min_us,
        integration_max_us=description.integration_max_us,
        simulated=description.simulated,
        calibrated=description.calibrated,
        dead_pixels=tuple(sorted({pixel for pixel in settings.dead_pixels if pixel < pixels})),
        stray_light=settings.stray_light,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a capture stands: its run, its number in the run, its slot (-1 outside a schedule), the host's boot."""

    run_id: str
    sequence: int
    slot: int
    boot_id: str
    labels: Mapping[str, str] = field(default_factory=dict)


def capture_of(device: Device, kind: Kind, frame: Frame, place: Place, boxcar_half_width_px: int = 0) -> Capture:
    """Make the daemon's value of a frame that was just read."""
    return Capture(
        record_id=new_id(),
        device=device,
        kind=kind,
        run_id=place.run_id,
        sequence=place.sequence,
        slot=place.slot,
        taken_at_utc=datetime.fromtimestamp(frame.started_unix_ns / 1e9, UTC),
        monotonic_ns=frame.started_monotonic_ns,
        boot_id=place.boot_id,
        integration_us=frame.exposure.integration_us,
        scans=frame.exposure.scans,
        boxcar_half_width_px=boxcar_half_width_px,
        counts_sum=frame.counts_sum,
        saturated=frame.saturated,
        detector_temperature_c=frame.detector_temperature_c,
        board_temperature_c=frame.board_temperature_c,
        labels=place.labels,
        spread=frame.spread,
    )


def celsius_of(frame: Frame) -> float | None:
    """The detector's temperature; where it has no thermometer the board's goes with it."""
    return frame.board_temperature_c if frame.detector_temperature_c is None else frame.detector_temperature_c
