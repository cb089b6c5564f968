"""Exports: sheets in, the bytes of a file out, piece by piece, however many there are.

One spectrum is one file of its form. Several are one file where the form has room for them (HDF5, Parquet), else a ZIP
archive of a file each; no more of it is in memory than a few spectra.
"""

from __future__ import annotations

import io
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from oesd.formats import hdf5_form, parquet_form
from oesd.formats.about import about
from oesd.formats.csv_form import csv_bytes
from oesd.formats.jcamp_form import jcamp_bytes
from oesd.formats.ocean_form import ocean_bytes
from oesd.formats.sheet import Sheet

PIECE_BYTES = 256 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64
_FIRST_YEAR = 1980  # of a date in a ZIP archive


_Stream = Callable[[Iterable[Sheet], Path | None], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of export.

    Attributes
    ----------
    text : callable or None
        Bytes of one sheet; None for a form that holds any number in one file.
    require : callable
        Raises :class:`~oesd.formats.extras.NotInstalled` where its library is not there.
    """

    suffix: str
    media_type: str
    text: Callable[[Sheet], bytes] | None = None
    stream: _Stream | None = None
    require: Callable[[], None] = lambda: None


def _pieces_of_hdf5(sheets: Iterable[Sheet], scratch: Path | None) -> Iterator[bytes]:
    """HDF5 cannot be written from front to back: a temporary file, then its bytes."""
    with tempfile.TemporaryDirectory(prefix="oesd-", dir=scratch) as folder:
        path = Path(folder) / "export.h5"
        for _ in hdf5_form.write_hdf5(path, sheets):
            yield b""
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece


def _pieces_of_parquet(sheets: Iterable[Sheet], _: Path | None) -> Iterator[bytes]:
    sink = _Sink()
    for _step in parquet_form.write_parquet(sink, sheets):
        yield from sink.drained()
    yield from sink.drained()


FORMS: Mapping[str, Form] = {
    "csv": Form("csv", "text/csv; charset=utf-8", csv_bytes),
    "txt": Form("txt", "text/plain; charset=utf-8", ocean_bytes),
    "jdx": Form("jdx", "chemical/x-jcamp-dx", jcamp_bytes),
    "h5": Form("h5", "application/x-hdf5", stream=_pieces_of_hdf5, require=hdf5_form.require),
    "parquet": Form(
        "parquet", "application/vnd.apache.parquet", stream=_pieces_of_parquet, require=parquet_form.require
    ),
}
ZIP_SUFFIX, ZIP_TYPE = "zip", "application/zip"


def suffix_of(form: str, several: bool) -> str:
    """Ending of the name of an export's file."""
    return ZIP_SUFFIX if several and FORMS[form].text else FORMS[form].suffix


def media_type_of(form: str, several: bool) -> str:
    """Media type of an export."""
    return ZIP_TYPE if several and FORMS[form].text else FORMS[form].media_type


def name_of(sheet: Sheet) -> str:
    """Name for the file of one spectrum, without its ending: safe, sorted by time, unique by its data id."""
    found = about(sheet.header)
    moment = found.taken_at_utc
    when = f"{moment:%Y%m%dT%H%M%S}.{moment.microsecond // 1000:03}Z" if moment else ""
    parts = (found.device_name or found.serial, found.data_id)
    device, data_id = (_UNSAFE.sub("-", part)[:_LONGEST_NAME].strip("-") for part in parts)
    return "_".join(filter(None, (device, when, data_id))) or "spectrum"


def pieces_of(sheets: Iterable[Sheet], form: str, *, several: bool, scratch: Path | None = None) -> Iterator[bytes]:
    """Bytes of an export, in pieces of at most a few MiB, some empty: each is a step of the work.

    Parameters
    ----------
    form : str
        A name of :data:`FORMS`.
    several : bool
        False for one sheet that is to be a file of its own.
    scratch : Path, optional
        Folder for a temporary file of the size of the export, where a form needs one.

    Raises
    ------
    NotInstalled, OSError
        Without the form's library; where the temporary file cannot be written.
    """
    chosen = FORMS[form]
    if chosen.stream is not None:
        return chosen.stream(sheets, scratch)
    assert chosen.text is not None
    return _zipped(sheets, chosen) if several else map(chosen.text, sheets)


def _zipped(sheets: Iterable[Sheet], form: Form) -> Iterator[bytes]:
    assert form.text is not None
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for sheet in sheets:
            when = about(sheet.header).taken_at_utc
            date = when.timetuple()[:6] if when and when.year >= _FIRST_YEAR else (_FIRST_YEAR, 1, 1, 0, 0, 0)
            info = zipfile.ZipInfo(f"{name_of(sheet)}.{form.suffix}", date)
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, form.text(sheet))
            yield from sink.drained()
    yield from sink.drained()


class _Sink(io.BytesIO):
    """What is written into it comes out again; it cannot be rewound."""

    def __init__(self) -> None:
        super().__init__()
        self._gone = 0

    def seekable(self) -> bool:
        return False

    def seek(self, _offset: int, _whence: int = 0) -> int:
        raise io.UnsupportedOperation("what was written may be gone already")

    def tell(self) -> int:
        return self._gone + super().tell()

    def drained(self) -> Iterator[bytes]:
        """What was written since the last time."""
        whole = self.getvalue()
        self._gone += len(whole)
        super().seek(0)
        super().truncate()
        for start in range(0, len(whole), PIECE_BYTES):
            yield whole[start : start + PIECE_BYTES]
