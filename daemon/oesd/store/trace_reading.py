"""Reading traces: one line of a spectrometer over time, from the blocks that may have it and the tail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.store.database import Connection
from oesd.store.encoding import EncodingError, from_planes, unpack_bytes
from oesd.store.integrity import intact
from oesd.store.moments import to_us
from oesd.store.traces import LINE, PEAK, SPECTRUM, stretch_of, unpack_rows, whole_rows

_EVER_US = 1 << 62


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
    near = 1000 * (wavelength_nm - tolerance_nm), 1000 * (wavelength_nm + tolerance_nm)
    parts = [*_blocks(connection, device_name, near, since_us, until_us)]
    parts.append(_tail(connection, device_name, near, since_us, until_us))
    starts = np.cumsum([0, *(len(spectra[0]) for spectra, _ in parts[:-1])])
    spectra = np.concatenate([spectra for spectra, _ in parts], axis=1)
    at = np.concatenate([lines.at + start for (_, lines), start in zip(parts, starts, strict=True)])
    lines = _Lines(at, *(np.concatenate(column) for column in zip(*(lines[1:] for _, lines in parts), strict=True)))
    return _traced(spectra, lines, 1000 * wavelength_nm, (since_us, until_us))


class _Lines(NamedTuple):
    """Peaks near a wavelength, as columns: which spectrum of a part has it, and its numbers."""

    at: NDArray[np.int64]
    milli_nm: NDArray[np.int32]
    intensity: NDArray[np.float32]
    area: NDArray[np.float32]


Part = tuple[NDArray[np.int64], _Lines]
"""Number and time of each spectrum, (2, spectra); and lines of them."""


def _traced(spectra: NDArray[np.int64], lines: _Lines, wanted: float, when: tuple[int, int]) -> Trace:
    """The nearest peak of each spectrum, of each spectrum as it stands last."""
    columns = np.full((3, spectra.shape[1]), np.nan)
    order = np.argsort(-np.abs(lines.milli_nm - wanted), kind="stable")  # the nearest is written last
    at = lines.at[order]
    columns[0, at] = lines.milli_nm[order] / 1000.0
    columns[1, at] = lines.intensity[order]
    columns[2, at] = lines.area[order]
    numbers, times = spectra
    kept = np.arange(len(numbers)) if _ascends(numbers) else _last_of_each(numbers)
    kept = kept[(times[kept] >= when[0]) & (times[kept] <= when[1])]
    if not _ascends(times[kept]):
        kept = kept[np.argsort(times[kept], kind="stable")]
    return Trace(times[kept], *columns[:, kept])


def _ascends(numbers: NDArray[np.int64]) -> bool:
    return bool((numbers[1:] > numbers[:-1]).all())


def _last_of_each(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    _, last = np.unique(numbers[::-1], return_index=True)
    return len(numbers) - 1 - last


def _blocks(
    connection: Connection, device_name: str, near: tuple[float, float], since_us: int, until_us: int
) -> Iterator[Part]:
    first, last = (int(s) for s in stretch_of(np.array([np.floor(near[0]), np.ceil(near[1])])))
    blocks = connection.execute(
        "SELECT block_no, spectra FROM trace_blocks WHERE device_name = ? AND last_us >= ? AND first_us <= ? "
        "ORDER BY block_no",
        (device_name, since_us, until_us),
    )
    query = "SELECT peaks FROM trace_lines WHERE block_no = ? AND stretch BETWEEN ? AND ? ORDER BY stretch"
    for number, spectra in blocks.fetchall():
        with intact(f"block {number} of the traces of {device_name}"):
            pieces = [_near(row[0], near) for row in connection.execute(query, (number, first, last)).fetchall()]
            yield _numbered(spectra), pieces[0] if len(pieces) == 1 else _joined(pieces)


def _numbered(packed: bytes) -> NDArray[np.int64]:
    data, form = unpack_bytes(packed), "<i8"
    count, rest = divmod(len(data), SPECTRUM.itemsize)
    if rest:
        raise EncodingError("columns of another length")
    halves = (from_planes(data[: 8 * count], form, count), from_planes(data[8 * count :], form, count))
    return np.cumsum(halves, axis=1, dtype=np.int64)


def _near(packed: bytes, near: tuple[float, float]) -> _Lines:
    """The lines of a stretch that are near: of the others no number is put together."""
    data = unpack_bytes(packed)
    count, rest = divmod(len(data), LINE.itemsize)
    if rest:
        raise EncodingError("columns of another length")
    milli_nm = np.cumsum(from_planes(data[2 * count : 6 * count], "<i4", count), dtype=np.int32)
    here = ((milli_nm >= near[0]) & (milli_nm <= near[1])).nonzero()[0]
    at = np.cumsum(from_planes(data[: 2 * count], "<u2", count), dtype=np.uint16)[here]
    numbers = np.frombuffer(data, np.uint8, offset=6 * count).reshape(2, 4, count)[:, :, here]
    intensity, area = numbers.transpose(0, 2, 1).copy().view("<f4")[:, :, 0]
    return _Lines(at.astype(np.int64), milli_nm[here], intensity, area)


def _joined(pieces: Sequence[_Lines]) -> _Lines:
    return _Lines(*(np.concatenate(column) for column in zip(_NOTHING, *pieces, strict=True)))


def read_block(connection: Connection, number: int, device_name: str) -> None:
    """Read a block with all its lines; StoreDamaged when it is not what was stored."""
    with intact(f"block {number} of the traces of {device_name}"):
        rows = connection.execute("SELECT spectra FROM trace_blocks WHERE block_no = ?", (number,)).fetchall()
        spectra = sum(len(unpack_rows(row[0], SPECTRUM)) for row in rows)
        for (peaks,) in connection.execute("SELECT peaks FROM trace_lines WHERE block_no = ?", (number,)):
            if (unpack_rows(peaks, LINE)["at"] >= spectra).any():
                raise EncodingError("a line of no spectrum")


_NOTHING = _Lines(np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(0, np.float32))


def _tail(connection: Connection, device_name: str, near: tuple[float, float], since_us: int, until_us: int) -> Part:
    rows = connection.execute(
        "SELECT entry_no, taken_at_us, peaks FROM trace_tail WHERE device_name = ? "
        "AND taken_at_us BETWEEN ? AND ? ORDER BY entry_no",
        (device_name, since_us, until_us),
    ).fetchall()
    rows = whole_rows(rows, PEAK)
    numbers, times, blobs = zip(*rows, strict=True) if rows else ((), (), ())
    counts = np.fromiter(map(len, blobs), np.int64, len(blobs)) // PEAK.itemsize
    peaks = np.frombuffer(b"".join(blobs), PEAK)
    here = ((peaks["milli_nm"] >= near[0]) & (peaks["milli_nm"] <= near[1])).nonzero()[0]
    at = counts.cumsum().searchsorted(here, side="right")
    found = peaks[here]
    return np.array([numbers, times], dtype=np.int64), _Lines(
        at.astype(np.int64), found["milli_nm"], found["intensity"], found["area"]
    )
