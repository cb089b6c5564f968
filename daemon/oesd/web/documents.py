"""What the calls answer, as GET /openapi.json describes it: read by people and tests, never used to make an answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

Numbers = list[float | None]


class Document(BaseModel):
    """A JSON object; more may stand in it than is told here."""

    model_config = ConfigDict(defer_build=True, extra="allow")


class Problem(Document):
    """An error: a sentence, or what is wrong with each part of the request."""

    detail: str | list[Fault]


class Fault(Document):
    """What is wrong with one part of a request."""

    loc: list[str | int]
    msg: str
    type: str
    ctx: dict[str, Any] = Field(default_factory=dict)


class Health(Document):
    """200 when it is well, 503 when it is not."""

    healthy: bool


class Session(Document):
    """How long the cookie is good."""

    lasts_s: int


class Slots(Document):
    """Scheduled slots: due = stored + lost."""

    due: int
    stored: int
    lost: dict[str, int]


class Note(Document):
    """What to do about a spectrometer."""

    level: str
    text: str


class Spectrometer(Document):
    """A spectrometer at work, and what it does."""

    name: str
    model: str = ""
    serial: str = ""
    simulated: bool = False
    state: str = ""
    word: str = ""
    level: str = ""
    line: str = ""
    notes: list[Note] = Field(default_factory=list)


class Status(Document):
    """Everything at a glance."""

    version: str = ""
    uptime_s: float = 0.0
    healthy: bool = False
    simulated: bool = False
    spectrometers: list[Spectrometer] = Field(default_factory=list)
    tally: dict[str, Any] = Field(default_factory=dict)


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


class LiveDevice(Document):
    """The newest entry of a spectrometer, and the newest with a result."""

    device_name: str
    newest: EntrySummary | None
    shown: EntrySummary | None


class Live(Document):
    """The state, and the newest of each spectrometer."""

    now_utc: datetime
    status: Status
    devices: list[LiveDevice]


class Device(Spectrometer):
    """A spectrometer: as it described itself last and, at work, what it does."""

    at_work: bool
    pixels: int | None = None
    first_nm: float | None = None
    last_nm: float | None = None
    saturation_counts: int | None = None
    calibrated: bool | None = None


class Devices(Document):
    """All of them; `problems` says where on USB something is wrong."""

    devices: list[Device]
    problems: dict[str, str]


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


class Run(Slots):
    """A run of a spectrometer."""

    device_name: str
    run_id: str
    began_at_utc: datetime
    ended_at_utc: datetime | None
    ending: str
    period_us: int
    cause: str
    labels: dict[str, str]
    paced: bool
    on: bool


class RunList(Document):
    """The runs, and what is ordered by whom."""

    now_utc: datetime
    standing: dict[str, Any]
    ordered: dict[str, Any]
    runs: list[Run]


class RunAnswer(Document):
    """A sentence for each spectrometer."""

    action: str
    spectrometers: dict[str, str]


class Candidate(Document):
    """A line that a peak may be."""

    candidate_key: str
    element: str
    ionization: int
    wavelength_nm: float
    probability: float


class Peak(Document):
    """A detected peak; `element` is null when none is named."""

    peak_id: str
    wavelength_nm: float
    element: str | None
    manual: bool = False
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
    scope_corrected: Numbers
    spectrum_type: str
    detected_peaks: list[Peak]
    elements: list[Finding]
    molecules: list[Finding]
    constraint_mode: Literal["auto", "include", "exclude"]
    constrained_elements: list[str] | None
    spectral_metadata: dict[str, Any]
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


class LineList(Document):
    """Lines of an element, the strongest first."""

    element: str
    lines: list[Line]


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


class Trace(Document):
    """A line over time: columns of equal length."""

    device_name: str
    nm: float
    taken_at_us: list[int]
    wavelength_nm: Numbers
    intensity: Numbers
    area: Numbers


class Account(Slots):
    """One spectrometer in one hour, or one run of it."""

    device_name: str


class Ledger(Document):
    """Accounts, and their sum."""

    by: Literal["hour", "run"]
    now_utc: datetime
    since_utc: datetime | None
    accounts: list[Account]
    total: Slots
    unrecorded: dict[str, int]


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


class WatchedValue(Document):
    """A value of a trace: measured, not detected (then with an upper limit), saturated (a lower limit) or undefined."""

    taken_at_utc: datetime
    value: float | None
    sigma: float | None
    upper: float | None
    state: str


class TraceItem(Document):
    """A named trace on a spectrometer; ``refused`` says why it cannot be measured there."""

    name: str
    device: str
    kind: str
    unit: str
    definition: str
    refused: str
    notes: list[str]
    last: WatchedValue | None


class WatchEvent(Document):
    """A change of an alarm, or the decision of an endpoint rule."""

    at_utc: datetime
    kind: Literal["alarm", "endpoint"]
    name: str
    device: str
    to: str
    text: str | None


class Traces(Document):
    """All named traces; or, with a name, the columns of one."""

    traces: list[TraceItem] | None = None
    name: str | None = None
    device: str | None = None
    unit: str | None = None
    definition: str | None = None
    taken_at_utc: list[datetime] | None = None
    value: Numbers | None = None
    sigma: Numbers | None = None
    upper: Numbers | None = None
    state: list[str] | None = None
    run: list[int | None] | None = None
    runs: list[str] | None = None
    events: list[WatchEvent] | None = None


class AlarmDocument(Document):
    """An alarm; raised: on, and nobody has seen it; cleared: over, and nobody has seen it."""

    name: str
    device: str
    kind: str
    severity: Literal["warning", "critical"]
    level: Literal["good", "wait", "bad"]
    state: Literal["ok", "pending", "raised", "acknowledged", "cleared"]
    since_utc: datetime | None
    text: str
    value: float | None
    limit: float | None
    needs_acknowledge: bool


class EndpointDocument(Document):
    """An endpoint rule on a spectrometer."""

    name: str
    device: str
    trace: str
    rule: Literal["level", "slope", "cusum"]
    definition: str
    state: Literal["waiting", "learning", "watching", "reached", "refused"]
    at_utc: datetime | None
    run_id: str
    text: str
    false_alarm_in: float | None


class ActionDocument(Document):
    """What became of an action last."""

    name: str
    kind: str
    state: Literal["ok", "trying", "failed"]
    text: str
    last_at_utc: datetime | None


class Alarms(Document):
    """Alarms, endpoint rules and actions."""

    alarms: list[AlarmDocument]
    endpoints: list[EndpointDocument]
    actions: list[ActionDocument]


class WatchEvents(Document):
    """Events, the newest first."""

    events: list[WatchEvent]


class Acknowledged(Document):
    """Spectrometers whose alarm was waiting for somebody."""

    acknowledged: list[str]


class BackTest(Document):
    """What a rule decides in stored runs."""

    rule: dict[str, Any]
    runs: list[dict[str, Any]]
    false_alarm_in: float | None
    sentence: str


class RunComparison(Document):
    """Two runs, species by species."""

    run: str
    golden: str
    device: str
    aligned: dict[str, Any]
    species: list[dict[str, Any]]
    sentence: str
    times_s: list[float]
    series: dict[str, dict[str, Numbers]]
    notes: list[str]
