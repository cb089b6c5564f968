"""What a sheet's header says in the terms that other forms have fields for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from oesd.formats.description import LABEL
from oesd.formats.file_sheet import OF_FILE


@dataclass(frozen=True, slots=True)
class About:
    """Foreign text is as it is; "", None and 1 scan stand for what is not told."""

    data_id: str
    device_name: str
    model: str
    serial: str
    run_id: str
    taken_at_utc: datetime | None
    integration_us: int | None
    scans: int
    simulated: bool
    labels: Mapping[str, str]

    @property
    def title(self) -> str:
        """One line for a person."""
        when = f" {self.taken_at_utc:%Y-%m-%d %H:%M:%S} UTC" if self.taken_at_utc else ""
        return f"{self.device_name or self.serial or 'spectrum'}{when}{' SIMULATED' if self.simulated else ''}"


def about(header: Mapping[str, str]) -> About:
    """What the header of an entry, or of an entry that came as a file, says."""

    def told(line: str, *names: str) -> str:
        return next((header[key] for key in (line, *(OF_FILE + name for name in names)) if key in header), "")

    label, of_file = LABEL, OF_FILE + LABEL
    labels = {
        name.removeprefix(start): text
        for start in (of_file, label)
        for name, text in header.items()
        if name.startswith(start)
    }
    return About(
        data_id=told("Data ID"),
        device_name=told("Device Name", "device_name", "device", "serial"),
        model=told("Model", "model"),
        serial=told("Serial Number", "serial"),
        run_id=told("Run ID", "Run ID"),
        taken_at_utc=_moment(told("Taken At (UTC)", "taken_at_utc", "taken_at")),
        integration_us=_whole(told("Integration (usec)", "integration_us")),
        scans=_whole(told("Scans", "scans")) or 1,
        simulated=told("Simulated", "simulated").lower() in ("yes", "true", "1"),
        labels=labels,
    )


def _moment(text: str) -> datetime | None:
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    return None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None
