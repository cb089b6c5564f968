"""Traces, alarms and endpoint rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from oesd.web.documents.said import Document, Numbers


class Trace(Document):
    """A line over time: columns of equal length."""

    device_name: str
    nm: float
    taken_at_us: list[int]
    wavelength_nm: Numbers
    intensity: Numbers
    area: Numbers


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
    """A change of an alarm, or the decision of an endpoint rule; no time where the disk has damaged it."""

    at_utc: datetime | None
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
