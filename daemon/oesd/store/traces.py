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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray, Peak
from oesd.store.database import Connection
from oesd.store.encoding import EncodingError, from_planes, pack_bytes, planes, unpack_bytes
from oesd.store.errors import StoreDamaged
from oesd.store.integrity import intact
from oesd.store.moments import to_us

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
_EVER_US = 1 << 62
_LOOK_EVERY = 64
_STRETCH_NM = 8.0
_PEAK = np.dtype([("milli_nm", "<i4"), ("intensity", "<f4"), ("area", "<f4")])
_LINE = np.dtype([("at", "<u2"), *((name, _PEAK[name].str) for name in _PEAK.names or ())])
_SPECTRUM = np.dtype([("entry_no", "<i8"), ("taken_at_us", "<i8")])
Rows = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What became of one line, in the order of time.

    Attributes
    ----------
    taken_at_us : (n,) int64
        Microseconds of UTC since 1970, of every spectrum with a result in the interval.
    wavelength_nm, intensity, area : (n,) float64
        Of the peak nearest to the wavelength asked for, counts and counts nm; NaN where no peak was found near it.
    """

    taken_at_us: NDArray[np.int64]
    wavelength_nm: FloatArray
    intensity: FloatArray
    area: FloatArray


def pack_points(peaks: Sequence[Peak]) -> bytes:
    """The peaks of a result as a trace keeps them: thousandths of a nm, seven digits of intensity and area."""
    rows = np.zeros(len(peaks), _PEAK)
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
    if entry_no % _LOOK_EVERY == 0:
        _fold_full(connection, row[0])


def _fold_full(connection: Connection, device_name: str) -> None:
    query = "SELECT entry_no, taken_at_us, peaks FROM trace_tail WHERE device_name = ? ORDER BY entry_no LIMIT ?"
    rows = connection.execute(query, (device_name, BLOCK)).fetchall()
    if len(rows) < BLOCK:
        return
    _fold(connection, device_name, rows)
    connection.executemany("DELETE FROM trace_tail WHERE entry_no = ?", [(row[0],) for row in rows])


def _fold(connection: Connection, device_name: str, rows: Sequence[tuple[int, int, bytes]]) -> None:
    spectra = np.array([row[:2] for row in rows], dtype="<i8")
    lines = _lines(rows)
    times = spectra[:, 1]
    (block_no,) = connection.execute(
        "INSERT INTO trace_blocks (device_name, first_us, last_us, spectra) VALUES (?, ?, ?, ?) RETURNING block_no",
        (device_name, int(times.min()), int(times.max()), pack_rows(spectra.view(_SPECTRUM).reshape(-1))),
    ).fetchone()
    stretches = _stretch(lines["milli_nm"])
    connection.executemany(
        "INSERT INTO trace_lines VALUES (?, ?, ?)",
        [(block_no, int(s), pack_rows(lines[stretches == s])) for s in np.unique(stretches)],
    )


def _lines(rows: Sequence[tuple[int, int, bytes]]) -> Rows:
    together = np.frombuffer(b"".join([row[2] for row in rows]), _PEAK)
    lines = np.empty(len(together), _LINE)
    lines["at"] = np.repeat(np.arange(len(rows), dtype="<u2"), [len(row[2]) // _PEAK.itemsize for row in rows])
    for name in _PEAK.names or ():
        lines[name] = together[name]
    return lines


def _stretch(milli_nm: NDArray[Any]) -> NDArray[np.int64]:
    return np.floor_divide(milli_nm.astype(np.int64), round(1000 * _STRETCH_NM))


def load_trace(
    connection: Connection,
    device_name: str,
    wavelength_nm: float,
    tolerance_nm: float,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Trace:
    """A line of a spectrometer over an interval; None leaves an end of it open.

    Raises
    ------
    StoreDamaged
        When a block is not what was stored.
    """
    since_us, until_us = (
        default if at is None else to_us(at) for at, default in ((since, -_EVER_US), (until, _EVER_US))
    )
    low, high = 1000 * (wavelength_nm - tolerance_nm), 1000 * (wavelength_nm + tolerance_nm)
    parts = [*_blocks(connection, device_name, (low, high), since_us, until_us)]
    parts.append(_tail(connection, device_name, since_us, until_us))
    parts = [(spectra, lines[(lines["milli_nm"] >= low) & (lines["milli_nm"] <= high)]) for spectra, lines in parts]
    spectra = np.concatenate([part[0] for part in parts])
    offsets = np.cumsum([0, *(len(part[0]) for part in parts[:-1])])
    at = np.concatenate([part[1]["at"].astype(np.int64) + offset for part, offset in zip(parts, offsets, strict=True)])
    lines = np.concatenate([part[1] for part in parts])
    return _traced(spectra, at, lines, 1000 * wavelength_nm, (since_us, until_us))


def _traced(spectra: Rows, at: NDArray[np.int64], lines: Rows, wanted: float, when: tuple[int, int]) -> Trace:
    """The nearest peak of each spectrum, of each spectrum as it stands last."""
    columns = np.full((3, len(spectra)), np.nan)
    order = np.argsort(-np.abs(lines["milli_nm"] - wanted), kind="stable")  # the nearest is written last
    columns[0, at[order]] = lines["milli_nm"][order] / 1000.0
    columns[1, at[order]] = lines["intensity"][order]
    columns[2, at[order]] = lines["area"][order]
    _, last = np.unique(spectra["entry_no"][::-1], return_index=True)
    kept = len(spectra) - 1 - last
    times = spectra["taken_at_us"][kept]
    kept = kept[(times >= when[0]) & (times <= when[1])]
    kept = kept[np.argsort(spectra["taken_at_us"][kept], kind="stable")]
    return Trace(spectra["taken_at_us"][kept].astype(np.int64), *columns[:, kept])


def _blocks(
    connection: Connection, device_name: str, near: tuple[float, float], since_us: int, until_us: int
) -> Iterator[tuple[Rows, Rows]]:
    first, last = (int(s) for s in _stretch(np.array([np.floor(near[0]), np.ceil(near[1])])))
    blocks = connection.execute(
        "SELECT block_no, spectra FROM trace_blocks WHERE device_name = ? AND last_us >= ? AND first_us <= ? "
        "ORDER BY block_no",
        (device_name, since_us, until_us),
    )
    query = "SELECT peaks FROM trace_lines WHERE block_no = ? AND stretch BETWEEN ? AND ? ORDER BY stretch"
    for number, spectra in blocks.fetchall():
        with intact(f"block {number} of the traces of {device_name}"):
            found = connection.execute(query, (number, first, last))
            yield (
                unpack_rows(spectra, _SPECTRUM),
                np.concatenate([_NONE, *(unpack_rows(row[0], _LINE) for row in found)]),
            )


def read_block(connection: Connection, number: int, device_name: str) -> None:
    """Read a block with all its lines; StoreDamaged when it is not what was stored."""
    with intact(f"block {number} of the traces of {device_name}"):
        rows = connection.execute("SELECT spectra FROM trace_blocks WHERE block_no = ?", (number,)).fetchall()
        spectra = sum(len(unpack_rows(row[0], _SPECTRUM)) for row in rows)
        for (peaks,) in connection.execute("SELECT peaks FROM trace_lines WHERE block_no = ?", (number,)):
            if (unpack_rows(peaks, _LINE)["at"] >= spectra).any():
                raise EncodingError("a line of no spectrum")


_NONE = np.zeros(0, _LINE)


def _tail(connection: Connection, device_name: str, since_us: int, until_us: int) -> tuple[Rows, Rows]:
    rows = connection.execute(
        "SELECT entry_no, taken_at_us, peaks FROM trace_tail WHERE device_name = ? "
        "AND taken_at_us BETWEEN ? AND ? ORDER BY entry_no",
        (device_name, since_us, until_us),
    ).fetchall()
    if any(len(row[2]) % _PEAK.itemsize for row in rows):
        raise StoreDamaged(
            f"the newest of the traces of {device_name} are damaged: what is there is not what was stored"
        )
    spectra = np.array([row[:2] for row in rows], dtype="<i8").reshape(-1, 2)
    return np.ascontiguousarray(spectra).view(_SPECTRUM).reshape(-1), _lines(rows)


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
