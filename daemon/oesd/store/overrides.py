"""Rows of the overrides: what stands, what replaced what, and which are still to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from oesd.model import Override
from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us

_SELECT = (
    "SELECT peak_id, wavelength_nm, wavelength_sigma_nm, candidate_key, element, made_at_us "
    "FROM overrides JOIN entries USING (entry_no) WHERE data_id = ? "
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What persons said of an entry's peaks.

    Attributes
    ----------
    standing : sequence of Override
    last_utc : datetime or None
        When one was made, replaced or taken back last: later than any that stands, when that was taken back.
    """

    standing: Sequence[Override]
    last_utc: datetime | None


def load_spoken(connection: Connection, data_id: str) -> Spoken:
    """What persons said of an entry's peaks, and when last."""
    made_us, ended_us = connection.execute(
        "SELECT max(made_at_us), max(ended_at_us) FROM overrides JOIN entries USING (entry_no) WHERE data_id = ?",
        (data_id,),
    ).fetchone()
    if made_us is None:
        return Spoken((), None)
    return Spoken(load_overrides(connection, data_id), from_us(max(made_us, ended_us or made_us)))


def load_overrides(connection: Connection, data_id: str) -> list[Override]:
    """The overrides of an entry that stand, in the order they were made."""
    rows = connection.execute(_SELECT + "AND replaced_by IS NULL ORDER BY override_no", (data_id,))
    return [_override(data_id, *row) for row in rows]


def load_history(connection: Connection, data_id: str) -> list[Override]:
    """Every override that was ever made on an entry, in order, those replaced since included."""
    return [_override(data_id, *row) for row in connection.execute(_SELECT + "ORDER BY override_no", (data_id,))]


def insert_override(connection: Connection, entry_no: int, override: Override, replaced: Override | None) -> None:
    """Insert an override, in place of one that stood for the same peak; due to be sent when the entry is uploaded."""
    (number,) = connection.execute(
        "INSERT INTO overrides (entry_no, peak_id, wavelength_nm, wavelength_sigma_nm, candidate_key, element, "
        "made_at_us) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING override_no",
        (
            entry_no,
            override.peak_id,
            override.wavelength_nm,
            override.wavelength_sigma_nm,
            override.candidate_key,
            override.element,
            to_us(override.made_at_utc),
        ),
    ).fetchone()
    if replaced is not None:
        _replace(connection, entry_no, replaced, number, override.made_at_utc)
    connection.execute(
        "INSERT INTO patches (override_no) SELECT ? WHERE EXISTS (SELECT 1 FROM outbox WHERE entry_no = ?)",
        (number, entry_no),
    )


def clear_override(connection: Connection, entry_no: int, standing: Override, now: datetime) -> None:
    """Take back an override: replaced by itself, it stands no more, and the history still has it.

    What was not sent yet will not be. The API has no call to take back what it was told.
    """
    _replace(connection, entry_no, standing, None, now)


def _replace(connection: Connection, entry_no: int, replaced: Override, number: int | None, now: datetime) -> None:
    """Let an override stand no more; ``number`` is that of the one in its place, None for none."""
    old = connection.execute(
        "SELECT override_no FROM overrides WHERE entry_no = ? AND replaced_by IS NULL AND override_no < ? "
        "AND wavelength_nm = ? AND candidate_key = ? AND made_at_us = ?",
        (entry_no, number or 1 << 62, replaced.wavelength_nm, replaced.candidate_key, to_us(replaced.made_at_utc)),
    ).fetchone()[0]
    number = number or old
    connection.execute(
        "UPDATE overrides SET replaced_by = ?, ended_at_us = ? WHERE override_no = ?", (number, to_us(now), old)
    )
    connection.execute("UPDATE patches SET state = 'replaced' WHERE override_no = ? AND state = 'pending'", (old,))


def _override(data_id: str, peak_id: str, nm: float, sigma_nm: float, key: str, element: str, at_us: int) -> Override:
    return Override(data_id, peak_id, nm, sigma_nm, key, element, from_us(at_us))
