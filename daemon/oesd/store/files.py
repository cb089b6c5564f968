"""Files as entries of their own: the bytes as they came, and the spectrum that was read from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np

from oesd.model import Measurement, Quantity, SpectrumFile
from oesd.store.bundle import pack_bundle, unpack_bundle
from oesd.store.database import Connection
from oesd.store.encoding import pack_bytes, pack_floats, pack_mask, unpack_bytes, unpack_floats, unpack_mask
from oesd.store.entries import add_entry
from oesd.store.errors import StoreError
from oesd.store.headings import heading_number, heading_text
from oesd.store.integrity import damaged, fingerprint, intact, verify
from oesd.store.moments import to_us

_ARRAYS = ("wavelengths_nm", "sample", "dark", "reference", "short", "short_dark", "dark_variance")
_MASKS = ("saturated", "short_saturated", "reference_saturated")
_NUMBERS = (
    "integration_us", "scans", "boxcar_half_width_px", "saturation_counts", "nonlinearity", "electric_dark_pixels",
    "short_integration_us", "dark_scans", "dark_integration_us", "reference_scans", "dead_pixels",
    "stray_light", "quantity",
)  # fmt: skip
_SEVERAL = ("nonlinearity", "electric_dark_pixels", "dead_pixels", "stray_light")
_NAME_LENGTH = 64
_LABEL_LENGTH, _MOST_LABELS = 200, 16
_RUN, _LABEL = "Run ID", "Label "  # as oesd's own forms write them


@dataclass(frozen=True, slots=True, eq=False)
class StoredFile:
    """A file as it came.

    Attributes
    ----------
    filename : str
        As the sender called it: foreign text, never to be used as a path.
    sha256 : str
        Hex, of ``data``; verified when read.
    """

    data_id: str
    filename: str
    format: str
    record_id: str
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PackedFile:
    """A file ready to be inserted."""

    data_id: str
    entry: Mapping[str, Any]
    heading: str
    columns: Mapping[str, Any]


def pack_file(data_id: str, spectrum: SpectrumFile, data: bytes, filename: str, now: datetime) -> PackedFile:
    """Encode a file and the spectrum read from it."""
    packed = pack_spectrum(spectrum)
    columns = {
        "filename": _whole(filename),
        "format": spectrum.format,
        "record_id": spectrum.record_id,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "spectrum_sha256": fingerprint(packed),
        "spectrum": packed,
        "data": pack_bytes(data),
    }
    return PackedFile(data_id, _entry_columns(spectrum.metadata, now), _heading(spectrum.metadata), columns)


def insert_file(connection: Connection, packed: PackedFile) -> None:
    """Insert a file as an entry that waits to be processed; the same file under the same id twice is once.

    Raises
    ------
    StoreError
        When another entry has this id.
    """
    present = connection.execute(
        "SELECT f.sha256 FROM entries LEFT JOIN files f USING (entry_no) WHERE data_id = ?", (packed.data_id,)
    ).fetchone()
    if present is None:
        heading_no = heading_number(connection, packed.heading) if packed.heading else None
        number = add_entry(connection, data_id=packed.data_id, heading_no=heading_no, **packed.entry)
        connection.execute(
            "INSERT INTO files (entry_no, filename, format, record_id, size_bytes, sha256, spectrum_sha256, spectrum, "
            "data) VALUES (:entry_no, :filename, :format, :record_id, :size_bytes, :sha256, :spectrum_sha256, "
            ":spectrum, :data)",
            {"entry_no": number, **packed.columns},
        )
    elif present[0] != packed.columns["sha256"]:
        raise StoreError(f"another entry is stored as {packed.data_id}")


def import_file(connection: Connection, packed: PackedFile) -> str | None:
    """Insert a file unless the archive has it; returns the entry that has its bytes, or the capture of its record."""
    there = connection.execute(
        "SELECT data_id FROM files JOIN entries USING (entry_no) WHERE sha256 = :sha256 "
        "UNION ALL SELECT data_id FROM captures JOIN entries ON sample_no = capture_no "
        "WHERE captures.record_id = :record_id",
        packed.columns,
    ).fetchone()
    if there is not None:
        return str(there[0])
    insert_file(connection, packed)
    return None


def load_file(connection: Connection, data_id: str) -> StoredFile | None:
    """The file of an entry, None when there is none.

    Raises
    ------
    StoreDamaged
        When its bytes are not those that were stored.
    """
    row = connection.execute(
        "SELECT filename, format, record_id, sha256, data FROM files JOIN entries USING (entry_no) WHERE data_id = ?",
        (data_id,),
    ).fetchone()
    if row is None:
        return None
    filename, form, record_id, sha256, packed = row
    with intact(f"file of entry {data_id}"):
        data = unpack_bytes(packed)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise damaged(f"file of entry {data_id}")
        return StoredFile(data_id, filename, form, record_id, sha256, data)


def load_spectrum(connection: Connection, data_id: str) -> SpectrumFile | None:
    """The spectrum that was read from an entry's file; damaged ones raise as in :func:`load_file`."""
    row = connection.execute(
        "SELECT format, record_id, spectrum_sha256, spectrum FROM files JOIN entries USING (entry_no) "
        "WHERE data_id = ?",
        (data_id,),
    ).fetchone()
    if row is None:
        return None
    what = f"spectrum of entry {data_id}"
    with intact(what):
        verify(what, row[2], row[3])
        return unpack_spectrum(row[0], row[1], row[3])


