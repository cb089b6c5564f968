"""Runs, golden ones, and what became of every slot."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from oesd.web.documents.said import Document, Numbers, Slots


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
    golden: bool


class RunList(Document):
    """The runs, and what is ordered by whom."""

    now_utc: datetime
    standing: dict[str, Any]
    ordered: dict[str, Any]
    runs: list[Run]


class GoldenRun(Document):
    """A run that others are compared with, and since when."""

    run_id: str
    at_utc: datetime


class GoldenSpectrum(Document):
    """A spectrum that others are laid beside, and since when."""

    data_id: str
    taken_at_utc: datetime
    at_utc: datetime


class Golden(Document):
    """What people call golden, by spectrometer."""

    runs: dict[str, GoldenRun]
    spectra: dict[str, GoldenSpectrum]


class RunLabels(Document):
    """All labels of a run from now on, by spectrometer."""

    run_id: str
    labels: dict[str, dict[str, str]]


class RunAnswer(Document):
    """A sentence for each spectrometer."""

    action: str
    spectrometers: dict[str, str]


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
