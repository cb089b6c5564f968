"""Named traces read: a trace over time, a run as it was seen live, and what is new for who follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oesd.store.database import Connection, Database
from oesd.store.integrity import damaged, intact
from oesd.store.moments import to_us
from oesd.store.named_traces import (
    COLUMN,
    FIELDS,
    SPECTRUM,
    NamedRow,
    NamedSeries,
    NamedTrace,
    Rows,
    column_of,
    flat,
    readable,
)
from oesd.store.traces import unpack_rows

_EVER_US = 1 << 62


class NamedReading:
    """Questions to the named traces of a store, or of one that another process writes.

    Parameters
    ----------
    reader : Store or Onlooker
        Whatever reads the tables: its ``read`` is used.
    """

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def traces(self) -> list[NamedTrace]:
        """Every trace that was ever stored, the first first."""
        rows = self._reader.read(
            lambda db: db.execute(
                "SELECT trace_no, name, definition, unit FROM named_traces ORDER BY trace_no"
            ).fetchall()
        )
        return [NamedTrace(*row) for row in rows]

    def find(self, name: str, definition: str | None = None) -> NamedTrace | None:
        """The trace of a name, the newest definition unless one is given."""
        found = [one for one in self.traces() if one.name == name and definition in (None, one.definition)]
        return found[-1] if found else None

    def devices(self) -> list[str]:
        """Names of the spectrometers that have values, in order."""
        rows = self._reader.read(
            lambda db: db.execute(
                "SELECT device_name FROM named_blocks UNION SELECT device_name FROM named_tail ORDER BY device_name"
            ).fetchall()
        )
        return [row[0] for row in rows]

    def series(
        self, trace_no: int, device_name: str, since: datetime | None = None, until: datetime | None = None
    ) -> NamedSeries:
        """A trace over an interval in the order of time, of each spectrum as it was analysed last.

        Raises
        ------
        StoreDamaged
            When a block is not what was stored.
        """
        when = (-_EVER_US if since is None else to_us(since), _EVER_US if until is None else to_us(until))
        return self._reader.read(lambda db: _series(db, trace_no, device_name, when))  # type: ignore[no-any-return]

    def of_run(self, trace_no: int, device_name: str, run_no: int) -> NamedSeries:
        """A trace in one run as it was seen live: the first result of each spectrum, in the order of storing."""
        return self._reader.read(lambda db: _of_run(db, trace_no, device_name, run_no))  # type: ignore[no-any-return]

    def pieces_of_run(self, trace_no: int, device_name: str, run_no: int) -> Iterator[NamedSeries]:
        """The same piece by piece, each of its own state: however long the run, little of it is held at once."""
        order_no: int | None = 0
        while order_no is not None:
            query = partial(_next_of_run, place=(trace_no, device_name, run_no), after=order_no)
            order_no, piece = self._reader.read(query)
            if len(piece):
                yield piece

    def rows_after(self, order_no: int, limit: int = 512) -> list[NamedRow]:
        """What was stored after a row, in the order of storing; every spectrometer."""
        return self._reader.read(lambda db: _rows_after(db, order_no, limit))  # type: ignore[no-any-return]

    def newest_order(self) -> int:
        """The last row that was stored; 0 when there is none."""
        query = "SELECT coalesce(max(order_no), 0) FROM named_tail"
        return int(self._reader.read(lambda db: db.execute(query).fetchone()[0]))

    def first_of_newest_run(self, device_name: str) -> int | None:
        """The first row of the run that a spectrometer was in last; None when it was in none."""
        return self._reader.read(lambda db: _first_of_newest_run(db, device_name))  # type: ignore[no-any-return]

    def run_number(self, run_id: str, device_name: str) -> int:
        """Number of a run of a spectrometer; 0 when it is not known."""
        query = "SELECT run_no FROM runs WHERE run_id = ? AND device_name = ?"
        row = self._reader.read(lambda db: db.execute(query, (run_id, device_name)).fetchone())
        return 0 if row is None else int(row[0])

    def run_ids(self, numbers: Iterable[int]) -> dict[int, str]:
        """Identities of runs by their numbers."""
        wanted = sorted(set(numbers))
        query = "SELECT run_id FROM runs WHERE run_no = ?"
        found = self._reader.read(lambda db: [(number, db.execute(query, (number,)).fetchone()) for number in wanted])
        return {number: row[0] for number, row in found if row is not None}


class NamedTraces(NamedReading):
    """The named traces of a store that is ours.

    Parameters
    ----------
    database : Store
    """

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._database = database

    def register(self, traces: Sequence[tuple[str, str, str]]) -> dict[str, int]:
        """Make traces of name, definition and unit known; returns their numbers by name. Durable when it returns.

        Where all are known nothing is written: a daemon starts with a full disk, too.
        """
        known = {(one.name, one.definition): one.trace_no for one in self.traces()}
        if all((name, text) in known for name, text, _ in traces):
            return {name: known[name, text] for name, text, _ in traces}

        def insert(connection: Connection) -> dict[str, int]:
            connection.executemany(
                "INSERT INTO named_traces (name, definition, unit) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", traces
            )
            query = "SELECT trace_no FROM named_traces WHERE name = ? AND definition = ?"
            return {name: int(connection.execute(query, (name, text)).fetchone()[0]) for name, text, _ in traces}

        return self._database.write(insert).result()


def _series(connection: Connection, trace_no: int, device_name: str, when: tuple[int, int]) -> NamedSeries:
    blocks = connection.execute(
        "SELECT block_no, spectra FROM named_blocks WHERE device_name = ? AND last_us >= ? AND first_us <= ? "
        "ORDER BY block_no",
        (device_name, *when),
    ).fetchall()
    parts = [*_of_blocks(connection, trace_no, device_name, blocks), _of_tail(connection, trace_no, device_name)]
    spectra, column = _joined(parts)
    _, last = np.unique(spectra["entry_no"][::-1], return_index=True)
    kept = len(spectra) - 1 - last
    times = spectra["taken_at_us"][kept]
    kept = kept[(times >= when[0]) & (times <= when[1])]
    return _as_series(spectra, column, kept[np.argsort(spectra["taken_at_us"][kept], kind="stable")])


def _of_run(connection: Connection, trace_no: int, device_name: str, run_no: int) -> NamedSeries:
    blocks = connection.execute(
        "SELECT block_no, spectra FROM named_blocks WHERE device_name = ? AND last_run >= ? AND first_run <= ? "
        "ORDER BY block_no",
        (device_name, run_no, run_no),
    ).fetchall()
    parts = [_live_part(*part, run_no) for part in _of_blocks(connection, trace_no, device_name, blocks)]
    parts.append(_live_part(*_of_tail(connection, trace_no, device_name), run_no))
    columns = {one.name: np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(NamedSeries)}
    order = np.argsort(columns["order_no"], kind="stable")
    return NamedSeries(**{name: column[order] for name, column in columns.items()})


def _next_of_run(connection: Connection, place: tuple[int, str, int], after: int) -> tuple[int | None, NamedSeries]:
    """What a run has of a trace in the next block, and that block's last row; None with the tail, which comes last."""
    trace_no, device_name, run_no = place
    block = connection.execute(
        "SELECT last_order, block_no, spectra FROM named_blocks INDEXED BY named_blocks_by_order "
        "WHERE device_name = ? AND last_run >= ? AND first_run <= ? AND last_order > ? ORDER BY last_order LIMIT 1",
        (device_name, run_no, run_no, after),
    ).fetchone()
    if block is None:
        return None, _live_part(*_of_tail(connection, trace_no, device_name), run_no)
    found = [_live_part(*part, run_no) for part in _of_blocks(connection, trace_no, device_name, [block[1:]])]
    return block[0], found[0] if found else _live_part(np.zeros(0, SPECTRUM), np.zeros(0, COLUMN), run_no)


