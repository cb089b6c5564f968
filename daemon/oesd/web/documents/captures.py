"""What the spectrometers took."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from oesd.web.documents.said import Document, Numbers


class CaptureSummary(Document):
    """A capture without its counts."""

    record_id: str
    kind: Literal["sample", "reference", "dark"]
    device_name: str
    model: str
    simulated: bool
    integration_us: int
    taken_at_utc: datetime
    run_id: str | None
    sequence: int | None
    slot: int | None
    scans: int | None
    boxcar_half_width_px: int | None
    detector_temperature_c: float | None
    board_temperature_c: float | None
    labels: dict[str, str] | None


class CapturePage(Document):
    """A page of captures."""

    captures: list[CaptureSummary]
    next: str | None


class Verdict(CaptureSummary):
    """A dark or a reference, and what became of it."""

    accepted: bool
    proven: bool
    reason: str
    judged_at_utc: datetime


class DarkPage(Document):
    """A page of darks, or of references."""

    darks: list[Verdict] = Field(default_factory=list)
    references: list[Verdict] = Field(default_factory=list)
    next: str | None


class CaptureDocument(CaptureSummary):
    """A capture: mean raw counts of one scan, by pixel."""

    serial: str
    saturation_counts: int
    saturated_pixels: list[int]
    wavelengths_nm: Numbers
    counts: Numbers
    spread: Numbers | None


class Ordered(Document):
    """Names of the spectrometers that will take it."""

    ordered: list[str]
