"""Rows of modelled darks: predictions as they were used, never changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from oesd.model import Capture, ModelledDark
from oesd.store.captures import load_capture
from oesd.store.database import Connection
from oesd.store.encoding import pack_floats, pack_mask, pack_milli, unpack_floats, unpack_mask, unpack_milli
from oesd.store.integrity import fingerprint, intact, verify
from oesd.store.moments import from_us, to_us
from oesd.store.verdicts import LibraryKey, library_number

_KEPT = "record_id, integration_us, temperature_c, darks, last_dark_id, version, made_at_us"


@dataclass(frozen=True, slots=True)
class PackedModelled:
    """A modelled dark ready to be inserted: its columns in the table's order, those of its library apart."""

    key: LibraryKey
    kept: tuple[str | int | float | None, ...]
    arrays: tuple[bytes, bytes, bytes]
    sha256: bytes


def pack_modelled(dark: ModelledDark) -> PackedModelled:
    """Encode a modelled dark and fingerprint it."""
    kept = (
        dark.record_id, dark.integration_us, dark.temperature_c, dark.darks, dark.last_dark_id, dark.version,
        to_us(dark.made_at_utc),
    )  # fmt: skip
    key = LibraryKey(dark.serial, dark.device_model, dark.pixels, dark.simulated)
    arrays = pack_milli(dark.counts), pack_floats(dark.sigma.astype(np.float64)), pack_mask(dark.saturated)
    return PackedModelled(key, kept, arrays, fingerprint(*kept, *_names(key), *arrays))


def insert_modelled(connection: Connection, packed: PackedModelled) -> None:
    """Insert a modelled dark; one that is there already, by its id, stays as it is."""
    if modelled_number(connection, str(packed.kept[0])) is not None:
        return
    connection.execute(
        f"INSERT INTO modelled_darks ({_KEPT}, library_no, sha256, counts, sigma, saturated) "  # noqa: S608
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*packed.kept, library_number(connection, packed.key), packed.sha256, *packed.arrays),
    )


def modelled_number(connection: Connection, record_id: str | None) -> int | None:
    """Number of a modelled dark, None when there is none with this id."""
    row = connection.execute("SELECT modelled_no FROM modelled_darks WHERE record_id = ?", (record_id,)).fetchone()
    return None if row is None else int(row[0])


def load_modelled(connection: Connection, record_id: str | None) -> ModelledDark | None:
    """A modelled dark by its id, None when there is none.

    Raises
    ------
    StoreDamaged
        When what is on the disk is not what was stored.
    """
    row = connection.execute(
        f"SELECT {_KEPT}, sha256, counts, sigma, saturated, serial, model, pixels, simulated "  # noqa: S608
        "FROM modelled_darks JOIN libraries USING (library_no) WHERE record_id = ?",
        (record_id,),
    ).fetchone()
    return None if row is None else _unpacked(row)


def load_dark(connection: Connection, record_id: str | None) -> Capture | ModelledDark | None:
    """The dark of an entry, taken or modelled; None when there is none with this id.

    Raises
    ------
    StoreDamaged
        When what is on the disk is not what was stored.
    """
    if record_id is None:
        return None
    return load_capture(connection, record_id) or load_modelled(connection, record_id)


def _unpacked(row: tuple[Any, ...]) -> ModelledDark:
    kept, (sha256, counts, sigma, saturated), (serial, model, pixels, simulated) = row[:7], row[7:11], row[11:]
    record_id, integration_us, temperature_c, darks, last_dark_id, version, made_at_us = kept
    key = LibraryKey(serial, model, pixels, bool(simulated))
    what = f"modelled dark {record_id}"
    with intact(what):
        verify(what, sha256, *kept, *_names(key), counts, sigma, saturated)
        return ModelledDark(
            record_id=record_id,
            serial=serial,
            device_model=model,
            simulated=key.simulated,
            integration_us=integration_us,
            temperature_c=temperature_c,
            counts=unpack_milli(counts),
            sigma=unpack_floats(sigma).astype(np.float32),
            saturated=unpack_mask(saturated, pixels),
            darks=darks,
            last_dark_id=last_dark_id,
            version=version,
            made_at_utc=from_us(made_at_us),
        )


def _names(key: LibraryKey) -> tuple[str, str, int, int]:
    return key.serial, key.model, key.pixels, int(key.simulated)