def pack_spectrum(spectrum: SpectrumFile) -> bytes:
    """Encode the spectrum that was read from a file."""
    measured = spectrum.measurement
    arrays = {name: getattr(measured, name) for name in _ARRAYS} | {
        "processed": spectrum.processed,
        "spread": spectrum.spread,
    }
    blobs = {name: pack_floats(np.asarray(array, np.float64)) for name, array in arrays.items() if array is not None}
    masks = {name: getattr(measured, name) for name in _MASKS}
    blobs |= {name: pack_mask(mask) for name, mask in masks.items() if mask is not None}
    values = {name: getattr(measured, name) for name in _NUMBERS}
    return pack_bundle({"numbers": values, "metadata": dict(spectrum.metadata), "warnings": spectrum.warnings}, blobs)


def unpack_spectrum(form: str, record_id: str, packed: bytes) -> SpectrumFile:
    """Inverse of :func:`pack_spectrum`; ValueError, KeyError or TypeError for bytes that make no sense."""
    values, blobs = unpack_bundle(packed)
    arrays = {name: unpack_floats(blobs[name]) for name in (*_ARRAYS, "processed", "spread") if name in blobs}
    processed, spread = arrays.pop("processed", None), arrays.get("spread")
    return SpectrumFile(
        format=form,
        measurement=_measurement(arrays, {name: blobs[name] for name in _MASKS if name in blobs}, values["numbers"]),
        processed=processed,
        metadata=values["metadata"],
        record_id=record_id,
        warnings=tuple(values["warnings"]),
        spread=None if spread is None else spread.astype(np.float32),
    )


def _measurement(arrays: dict[str, Any], packed: dict[str, bytes], numbers: dict[str, Any]) -> Measurement:
    masks: dict[str, Any] = {name: unpack_mask(mask, len(arrays["sample"])) for name, mask in packed.items()}
    several = {name: tuple(numbers.get(name, ())) for name in _SEVERAL}  # older files lack the later ones
    quantity = Quantity(numbers.get("quantity", Quantity.COUNTS))
    return Measurement(**masks, **arrays, **{**numbers, **several, "quantity": quantity})


def _entry_columns(metadata: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """What a list shows of a file, as far as its header tells."""
    return {
        "dark_reason": "",
        "reference_reason": "",
        "created_at_us": to_us(now),
        "taken_at_us": to_us(_taken_at(metadata) or now),
        "device_name": device_told(metadata),
        "model": _first(metadata, "model"),
        "simulated": int(_first(metadata, "simulated").lower() in ("true", "yes", "1")),
    }


def _heading(metadata: Mapping[str, str]) -> str:
    """The heading of a file that tells its run or labels, "" for any other."""
    metadata = {_whole(name): _whole(text) for name, text in metadata.items()}
    labels = {
        name.removeprefix(_LABEL)[:_NAME_LENGTH]: text[:_LABEL_LENGTH]
        for name, text in islice(((n, t) for n, t in metadata.items() if n.startswith(_LABEL)), _MOST_LABELS)
    }
    run_id = metadata.get(_RUN, "")[:_NAME_LENGTH]
    return heading_text(run_id, labels) if run_id or labels else ""


def device_told(metadata: Mapping[str, Any]) -> str:
    """The spectrometer that a file's header names; "" when it names none."""
    return _first(metadata, "device_name", "device", "serial")


def _first(metadata: Mapping[str, str], *names: str) -> str:
    return next((_whole(str(metadata[name]))[:_NAME_LENGTH] for name in names if name in metadata), "")


def _whole(text: str) -> str:
    """Foreign text as UTF-8 can say it: a byte of a file's name that is none stands there as its number."""
    return text.encode("utf-8", "backslashreplace").decode()


def _taken_at(metadata: Mapping[str, str]) -> datetime | None:
    """The moment in the header; a local time without a zone is taken as UTC rather than thrown away."""
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(_first(metadata, "taken_at_utc", "taken_at"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return None
