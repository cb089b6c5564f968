"""What others are told of an entry: its metadata, and the one file that it is forwarded as."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from oesd.formats import upload_name, write_columns, write_document
from oesd.processing.metadata import capture_metadata, choice_metadata, file_metadata
from oesd.store import Store, UnknownEntry
from oesd.version import __version__


@dataclass(frozen=True, slots=True)
class Rendered:
    """The one self-describing file that an entry is forwarded as, and the labels of its run."""

    name: str
    data: bytes
    sha256: str
    revision: int | None
    labels: Mapping[str, str]


def entry_metadata(store: Store, data_id: str) -> dict[str, Any]:
    """Build the ``spectral_metadata`` of an entry: of its capture, or what its file's header says."""
    entry = store.entry(data_id)
    sample = store.capture(entry.sample_id) if entry else None
    if entry is None or sample is None:
        spectrum = store.spectrum_file(data_id)
        return {} if spectrum is None else file_metadata(spectrum)
    modelled = store.library.modelled_dark(entry.dark_id)
    short = store.capture(entry.short_id) if entry.short_id else None
    taken = capture_metadata(sample, store.run(sample.run_id, sample.device.name), short)
    return {**taken, **choice_metadata(entry, modelled), "oesd_version": __version__}


def rendered(store: Store, data_id: str, form: Literal["columns", "json"]) -> Rendered:
    """Build the file of an entry from its latest result; the same state gives the same bytes.

    Raises
    ------
    UnknownEntry
        When there is none, or it is itself a file.
    """
    entry = store.entry(data_id)
    sample = store.capture(entry.sample_id) if entry else None
    if entry is None or sample is None:
        raise UnknownEntry(data_id)
    dark = store.library.dark(entry.dark_id)
    reference, short = (store.capture(r) if r else None for r in (entry.reference_id, entry.short_id))
    result = store.result(data_id)
    write = write_columns if form == "columns" else write_document
    run = store.run(sample.run_id, sample.device.name)
    data = write(entry, sample, dark, reference, result, short=short, run=run)
    revision = result.revision if result else None
    return Rendered(upload_name(sample, form), data, hashlib.sha256(data).hexdigest(), revision, sample.labels)
