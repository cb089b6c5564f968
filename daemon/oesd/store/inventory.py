"""What there is, in short: spectrometers that ever measured, captures, and the verdicts on darks and references.

Lists go backwards in the order of storing (of judging); ``cursor`` is the number to go on before.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oesd.model import Kind
from oesd.store.database import Connection
from oesd.store.encoding import unpack_floats
from oesd.store.headings import HEADER, USUAL, head_or_none
from oesd.store.moments import from_us

_log = logging.getLogger(__name__)
_CAPTURE = f"c.record_id, c.kind, d.name, d.model, d.simulated, c.integration_us, c.taken_at_us, {HEADER}"


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A spectrometer as it described itself last; ``axis_nm`` has its first and its last wavelength."""

    name: str
    serial: str
    model: str
    simulated: bool
    pixels: int
    axis_nm: tuple[float, float]
    described: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CaptureSummary:
    """A capture without its counts; ``head`` has run, sequence, slot, scans, temperatures, labels; empty if damaged."""

    number: int
    record_id: str
    kind: Kind
    device_name: str
    model: str
    simulated: bool
    integration_us: int
    taken_at_utc: datetime
    head: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judged:
    """A dark or a reference and what became of it; see :class:`~oesd.store.verdicts.StoredVerdict`."""

    capture: CaptureSummary
    accepted: bool
    proven: bool
    reason: str
    judged_at_utc: datetime


def known_devices(connection: Connection) -> list[KnownDevice]:
    """Spectrometers in alphabetical order, each with its newest description; a damaged one is left out."""
    rows = connection.execute(
        "SELECT name, model, simulated, description, wavelengths FROM devices WHERE device_no IN "
        "(SELECT max(device_no) FROM devices GROUP BY name) ORDER BY name"
    )
    return [device for row in rows if (device := _device(*row)) is not None]


def list_captures(
    connection: Connection, limit: int, *, device_name: str = "", cursor: int | None = None
) -> list[CaptureSummary]:
    """Captures of every kind, the last stored first."""
    rows = connection.execute(
        f"SELECT c.capture_no, {_CAPTURE} FROM captures c JOIN devices d ON d.device_no = c.device_no "  # noqa: S608
        f"WHERE c.capture_no < :cursor {_of(device_name)} ORDER BY c.capture_no DESC LIMIT :limit",
        _values(limit, device_name, cursor),
    )
    return [_capture(*row) for row in rows]


def list_judged(
    connection: Connection, limit: int, kind: Kind, *, device_name: str = "", cursor: int | None = None
) -> list[Judged]:
    """Darks or references with their verdicts, the last judged first; ``number`` is that of the verdict."""
    rows = connection.execute(
        f"SELECT v.accepted, v.proven, v.reason, v.judged_at_us, v.verdict_no, {_CAPTURE} "  # noqa: S608
        "FROM verdicts v JOIN captures c ON c.capture_no = v.capture_no JOIN devices d ON d.device_no = c.device_no "
        f"WHERE v.verdict_no < :cursor AND v.kind = :kind {_of(device_name)} ORDER BY v.verdict_no DESC LIMIT :limit",
        {**_values(limit, device_name, cursor), "kind": kind.value},
    )
    return [
        Judged(_capture(*capture), bool(accepted), bool(proven), reason, from_us(judged_at_us))
        for accepted, proven, reason, judged_at_us, *capture in rows
    ]


def _of(device_name: str) -> str:
    return "AND d.name = :device_name" if device_name else ""


def _values(limit: int, device_name: str, cursor: int | None) -> dict[str, Any]:
    before = (1 << 62) if cursor is None else cursor
    return {"limit": limit, "cursor": before, **({"device_name": device_name} if device_name else {})}


def _device(name: str, model: str, simulated: int, description: str, wavelengths: bytes) -> KnownDevice | None:
    try:
        described, axis = json.loads(description), unpack_floats(wavelengths)
        ends = (float(axis[0]), float(axis[-1]))
        return KnownDevice(name, described["serial"], model, bool(simulated), len(axis), ends, described)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        _log.error("the description of device %r is damaged (%s): it is left out", name, error)
        return None


def _capture(number: int, *columns: Any) -> CaptureSummary:
    record_id, kind, name, model, simulated, integration_us, taken_at_us, *header = columns
    head = USUAL | head_or_none(*header)
    return CaptureSummary(
        number, record_id, Kind(kind), name, model, bool(simulated), integration_us, from_us(taken_at_us), head
    )
