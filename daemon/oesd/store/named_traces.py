"""Named traces: values with their errors, of every result, written with it.

::

    result --note--> named_tail        one row per result, in the order of storing: all its readings, 13 bytes each
                        |
                        | fold: 512 of one spectrometer at a time; the newest 64 stay
                        v
              named_blocks             entry, revision, run and times of each, by position in the block
              named_columns            the readings of one trace, as columns, compressed

A spectrum that was analysed again has another row: what a trace shows is the last one, what was decided live went by
the first (``revision`` 1), and both are kept. Spectra that are thinned away stay in the traces. A trace is known by its
name *and* definition: another formula under the same name is another trace.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.store.database import Connection
from oesd.store.headings import HEADER, head_of
from oesd.store.integrity import damaged
from oesd.store.traces import now_and_then, pack_rows, tell_left_out, whole_rows

SCHEMA = """
CREATE TABLE named_traces (
    trace_no    INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    definition  TEXT NOT NULL,
    unit        TEXT NOT NULL,
    UNIQUE (name, definition)
) STRICT;
CREATE TABLE named_tail (                   -- not yet folded
    order_no    INTEGER PRIMARY KEY,        -- order of storing, never used twice: the newest row always stays here
    entry_no    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    device_name TEXT NOT NULL,
    taken_at_us INTEGER NOT NULL,
    run_no      INTEGER NOT NULL,           -- 0 outside of a run
    run_us      INTEGER NOT NULL,           -- since the run began, on the monotonic clock
    readings    BLOB NOT NULL
) STRICT;
CREATE INDEX named_tail_by_device ON named_tail (device_name, order_no);
CREATE TABLE named_blocks (
    block_no    INTEGER PRIMARY KEY,        -- order of folding
    device_name TEXT NOT NULL,
    last_order  INTEGER NOT NULL,
    first_us    INTEGER NOT NULL,
    last_us     INTEGER NOT NULL,
    first_run   INTEGER NOT NULL,
    last_run    INTEGER NOT NULL,
    spectra     BLOB NOT NULL
) STRICT;
CREATE INDEX named_blocks_by_time ON named_blocks (device_name, last_us);
CREATE INDEX named_blocks_by_order ON named_blocks (last_order);
CREATE TABLE named_columns (
    block_no    INTEGER NOT NULL REFERENCES named_blocks,
    trace_no    INTEGER NOT NULL REFERENCES named_traces,
    readings    BLOB NOT NULL,
    PRIMARY KEY (block_no, trace_no)
) STRICT, WITHOUT ROWID;
"""

BLOCK, KEPT = 512, 64
READING = np.dtype([("trace_no", "<u4"), ("value", "<f4"), ("sigma", "<f4"), ("state", "<u1")])
COLUMN = np.dtype([("at", "<u2"), ("value", "<f4"), ("sigma", "<f4"), ("state", "<u1")])
SPECTRUM = np.dtype(
    [
        *(("order_no", "<i8"), ("entry_no", "<i8"), ("revision", "<i4")),
        *(("taken_at_us", "<i8"), ("run_no", "<i8"), ("run_us", "<i8")),
    ]
)
_REVISIONS, _LAST_NUMBER = range(1, 1 << 31), (1 << 32) - 1
FIELDS = ", ".join(SPECTRUM.names or ())
Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class NamedTrace:
    """A trace as it is known to the store."""

    trace_no: int
    name: str
    definition: str
    unit: str


@dataclass(frozen=True, slots=True, eq=False)
class NamedSeries:
    """Values of one trace of one spectrometer; arrays (n,).

    Attributes
    ----------
    order_no, taken_at_us, run_no, run_us : int64
        Order of storing; us of UTC; the run (0 for none) and us since it began.
    value, sigma : float64
        As stored, to seven digits; NaN where undefined.
    state : uint8
        0 measured, 1 not detected, 2 saturated, 3 undefined.
    """

    order_no: NDArray[np.int64]
    taken_at_us: NDArray[np.int64]
    run_no: NDArray[np.int64]
    run_us: NDArray[np.int64]
    value: FloatArray
    sigma: FloatArray
    state: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.order_no)


@dataclass(frozen=True, slots=True, eq=False)
class NamedRow:
    """All readings of one result: trace number to value, sigma and state."""

    order_no: int
    entry_no: int
    revision: int
    device_name: str
    taken_at_us: int
    run_no: int
    run_us: int
    readings: Mapping[int, tuple[float, float, int]]


def pack_readings(readings: Iterable[tuple[int, float, float, int]]) -> bytes:
    """Trace number, value, sigma and state of each reading, as a row of the tail keeps them: seven digits.

    A number that is none, as only a damaged disk gives one to a trace, costs that trace its values and no other.
    """
    with np.errstate(over="ignore"):
        return np.array([one for one in readings if 0 < one[0] <= _LAST_NUMBER], dtype=READING).tobytes()


def note_readings(connection: Connection, entry_no: int, revision: int, readings: bytes) -> None:
    """Take the readings of a result into the traces; to be called in the transaction that stores it."""
    device_name, taken_at_us, sample_no = connection.execute(
        "SELECT device_name, taken_at_us, sample_no FROM entries WHERE entry_no = ?", (entry_no,)
    ).fetchone()
    run_no, run_us = _place_in_run(connection, device_name, sample_no)
    (order_no,) = connection.execute(
        "INSERT INTO named_tail (entry_no, revision, device_name, taken_at_us, run_no, run_us, readings) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING order_no",
        (entry_no, revision, device_name, taken_at_us, run_no, run_us, readings),
    ).fetchone()
    if now_and_then(order_no, KEPT):
        _fold_full(connection, device_name)


def _place_in_run(connection: Connection, device_name: str, sample_no: int | None) -> tuple[int, int]:
    """Number of the run that a sample belongs to, and when in it it was taken; zeros outside of one."""
    header = connection.execute(f"SELECT {HEADER} FROM captures c WHERE capture_no = ?", (sample_no,)).fetchone()  # noqa: S608
    values = {} if header is None else head_of(*header)
    run_id, monotonic_ns = values.get("run_id", ""), values.get("monotonic_ns", 0)
    row = connection.execute(
        "SELECT run_no, monotonic_ns FROM runs WHERE run_id = ? AND device_name = ?", (run_id, device_name)
    ).fetchone()
    return (0, 0) if row is None else (int(row[0]), (monotonic_ns - int(row[1])) // 1000)


def _fold_full(connection: Connection, device_name: str) -> None:
    rows = connection.execute(
        f"SELECT {FIELDS}, readings FROM named_tail WHERE device_name = ? ORDER BY order_no LIMIT ?",  # noqa: S608
        (device_name, BLOCK + KEPT),
    ).fetchall()
    if len(rows) < BLOCK + KEPT:
        return
    rows = rows[:BLOCK]
    whole = readable(rows)
    tell_left_out(f"named traces of {device_name}", len(rows) - len(whole))
    if whole:
        _fold(connection, device_name, whole)
    connection.executemany("DELETE FROM named_tail WHERE order_no = ?", [(row[0],) for row in rows])


def _fold(connection: Connection, device_name: str, rows: Sequence[tuple[Any, ...]]) -> None:
    spectra = np.array([tuple(row[:-1]) for row in rows], dtype=SPECTRUM)
    runs = spectra["run_no"][spectra["run_no"] > 0]
    (block_no,) = connection.execute(
        "INSERT INTO named_blocks (device_name, last_order, first_us, last_us, first_run, last_run, spectra) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING block_no",
        (
            device_name,
            int(spectra["order_no"].max()),
            int(spectra["taken_at_us"].min()),
            int(spectra["taken_at_us"].max()),
            int(runs.min(initial=1 << 31)),
            int(runs.max(initial=0)),
            pack_rows(spectra),
        ),
    ).fetchone()
    at, readings = flat([row[-1] for row in rows])
    known = [trace_no for (trace_no,) in connection.execute("SELECT trace_no FROM named_traces").fetchall()]
    connection.executemany(
        "INSERT INTO named_columns VALUES (?, ?, ?)",
        [
            (block_no, int(trace_no), pack_rows(column_of(at[mine], readings[mine])))
            for trace_no in np.intersect1d(readings["trace_no"], known)  # any other number was damaged
            for mine in [readings["trace_no"] == trace_no]
        ],
    )


def readable(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of the tail, :data:`FIELDS` and readings, that can be read: the others are damaged."""
    revision = (SPECTRUM.names or ()).index("revision")
    return [row for row in whole_rows(rows, READING) if row[revision] in _REVISIONS]


def check_tail(connection: Connection, order_no: int, device_name: str) -> bool | None:
    """Whether a row of the tail is there; raises StoreDamaged when it cannot be read."""
    query = f"SELECT {FIELDS}, readings FROM named_tail WHERE order_no = ?"  # noqa: S608  (fixed texts)
    row = connection.execute(query, (order_no,)).fetchone()
    if row is None:
        return None
    if not readable([row]):
        raise damaged(f"row {order_no} in the named traces of {device_name}")
    return True


def flat(blobs: Sequence[bytes]) -> tuple[NDArray[np.int64], Rows]:
    """Readings of several rows one after the other, and the row of each."""
    sizes = [len(blob) for blob in blobs]
    readings = np.frombuffer(b"".join(blobs), READING)
    return np.repeat(np.arange(len(blobs)), [size // READING.itemsize for size in sizes]), readings


def column_of(at: NDArray[np.int64], readings: Rows) -> Rows:
    """Readings of one trace with the rows that they belong to."""
    column = np.empty(len(readings), COLUMN)
    column["at"] = at
    for name in ("value", "sigma", "state"):
        column[name] = readings[name]
    return column
