"""Entries of a store as sheets: what the forms of export write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from oesd.formats.parts import Parts
from oesd.formats.sheet import Sheet, entry_sheet, file_sheet
from oesd.store.captures import load_capture
from oesd.store.database import Connection
from oesd.store.entries import load_entry
from oesd.store.files import load_spectrum
from oesd.store.modelled import load_dark
from oesd.store.reading import Reading
from oesd.store.results import load_result
from oesd.store.runs import load_run


def sheets_of(store: Reading, data_ids: Iterable[str]) -> Iterator[Sheet]:
    """Sheets of entries, one at a time, each from one consistent state; those that are gone are left out.

    Raises
    ------
    StoreDamaged
        When a part of an entry is not what was stored.
    """
    for data_id in data_ids:
        sheet = sheet_of(store, data_id)
        if sheet is not None:
            yield sheet


def sheet_of(store: Reading, data_id: str) -> Sheet | None:
    """Sheet of an entry with its latest result, choices by hand applied; None when there is no such entry."""
    return store.read(lambda connection: _load(connection, data_id))


def _load(connection: Connection, data_id: str) -> Sheet | None:
    entry = load_entry(connection, data_id)
    if entry is None:
        return None
    result = load_result(connection, data_id, None)
    sample = load_capture(connection, entry.sample_id)
    if sample is None:
        spectrum = load_spectrum(connection, data_id)
        return None if spectrum is None else file_sheet(spectrum, data_id, result)
    reference, short = (load_capture(connection, r) if r else None for r in (entry.reference_id, entry.short_id))
    dark = load_dark(connection, entry.dark_id)
    run = load_run(connection, sample.run_id, sample.device.name)
    return entry_sheet(Parts(entry, sample, dark, reference, short, result, run))
