"""Traces: the intensity at one wavelength over time, without opening a single result.

::

    result --note--> trace_tail   one row per spectrum: its peaks, 12 bytes each
                        |
                        | fold: 512 of one spectrometer at a time
                        v
              trace_blocks        when, by position in the block
              trace_lines         its peaks by stretches of 8 nm, as columns, compressed

An index over every peak would touch as many pages of the file as a spectrum has lines; a block touches few, and a
trace of days reads only the stretch that its line lies in. A spectrum that was analysed again stands in a later block,
or in the tail, and counts as it stands there. Spectra that are thinned away stay in the traces.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import Peak
from oesd.store.database import Connection
from oesd.store.encoding import EncodingError, from_planes, pack_bytes, planes, unpack_bytes
from oesd.store.integrity import damaged

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE trace_tail (                   -- not yet folded
    entry_no    INTEGER PRIMARY KEY,
    device_name TEXT NOT NULL,
    taken_at_us INTEGER NOT NULL,
    peaks       BLOB NOT NULL
) STRICT;
CREATE TABLE trace_blocks (
    block_no    INTEGER PRIMARY KEY,        -- order of folding
    device_name TEXT NOT NULL,
    first_us    INTEGER NOT NULL,
    last_us     INTEGER NOT NULL,
    spectra     BLOB NOT NULL               -- entry_no and taken_at_us of each
) STRICT;
CREATE INDEX trace_blocks_by_time ON trace_blocks (device_name, last_us);
CREATE TABLE trace_lines (
    block_no    INTEGER NOT NULL REFERENCES trace_blocks,
    stretch     INTEGER NOT NULL,           -- of 8 nm
    peaks       BLOB NOT NULL,
    PRIMARY KEY (block_no, stretch)
) STRICT, WITHOUT ROWID;
"""

BLOCK = 512
_LOOK_EVERY = 64
_GOLDEN = 2654435769  # 2**32 over the golden ratio (Knuth, The Art of Computer Programming 3, 6.4)
_STRETCH_NM = 8.0
_DROPPED = 24 - 16
PEAK = np.dtype([("milli_nm", "<i4"), ("intensity", "<f4"), ("area", "<f4")])
LINE = np.dtype([("at", "<u2"), *((name, PEAK[name].str) for name in PEAK.names or ())])
SPECTRUM = np.dtype([("entry_no", "<i8"), ("taken_at_us", "<i8")])
Rows = NDArray[Any]


def pack_points(peaks: Sequence[Peak]) -> bytes:
    """The peaks of a result as a trace keeps them: thousandths of a nm, seven digits of intensity and area."""
    rows = np.zeros(len(peaks), PEAK)
    rows["milli_nm"] = np.rint([1000.0 * peak.wavelength_nm for peak in peaks])
    with np.errstate(over="ignore"):
        rows["intensity"] = [peak.intensity for peak in peaks]
        rows["area"] = [peak.area for peak in peaks]
    return rows.tobytes()


def note(connection: Connection, entry_no: int, points: bytes) -> None:
    """Take the peaks of an entry's latest result into the traces, in place of those of an earlier one."""
    row = connection.execute("SELECT device_name, taken_at_us FROM entries WHERE entry_no = ?", (entry_no,)).fetchone()
    connection.execute(
        "INSERT INTO trace_tail VALUES (?, ?, ?, ?) ON CONFLICT (entry_no) DO UPDATE SET peaks = excluded.peaks",
        (entry_no, *row, points),
    )
    if now_and_then(entry_no, _LOOK_EVERY):
        _fold_full(connection, row[0])


def now_and_then(number: int, every: int) -> bool:
    """Whether a number is one of so many; of every second or third number, too, one of so many is.

    Spectrometers that measure in step have every second or third one: of multiples of 64 one would never have any.
    """
    return (number * _GOLDEN & 0xFFFFFFFF) < (1 << 32) // every


def _fold_full(connection: Connection, device_name: str) -> None:
    query = "SELECT entry_no, taken_at_us, peaks FROM trace_tail WHERE device_name = ? ORDER BY entry_no LIMIT ?"
    rows = connection.execute(query, (device_name, BLOCK)).fetchall()
    if len(rows) < BLOCK:
        return
    whole = whole_rows(rows, PEAK)
    tell_left_out(f"traces of {device_name}", len(rows) - len(whole))
    if whole:
        _fold(connection, device_name, whole)
    connection.executemany("DELETE FROM trace_tail WHERE entry_no = ?", [(row[0],) for row in rows])


