"""Entries, their results, and what is made of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, RootModel

from oesd.web.documents.said import Document, Numbers


class EntrySummary(Document):
    """An entry in short."""

    data_id: str
    sample_id: str
    device_name: str
    model: str
    taken_at_utc: datetime
    elements: list[str]
    peaks: int
    revision: int
    state: str
    simulated: bool


class FoundEntry(EntrySummary):
    """An entry that a search found."""

    run_id: str
    sequence: int | None
    labels: dict[str, str]


class EntryPage(Document):
    """A page; `next` is null after the last one."""

    entries: list[FoundEntry]
    next: str | None


class EntryList(RootModel[list[EntrySummary]]):
    """Entries, the last stored first."""


class Latest(RootModel[dict[str, str | None]]):
    """Data ids by spectrometer."""


class Candidate(Document):
    """A line that a peak may be."""

    candidate_key: str
    element: str
    ionization: int
    wavelength_nm: float
    probability: float


class Peak(Document):
    """A detected peak; `element` is null when none is named; `candidate_key` is there when a person chose it."""

    peak_id: str
    wavelength_nm: float
    element: str | None
    manual: bool = False
    candidate_key: str | None = None
    wavelength_sigma_nm: float | None
    fwhm_nm: float | None
    snr: float | None
    intensity: float | None
    area: float | None
    probability: float
    saturated: bool
    blended: bool
    ambiguous: bool
    candidates: list[Candidate]


class Finding(Document):
    """An element or a molecule in the light."""

    element: str
    probability: float


class OesDocument(Document):
    """A result, as the OES API has it; candidates and what else the engine tells stand in fields of their own."""

    data_id: str
    id: str
    wavelengths: Numbers
    wavelength_unit: Literal["nm"]
    sample: Numbers
    reference: Numbers = Field(default_factory=list)
    dark: Numbers = Field(default_factory=list)
    scope_corrected: Numbers = Field(
        description="sample - dark, divided by the detector's non-linearity (`nonlinearity` of GET /devices), less its "
        "stray light where it tells any; saturated pixels are out of the shorter exposure where one was taken. Just "
        "sample - dark where the device tells no coefficients, or a warning says that they are not believed."
    )
    spectrum_type: str
    detected_peaks: list[Peak]
    elements: list[Finding]
    molecules: list[Finding]
    constraint_mode: Literal["auto", "include", "exclude"]
    constrained_elements: list[str] | None
    spectral_metadata: dict[str, Any] = Field(
        description="how it was measured and analysed; `corrections` lists what `scope_corrected` was freed of (dark, "
        "nonlinearity, stray_light, shorter_exposure, boxcar): name, applied, doubtful, note"
    )
    last_updated: datetime


class EvidenceDocument(Document):
    """Why its elements are named."""

    note: str
    evidence: list[dict[str, Any]]
    baseline: Numbers | None = None


class Line(Document):
    """A line of an element; `strength` is relative to the strongest of its ionisation stage."""

    wavelength_nm: float
    ionization: int
    strength: float


class Band(Document):
    """A band system; `relative` is 1 at its brightest place, null where there is next to no light."""

    system: str
    wavelengths_nm: list[float]
    relative: list[float | None]


class LineList(Document):
    """Lines of an element, the strongest first, and bands of a molecule."""

    element: str
    lines: list[Line]
    bands: list[Band]


class Waterfall(Document):
    """Spectra of a time, a row of `values` each, on one axis."""

    device: str
    data_id: list[str]
    taken_at_utc: list[datetime]
    wavelengths_nm: list[float]
    values: list[list[float | None]]


class Reprocessing(Document):
    """It will be done."""

    data_id: str
    ordered: bool


class Kept(Document):
    """By data id "" or why it was not stored."""

    kept: dict[str, str]


class Imported(Document):
    """The entry that has the file."""

    data_id: str


class RemoteEntry(Document):
    """What the API made of an entry."""

    data_id: str
    revision: int | None
    fetched_at: datetime


class RemoteDocument(RemoteEntry):
    """The same, with the API's own document."""

    document: dict[str, Any]


class RemoteList(Document):
    """Entries whose results differ."""

    differing: int
    conflicting: int
    entries: list[RemoteEntry]
