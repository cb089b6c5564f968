"""What others are told of an entry: its metadata, and the one file that it is forwarded as."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from oesd.formats import upload_name, write_columns, write_document
from oesd.processing.metadata import capture_metadata, choice_metadata, file_metadata
from oesd.store import Store, StoreDamaged, UnknownEntry
from oesd.version import __version__

T = TypeVar("T")


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

    A dark that is damaged on the disk belongs to a day of spectra: they go without it, and say so, as without a damaged
    reference; without a damaged second exposure or result, too. What cannot be measured again is the sample.

    Raises
    ------
    UnknownEntry
        When there is none, or it is itself a file.
    """
    entry = store.entry(data_id)
    sample = store.capture(entry.sample_id) if entry else None
    if entry is None or sample is None:
        raise UnknownEntry(data_id)
    dark, no_dark = _intact(lambda: store.library.dark(entry.dark_id))
    reference, no_reference = _intact(lambda: store.capture(entry.reference_id) if entry.reference_id else None)
    short, no_short = _intact(lambda: store.capture(entry.short_id) if entry.short_id else None)
    result, _ = _intact(lambda: store.result(data_id))
    told = replace(
        entry,
        dark_id=None if no_dark else entry.dark_id,
        dark_reason=no_dark or entry.dark_reason,
        reference_id=None if no_reference else entry.reference_id,
        reference_reason=no_reference or entry.reference_reason,
        short_id=None if no_short else entry.short_id,
    )
    write = write_columns if form == "columns" else write_document
    run = store.run(sample.run_id, sample.device.name)
    data = write(told, sample, dark, reference, result, short=short, run=run)
    revision = result.revision if result else None
    return Rendered(upload_name(sample, form), data, hashlib.sha256(data).hexdigest(), revision, sample.labels)


def _intact(load: Callable[[], T]) -> tuple[T | None, str]:
    """What is loaded, or None and why it cannot be."""
    try:
        return load(), ""
    except StoreDamaged as damage:
        return None, str(damage)
