"""What a result is made from: the captures, or the file, of its entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oesd.model import Entry, Measurement
from oesd.store.captures import load_capture, load_with_blobs
from oesd.store.database import Connection
from oesd.store.entries import load_entry
from oesd.store.files import load_spectrum
from oesd.store.integrity import damaged
from oesd.store.known_metadata import known_metadata
from oesd.store.modelled import load_dark
from oesd.store.segment_file import Blobs


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """What a result was made from; ``known`` is what capture and entry tell of its metadata.

    ``blobs`` are those of the sample, None of a file.
    """

    measurement: Measurement
    known: Mapping[str, Any]
    blobs: Blobs | None = None


def load_sources(connection: Connection, data_id: str) -> Sources | None:
    """All that the engine may know of an entry, None when there is no such entry.

    Raises
    ------
    StoreDamaged
        When a capture or the file of the entry is not what was stored.
    """
    entry = load_entry(connection, data_id)
    return None if entry is None else sources_of(connection, entry)


def sources_of(connection: Connection, entry: Entry) -> Sources:
    """The same of an entry that was read already, in this transaction."""
    found = load_with_blobs(connection, entry.sample_id)
    if found is not None:
        sample, blobs = found
        dark = load_dark(connection, entry.dark_id)
        others = (load_capture(connection, one) if one else None for one in (entry.reference_id, entry.short_id))
        return Sources(Measurement.from_captures(sample, dark, *others), known_metadata(entry, sample), blobs)
    spectrum = load_spectrum(connection, entry.data_id)
    if spectrum is None:
        raise damaged(f"entry {entry.data_id}")
    return Sources(spectrum.measurement, {})


def load_measurement(connection: Connection, data_id: str) -> Measurement | None:
    """The measurement alone; as :func:`load_sources`."""
    sources = load_sources(connection, data_id)
    return None if sources is None else sources.measurement