def whole_rows(rows: Iterable[tuple[Any, ...]], form: np.dtype[Any]) -> list[tuple[Any, ...]]:
    """Rows of a tail that can be read: the others are damaged, and take nothing else with them."""
    return [row for row in rows if not len(row[-1]) % form.itemsize]


def tell_left_out(what: str, number: int) -> None:
    """Log that rows of a tail are let go as they are damaged: nothing would be folded any more because of them."""
    if number:
        log.error("%d spectra are left out of the %s: what is on the disk is not what was stored", number, what)


def check_tail(connection: Connection, entry_no: int, device_name: str) -> bool | None:
    """Whether a row of the tail is there; raises StoreDamaged when it cannot be read."""
    row = connection.execute("SELECT peaks FROM trace_tail WHERE entry_no = ?", (entry_no,)).fetchone()
    if row is None:
        return None
    if not whole_rows([row], PEAK):
        raise damaged(f"the row of entry {entry_no} in the traces of {device_name}")
    return True


def _fold(connection: Connection, device_name: str, rows: Sequence[tuple[int, int, bytes]]) -> None:
    spectra = np.array([row[:2] for row in rows], dtype="<i8")
    lines = _lines(rows)
    times = spectra[:, 1]
    (block_no,) = connection.execute(
        "INSERT INTO trace_blocks (device_name, first_us, last_us, spectra) VALUES (?, ?, ?, ?) RETURNING block_no",
        (device_name, int(times.min()), int(times.max()), pack_rows(spectra.view(SPECTRUM).reshape(-1))),
    ).fetchone()
    stretches = stretch_of(lines["milli_nm"])
    connection.executemany(
        "INSERT INTO trace_lines VALUES (?, ?, ?)",
        [(block_no, int(s), pack_rows(lines[stretches == s])) for s in np.unique(stretches)],
    )


def _lines(rows: Sequence[tuple[int, int, bytes]]) -> Rows:
    together = np.frombuffer(b"".join([row[2] for row in rows]), PEAK)
    lines = np.empty(len(together), LINE)
    lines["at"] = np.repeat(np.arange(len(rows), dtype="<u2"), [len(row[2]) // PEAK.itemsize for row in rows])
    lines["milli_nm"] = together["milli_nm"]
    for name in ("intensity", "area"):
        lines[name] = _shortened(together[name])
    return lines


def _shortened(values: NDArray[Any]) -> NDArray[np.float32]:
    """Rounded to 16 significant bits, 1 part in 130,000: a 16-bit converter tells no line better than that."""
    bits = np.ascontiguousarray(values).view("<u4")
    even = (1 << (_DROPPED - 1)) - 1 + (bits >> _DROPPED & 1)  # ties to even
    rounded = ((bits + even) >> _DROPPED << _DROPPED).view("<f4")
    return np.where(np.isfinite(values), rounded, values).astype("<f4")


def stretch_of(milli_nm: NDArray[Any]) -> NDArray[np.int64]:
    """Number of the stretch that each wavelength lies in."""
    return np.floor_divide(milli_nm.astype(np.int64), round(1000 * _STRETCH_NM))


def pack_rows(rows: Rows) -> bytes:
    """Rows as columns in byte planes, one zstd frame with a checksum; integers as differences."""
    columns = []
    for name in rows.dtype.names or ():
        column = np.ascontiguousarray(rows[name])
        columns.append(planes(np.diff(column, prepend=column.dtype.type(0)) if column.dtype.kind != "f" else column))
    return pack_bytes(b"".join(columns))


def unpack_rows(packed: bytes, form: np.dtype[Any]) -> Rows:
    """Inverse of :func:`pack_rows`; EncodingError when the bytes are no such rows."""
    data = unpack_bytes(packed)
    count, rest = divmod(len(data), form.itemsize)
    if rest:
        raise EncodingError("columns of another length")
    rows = np.empty(count, form)
    start = 0
    for name in form.names or ():
        size = form[name].itemsize * count
        column = from_planes(data[start : start + size], form[name].str, count)
        rows[name] = np.cumsum(column, dtype=form[name]) if form[name].kind != "f" else column
        start += size
    return rows
