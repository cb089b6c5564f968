"""The catalogue of segments: which file has the blobs of which captures.

::

    captures.segment_no -> segments.name     NULL while the blobs are in the captures' own rows
            .place, .length                  where in the file

A row goes from its pages to a file, or from one file to another (:mod:`oesd.store.switching`), which the triggers let
through only when the file is named here: that is after it was synced. A file is forgotten when no capture is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oesd.store.database import Connection
from oesd.store.segment_file import MAGIC, Blobs, read_record

FOLDER = "segments"
SCHEMA = """
CREATE TABLE segments (
    segment_no  INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,       -- of the file
    device_name TEXT NOT NULL,
    upto_no     INTEGER NOT NULL,           -- the entry up to which the spectrometer's are sealed when this is finished
    size_bytes  INTEGER NOT NULL,
    finished    INTEGER NOT NULL DEFAULT 0, -- every capture of the file is in it, or has gone
    gone_bytes  INTEGER NOT NULL DEFAULT 0  -- of the file, that belong to captures which were let go
) STRICT;
CREATE INDEX segments_by_device ON segments (device_name, upto_no);
ALTER TABLE captures ADD COLUMN segment_no INTEGER;      -- NULL: the blobs are here
ALTER TABLE captures ADD COLUMN place INTEGER;
ALTER TABLE captures ADD COLUMN length INTEGER;
CREATE INDEX captures_by_segment ON captures (segment_no) WHERE segment_no IS NOT NULL;
DROP INDEX captures_latest;                              -- entries_by_device tells it
DROP TRIGGER captures_no_update;
CREATE TRIGGER captures_no_update BEFORE UPDATE OF
    capture_no, record_id, device_no, kind, integration_us, taken_at_us, header, sha256 ON captures
    BEGIN SELECT RAISE(ABORT, 'captures are never changed'); END;
CREATE TRIGGER captures_only_sealed BEFORE UPDATE OF saturated, counts, spread, segment_no, place, length ON captures
    WHEN NEW.segment_no IS OLD.segment_no OR NEW.place IS NULL OR NEW.length IS NULL OR NEW.counts != x''
    OR NEW.saturated != x'' OR NOT EXISTS (SELECT 1 FROM segments WHERE segment_no = NEW.segment_no)
    BEGIN SELECT RAISE(ABORT, 'captures are never changed: their blobs go into a segment or stay'); END;
CREATE TRIGGER captures_left_segment AFTER DELETE ON captures WHEN OLD.segment_no IS NOT NULL BEGIN
    UPDATE segments SET gone_bytes = gone_bytes + OLD.length WHERE segment_no = OLD.segment_no;
END;
CREATE TRIGGER segments_no_delete BEFORE DELETE ON segments
    WHEN EXISTS (SELECT 1 FROM captures WHERE segment_no = OLD.segment_no)
    BEGIN SELECT RAISE(ABORT, 'a segment that has captures stays'); END;
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """A file of the catalogue.

    Attributes
    ----------
    upto_no : int
        Entry up to which those of the spectrometer are sealed.
    gone_bytes : int
        Bytes of it that belong to captures which were let go.
    """

    segment_no: int
    name: str
    device_name: str
    upto_no: int
    size_bytes: int
    finished: bool
    gone_bytes: int


_COLUMNS = "segment_no, name, device_name, upto_no, size_bytes, finished, gone_bytes"


def folder_of(connection: Connection) -> Path:
    """The folder of the segments beside the database that a connection is open on."""
    folder: Path | None = connection.remembered.get(FOLDER)
    if folder is None:
        database = connection.execute("PRAGMA database_list").fetchone()[2]
        folder = connection.remembered[FOLDER] = Path(str(database)).with_name(FOLDER)
    return folder


def read_blobs(connection: Connection, name: str, place: int, length: int, capture_no: int) -> Blobs:
    """A sealed capture's blobs.

    Raises
    ------
    ValueError
        When they are not what was stored, or the file cannot be read.
    """
    try:
        return read_record(folder_of(connection) / name, place, length, capture_no)
    except OSError as error:
        raise ValueError(f"segment {name} cannot be read: {error.strerror or error}") from error


