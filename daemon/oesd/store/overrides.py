"""Rows of the overrides: what stands, what replaced what, and which are still to be sent."""

from __future__ import annotations

import sqlite3

from oesd.model import Override
from oesd.store.moments import from_us, to_us

_SELECT = (
    "SELECT peak_id, wavelength_nm, wavelength_sigma_nm, candidate_key, element, made_at_us "
    "FROM overrides JOIN entries USING (entry_no) WHERE data_id = ? "
)


def load_overrides(connection: sqlite3.Connection, data_id: str) -> list[Override]:
    """The overrides of an entry that stand, in the order they were made."""
    rows = connection.execute(_SELECT + "AND replaced_by IS NULL ORDER BY override_no", (data_id,))
    return [_override(data_id, *row) for row in rows]


def load_history(connection: sqlite3.Connection, data_id: str) -> list[Override]:
    """Every override that was ever made on an entry, in order, those replaced since included."""
    return [_override(data_id, *row) for row in connection.execute(_SELECT + "ORDER BY override_no", (data_id,))]


def insert_override(
    connection: sqlite3.Connection, entry_no: int, override: Override, replaced: Override | None
) -> None:
    """Insert an override, in place of one that stood for the same peak; due to be sent when the entry is uploaded."""
    number = connection.execute(
        "INSERT INTO overrides (entry_no, peak_id, wavelength_nm, wavelength_sigma_nm, candidate_key, element, "
        "made_at_us) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry_no,
            override.peak_id,
            override.wavelength_nm,
            override.wavelength_sigma_nm,
            override.candidate_key,
            override.element,
            to_us(override.made_at_utc),
        ),
    ).lastrowid
    if replaced is not None:
        _replace(connection, entry_no, replaced, int(number or 0))
    connection.execute(
        "INSERT INTO patches (override_no) SELECT ? WHERE EXISTS (SELECT 1 FROM outbox WHERE entry_no = ?)",
        (number, entry_no),
    )


def _replace(connection: sqlite3.Connection, entry_no: int, replaced: Override, number: int) -> None:
    old = connection.execute(
        "SELECT override_no FROM overrides WHERE entry_no = ? AND replaced_by IS NULL AND override_no < ? "
        "AND wavelength_nm = ? AND candidate_key = ? AND made_at_us = ?",
        (entry_no, number, replaced.wavelength_nm, replaced.candidate_key, to_us(replaced.made_at_utc)),
    ).fetchone()[0]
    connection.execute("UPDATE overrides SET replaced_by = ? WHERE override_no = ?", (number, old))
    connection.execute("UPDATE patches SET state = 'replaced' WHERE override_no = ? AND state = 'pending'", (old,))


def _override(data_id: str, peak_id: str, nm: float, sigma_nm: float, key: str, element: str, at_us: int) -> Override:
    return Override(data_id, peak_id, nm, sigma_nm, key, element, from_us(at_us))