def _live_part(spectra: Rows, column: Rows, run_no: int) -> NamedSeries:
    """What is of a run, of first results alone."""
    mine = np.flatnonzero((spectra["run_no"] == run_no) & (spectra["revision"] == 1))
    return _as_series(spectra, column, mine[np.argsort(spectra["order_no"][mine], kind="stable")])


def _of_blocks(
    connection: Connection, trace_no: int, device_name: str, blocks: Sequence[tuple[int, bytes]]
) -> Iterator[tuple[Rows, Rows]]:
    """Spectra of blocks that have the trace, with its readings."""
    for number, packed in blocks:
        with intact(f"block {number} of the named traces of {device_name}"):
            row = connection.execute(
                "SELECT readings FROM named_columns WHERE block_no = ? AND trace_no = ?", (number, trace_no)
            ).fetchone()
            if row is not None:
                spectra, column = unpack_rows(packed, SPECTRUM), unpack_rows(row[0], COLUMN)
                yield spectra[column["at"].astype(np.int64)], column


def _of_tail(connection: Connection, trace_no: int, device_name: str) -> tuple[Rows, Rows]:
    rows = connection.execute(
        f"SELECT {FIELDS}, readings FROM named_tail WHERE device_name = ? ORDER BY order_no",  # noqa: S608
        (device_name,),
    ).fetchall()
    rows = readable(rows)
    spectra = np.array([tuple(row[:-1]) for row in rows], dtype=SPECTRUM)
    at, readings = flat([row[-1] for row in rows])
    mine = readings["trace_no"] == trace_no
    return spectra[at[mine]], column_of(np.zeros(int(mine.sum()), np.int64), readings[mine])