def load_segments(connection: Connection, finished: bool | None = None) -> list[Segment]:
    """The segments, the oldest first; those that are finished, or are not, where that is asked for."""
    where = "" if finished is None else f"WHERE finished = {int(finished)}"
    rows = connection.execute(f"SELECT {_COLUMNS} FROM segments {where} ORDER BY segment_no")  # noqa: S608
    return [_segment(row) for row in rows]


def sealed_bytes(connection: Connection) -> int:
    """What the files of all segments take."""
    return int(connection.execute("SELECT coalesce(sum(size_bytes), 0) FROM segments").fetchone()[0])


def name_segment(connection: Connection, name: str, device_name: str, upto_no: int, size_bytes: int) -> Segment:
    """Take a file that is on the disk, whole, into the catalogue; no capture is in it yet.

    Its number is none that a capture has: of a catalogue that was damaged the last rows may be gone.
    """
    row = connection.execute(
        "INSERT INTO segments (segment_no, name, device_name, upto_no, size_bytes) SELECT 1 + max("  # noqa: S608
        "coalesce((SELECT max(segment_no) FROM segments), 0), coalesce((SELECT max(segment_no) FROM captures), 0)), "
        f"?, ?, ?, ? RETURNING {_COLUMNS}",
        (name, device_name, upto_no, size_bytes),
    ).fetchone()
    return _segment(row)


def finish_segment(connection: Connection, *numbers: int) -> None:
    """Note that all captures of a file are in it that ever will be; the rest of it has gone."""
    for number in numbers:
        connection.execute(
            "UPDATE segments SET finished = 1, gone_bytes = size_bytes - ? - "
            "(SELECT coalesce(sum(length), 0) FROM captures WHERE captures.segment_no = segments.segment_no) "
            "WHERE segment_no = ?",
            (len(MAGIC), number),
        )


_EMPTY = "finished = 1 AND NOT EXISTS (SELECT 1 FROM captures WHERE captures.segment_no = segments.segment_no)"


def any_empty(connection: Connection) -> bool:
    """Whether there is a segment that no capture is in any more."""
    return connection.execute(f"SELECT 1 FROM segments WHERE {_EMPTY} LIMIT 1").fetchone() is not None  # noqa: S608


def forget_empty(connection: Connection) -> None:
    """Forget segments that no capture is in any more; their files are nobody's from then on."""
    connection.execute(f"DELETE FROM segments WHERE {_EMPTY}")  # noqa: S608


def any_unnamed(connection: Connection) -> bool:
    """Whether captures are in a segment that the catalogue does not name: it was damaged, and knows no file well."""
    query = "SELECT DISTINCT segment_no FROM captures WHERE segment_no IS NOT NULL"
    known = "SELECT segment_no FROM segments"
    return connection.execute(f"{query} AND segment_no NOT IN ({known}) LIMIT 1").fetchone() is not None


def captures_in(connection: Connection, segment_no: int, after: int, limit: int) -> list[int]:
    """Numbers of the next captures in a segment."""
    rows = connection.execute(
        "SELECT capture_no FROM captures WHERE segment_no = ? AND capture_no > ? ORDER BY capture_no LIMIT ?",
        (segment_no, after, limit),
    )
    return [int(row[0]) for row in rows]


def sealed_upto(connection: Connection, device_name: str) -> int:
    """The entry up to which a spectrometer's are sealed; 0 when none is."""
    row = connection.execute("SELECT coalesce(max(upto_no), 0) FROM segments WHERE device_name = ?", (device_name,))
    return int(row.fetchone()[0])


def _segment(row: Sequence[Any]) -> Segment:
    number, name, device_name, upto_no, size_bytes, finished, gone_bytes = row
    return Segment(number, name, device_name, upto_no, size_bytes, finished == 1, gone_bytes)
