"""Rows of the dark statistics: one for each cell, so that a dark rewrites one or two of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from oesd.model import FloatArray, MaskArray
from oesd.store.database import Connection
from oesd.store.encoding import pack_floats, pack_mask, unpack_floats, unpack_mask
from oesd.store.errors import StoreDamaged
from oesd.store.integrity import damaged, fingerprint, intact, verify
from oesd.store.verdicts import LibraryKey

CELLS_APART = 1 << 32
"""What the key of a cell is made with: more than a library ever has cells."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class StoredCell:
    """Darks of like exposure, summed.

    Attributes
    ----------
    number : int
        Its name among the cells of the spectrometer.
    numbers : (n,) float64
        What the statistics keep beside the arrays.
    counts_sum : (pixels,) float64
    left_out : (pixels,) bool
    """

    number: int
    numbers: FloatArray
    counts_sum: FloatArray
    left_out: MaskArray


@dataclass(frozen=True, slots=True)
class PackedCell:
    """A cell ready to be written."""

    number: int
    sha256: bytes
    numbers: bytes
    counts_sum: bytes
    left_out: bytes


def pack_cell(cell: StoredCell) -> PackedCell:
    """Encode a cell."""
    parts = pack_floats(cell.numbers), pack_floats(cell.counts_sum), pack_mask(cell.left_out)
    return PackedCell(cell.number, fingerprint(cell.number, *parts), *parts)


def put(connection: Connection, library_no: int, cells: Sequence[PackedCell], gone: Sequence[int]) -> None:
    """Write the cells that changed and delete those that are no more."""
    connection.executemany(
        "DELETE FROM dark_cells WHERE library_no = ? AND cell = ?", [(library_no, number) for number in gone]
    )
    connection.executemany(
        "INSERT INTO dark_cells VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (library_no, cell) DO UPDATE SET "
        "sha256 = excluded.sha256, numbers = excluded.numbers, counts_sum = excluded.counts_sum, "
        "left_out = excluded.left_out",
        [(library_no, cell.number, cell.sha256, cell.numbers, cell.counts_sum, cell.left_out) for cell in cells],
    )


def clear(connection: Connection, library_no: int) -> None:
    """Delete all cells of a library."""
    connection.execute("DELETE FROM dark_cells WHERE library_no = ?", (library_no,))


def load(connection: Connection, key: LibraryKey) -> list[StoredCell]:
    """The cells of a library, a damaged one left out: it costs the darks in it, not the others."""
    rows = connection.execute(
        "SELECT cell, sha256, numbers, counts_sum, left_out FROM dark_cells JOIN libraries USING (library_no) "
        "WHERE serial = ? AND model = ? AND pixels = ? AND simulated = ? ORDER BY cell",
        (key.serial, key.model, key.pixels, key.simulated),
    )
    cells = []
    for row in rows:
        try:
            cells.append(_unpacked(key, *row))
        except StoreDamaged as error:
            _log.error("%s; it is left out", error)
    return cells


def load_cell(connection: Connection, library_no: int, number: int) -> StoredCell | None:
    """A cell by its library and its number; None when there is none.

    Raises
    ------
    StoreDamaged
        When what is on the disk is not what was stored.
    """
    found = connection.execute(
        "SELECT serial, model, pixels, simulated, cell, sha256, numbers, counts_sum, left_out "
        "FROM dark_cells JOIN libraries USING (library_no) WHERE library_no = ? AND cell = ?",
        (library_no, number),
    ).fetchone()
    if found is None:
        return None
    serial, model, pixels, simulated, *cell = found
    return _unpacked(LibraryKey(serial, model, pixels, bool(simulated)), *cell)


def _unpacked(
    key: LibraryKey, number: int, sha256: bytes, numbers: bytes, counts_sum: bytes, left_out: bytes
) -> StoredCell:
    what = f"cell {number} of the dark statistics of {key.serial!r}"
    with intact(what):
        verify(what, sha256, number, numbers, counts_sum, left_out)
        cell = StoredCell(number, unpack_floats(numbers), unpack_floats(counts_sum), unpack_mask(left_out, key.pixels))
    if cell.counts_sum.shape != (key.pixels,):
        raise damaged(what)
    return cell
