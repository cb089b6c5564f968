"""What a unit is doing, for people: the words of its state, and the figures beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from oesd.acquisition.camera import Camera
from oesd.acquisition.run_book import Run
from oesd.acquisition.sampling import Sampling
from oesd.acquisition.settings import Settings
from oesd.model import Kind


@dataclass(frozen=True, slots=True)
class UnitState:
    """What a unit is doing, for people; ``due`` says by kind why a dark or reference is due that nobody has taken."""

    name: str
    serial: str
    model: str
    simulated: bool
    state: str
    detail: str
    address: str
    run_id: str
    next_slot: int
    captures: int
    last_capture_utc: datetime | None
    saturated_pixels: int
    run_cause: str = ""
    run_labels: Mapping[str, str] = field(default_factory=dict)
    paused: bool = False
    integration_us: int = 0
    scans: int = 0
    plasma: str = ""
    due: Mapping[str, str] = field(default_factory=dict)
    shortest_period_us: int = 0


def state_of(settings: Settings, camera: Camera, work: Sampling, *, alive: bool) -> UnitState:
    """Read the state of a unit's parts; each figure is of its own moment."""
    run, device = work.book.run, camera.device
    return UnitState(
        name=settings.name,
        serial=settings.serial,
        model=device.model,
        simulated=device.simulated,
        state=_word(work, run) if alive else "stopped",
        detail=work.trouble.detail,
        address=str(camera.address),
        run_id=run.record.run_id if run else "",
        next_slot=run.next_slot if run else 0,
        captures=work.delivery.captures,
        last_capture_utc=work.delivery.last_capture_utc,
        saturated_pixels=work.delivery.saturated_pixels,
        run_cause=run.record.cause if run else "",
        run_labels=run.record.labels if run else {},
        paused=run.paused if run else False,
        integration_us=work.exposing.integration_us,
        scans=work.exposing.scans(Kind.SAMPLE),
        plasma=str(work.plasma) if work.plasma else "",
        due=work.asides.wishes.due(),
        shortest_period_us=work.exposing.shortest_period_us(),
    )


def _word(work: Sampling, run: Run | None) -> str:
    """One word or two: a loss's reason while in trouble."""
    if work.trouble.reason:
        return work.trouble.reason
    if run is None:
        return "waiting for plasma" if work.watching else "idle"
    if run.paused:
        return "paused"
    return "waiting for trigger" if work.waits_for_trigger else "measuring"
