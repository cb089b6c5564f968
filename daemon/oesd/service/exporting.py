"""GET /export for the web room: one entry as text at once, all else from a process of its own.

A daemon measures on time and stays small: the numbers of a thousand spectra are made to text, and the libraries of HDF5
and Parquet loaded, in a child with lower priority that reads the store beside us. The route only hands on what comes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from oesd.formats.exporting import FORMS, PIECE_BYTES, media_type_of, name_of, pieces_of, suffix_of
from oesd.processing.exporting import sheet_of
from oesd.store import UnknownEntry
from oesd.store.reading import Reading

_END_S = 10.0


class ExportBroken(Exception):
    """An export ended before its end: what came of it is no file."""


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """An export as a web server sends it; ``pieces`` has a close() that ends the work."""

    file_name: str
    media_type: str
    pieces: Iterator[bytes]


def exporter(store: Reading, directory: Path) -> Callable[[Iterator[str], str], Exported]:
    """Return ``export(data_ids, form)``.

    It raises ValueError, one line, for a form that is not known or not installed, UnknownEntry when there is nothing to
    export, StoreError when the entry cannot be read. Its pieces raise :class:`ExportBroken`.
    """

    def export(data_ids: Iterator[str], form: str) -> Exported:
        if form not in FORMS:
            raise ValueError(f"format must be one of {', '.join(FORMS)}")
        FORMS[form].require()
        first = list(islice(data_ids, 2))
        if not first:
            raise UnknownEntry("no entry")
        if len(first) == 1 and FORMS[form].text is not None:
            return _one(store, first[0], form)
        several = len(first) > 1
        name = f"oesd-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{suffix_of(form, several)}"
        pieces = _Child(directory, form, chain(first, data_ids), several)
        return Exported(name, media_type_of(form, several), pieces)

    return export


def _one(store: Reading, data_id: str, form: str) -> Exported:
    sheet = sheet_of(store, data_id)
    if sheet is None:
        raise UnknownEntry(data_id)
    name = f"{name_of(sheet)}.{suffix_of(form, False)}"
    return Exported(name, media_type_of(form, False), iter(list(pieces_of([sheet], form, several=False))))


class _Child(Iterator[bytes]):
    """The bytes that a child process makes; it is ended by :meth:`close`, at its end, or with us."""

    def __init__(self, directory: Path, form: str, data_ids: Iterable[str], several: bool) -> None:
        where = (str(directory.absolute()), form, "several" if several else "one")
        command = [sys.executable, "-m", "oesd.processing.export_worker", *where]
        with tempfile.TemporaryFile() as wanted:
            wanted.writelines(data_id.encode("ascii") + b"\n" for data_id in data_ids)
            wanted.seek(0)
            self._process: subprocess.Popen[bytes] | None = subprocess.Popen(  # noqa: S603
                command, stdin=wanted, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )

    def __next__(self) -> bytes:
        process = self._process
        if process is None or process.stdout is None:
            raise StopIteration
        if piece := process.stdout.read1(PIECE_BYTES):  # type: ignore[attr-defined]
            return bytes(piece)
        said = process.stderr.read(1000).decode("utf-8", "replace") if process.stderr else ""
        status = process.wait(_END_S)
        self.close()
        if status:
            raise ExportBroken(said or f"the process that exports ended with status {status}")
        raise StopIteration

    def close(self) -> None:
        """End the work; a second time does nothing."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()
