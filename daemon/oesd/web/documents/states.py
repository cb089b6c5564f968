"""How the daemon and its spectrometers are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from oesd.web.documents.entries import EntrySummary
from oesd.web.documents.said import Document


class Health(Document):
    """200 when it is well, 503 when it is not."""

    healthy: bool


class Session(Document):
    """How long the cookie is good."""

    lasts_s: int


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


class AlarmsInShort(Document):
    """Alarms that are on or wait for a person, and actions that failed; `worst` colours them."""

    raised: int = 0
    unacknowledged: int = 0
    worst: str = "good"
    text: str = ""
    standing: list[dict[str, Any]] = Field(default_factory=list)
    failed: list[dict[str, Any]] = Field(default_factory=list)


class Status(Document):
    """Everything at a glance."""

    version: str = ""
    uptime_s: float = 0.0
    healthy: bool = False
    simulated: bool = False
    spectrometers: list[Spectrometer] = Field(default_factory=list)
    tally: dict[str, Any] = Field(default_factory=dict)
    alarms: AlarmsInShort | None = None


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
    nonlinearity: list[float] | None = Field(
        None, description="polynomial in net counts, lowest first, that these are divided by; empty where it tells none"
    )
    stray_light: list[float] | None = Field(None, description="coefficients of the device; empty where it tells none")


class Devices(Document):
    """All of them; `problems` says where on USB something is wrong."""

    devices: list[Device]
    problems: dict[str, str]