def _joined(parts: Sequence[tuple[Rows, Rows]]) -> tuple[Rows, Rows]:
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _as_series(spectra: Rows, column: Rows, chosen: NDArray[np.int64]) -> NamedSeries:
    spectra, column = spectra[chosen], column[chosen]
    return NamedSeries(
        order_no=spectra["order_no"].astype(np.int64),
        taken_at_us=spectra["taken_at_us"].astype(np.int64),
        run_no=spectra["run_no"].astype(np.int64),
        run_us=spectra["run_us"].astype(np.int64),
        value=column["value"].astype(np.float64),
        sigma=column["sigma"].astype(np.float64),
        state=column["state"],
    )


def _first_of_newest_run(connection: Connection, device_name: str) -> int | None:
    query = "SELECT run_no FROM named_tail WHERE device_name = ? ORDER BY order_no DESC LIMIT 1"
    (run_no,) = connection.execute(query, (device_name,)).fetchone() or (0,)
    if not run_no:
        return None
    blocks = connection.execute(
        "SELECT block_no, spectra FROM named_blocks WHERE device_name = ? AND last_run >= ? AND first_run <= ? "
        "ORDER BY block_no",
        (device_name, run_no, run_no),
    )
    for number, packed in blocks:  # nearly always the first of them
        with intact(f"block {number} of the named traces of {device_name}"):
            spectra = unpack_rows(packed, SPECTRUM)
        mine = spectra["order_no"][spectra["run_no"] == run_no]
        if len(mine):
            return int(mine.min())
    query = "SELECT min(order_no) FROM named_tail WHERE device_name = ? AND run_no = ?"
    return int(connection.execute(query, (device_name, run_no)).fetchone()[0])


# DISTINCT would go through the whole index, which grows for years: this jumps from name to name.
_BLOCK_DEVICES = """
    WITH RECURSIVE names (name) AS (
        SELECT min(device_name) FROM named_blocks
        UNION ALL
        SELECT (SELECT min(device_name) FROM named_blocks WHERE device_name > name) FROM names WHERE name IS NOT NULL
    )
    SELECT name FROM names WHERE name IS NOT NULL
"""


def _rows_after(connection: Connection, order_no: int, limit: int) -> list[NamedRow]:
    """The next rows, of blocks and of the tail: a slow follower finds what was folded meanwhile.

    Of each spectrometer only its next block is read, so that a row costs the same however many lie before it; rows
    that another block of one may precede wait for that block.
    """
    found: list[NamedRow] = []
    complete_to = _EVER_US
    for (device_name,) in connection.execute(_BLOCK_DEVICES).fetchall():
        blocks = connection.execute(
            "SELECT block_no, last_order, spectra FROM named_blocks INDEXED BY named_blocks_by_order "
            "WHERE last_order > ? AND device_name = ? ORDER BY last_order LIMIT 2",
            (order_no, device_name),
        ).fetchall()
        for number, last_order, packed in blocks[:1]:
            found += (row for row in _rows_of_block(connection, number, device_name, packed) if row.order_no > order_no)
            complete_to = min(complete_to, last_order) if len(blocks) > 1 else complete_to
    tail = connection.execute(
        f"SELECT device_name, {FIELDS}, readings FROM named_tail WHERE order_no > ? "  # noqa: S608
        "ORDER BY order_no LIMIT ?",
        (order_no, limit),
    ).fetchall()
    for row in tail:
        if not readable([row[1:]]):
            continue
        device_name, *spectrum, blob = row
        _, readings = flat([blob])
        found.append(_row(device_name, spectrum, {int(n): (v, s, c) for n, v, s, c in readings.tolist()}))
    return sorted((row for row in found if row.order_no <= complete_to), key=lambda row: row.order_no)[:limit]


def _rows_of_block(connection: Connection, number: int, device_name: str, packed: bytes) -> list[NamedRow]:
    with intact(f"block {number} of the named traces of {device_name}"):
        spectra = unpack_rows(packed, SPECTRUM)
        readings: list[dict[int, tuple[float, float, int]]] = [{} for _ in spectra]
        columns = connection.execute("SELECT trace_no, readings FROM named_columns WHERE block_no = ?", (number,))
        for trace_no, blob in columns.fetchall():
            for at, value, sigma, state in unpack_rows(blob, COLUMN).tolist():
                readings[at][trace_no] = (value, sigma, state)
    return [_row(device_name, row, told) for row, told in zip(spectra.tolist(), readings, strict=True)]


def _row(device_name: str, spectrum: Sequence[int], readings: Mapping[int, tuple[float, float, int]]) -> NamedRow:
    order_no, entry_no, revision, taken_at_us, run_no, run_us = spectrum
    return NamedRow(order_no, entry_no, revision, device_name, taken_at_us, run_no, run_us, readings)


def read_named_block(connection: Connection, number: int, device_name: str) -> None:
    """Read a block with all its columns; StoreDamaged when it is not what was stored."""
    row = connection.execute("SELECT spectra FROM named_blocks WHERE block_no = ?", (number,)).fetchone()
    if row is not None and not _rows_of_block(connection, number, device_name, row[0]):
        raise damaged(f"block {number} of the named traces of {device_name}")
