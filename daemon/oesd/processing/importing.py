"""Files of other software into the archive, each once."""

from __future__ import annotations

from dataclasses import dataclass

from oesd.formats import read_spectrum
from oesd.model import new_id
from oesd.store import Store

LONGEST_NAME = 255


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: the entry that holds it, and whether it was made now."""

    data_id: str
    new: bool


def import_file(store: Store, data: bytes, filename: str) -> Imported:
    """Store a file as an entry, unless the archive has its bytes, or the capture that it was written from.

    Parameters
    ----------
    filename : str
        Foreign text: kept to be shown, never used as a path.

    Raises
    ------
    FormatError
        When it is no spectrum that is read; one line.
    StoreError
        When it cannot be stored.
    """
    data_id = new_id()
    spectrum = read_spectrum(data, filename)
    there = store.import_file(data_id, spectrum, data, filename[-LONGEST_NAME:]).result()
    return Imported(there or data_id, there is None)
