"""Files that may hold several spectra, for commands: our exports as HDF5, Parquet and ZIP; any other holds one.

Not for what strangers send: a server's reader is :func:`~oesd.formats.read_spectrum`, which knows none of the libraries
that these need.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from oesd.formats import hdf5_form, parquet_form
from oesd.formats.csv_form import csv_bytes
from oesd.formats.decoding import LARGEST_BYTES
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.procspec import MAGIC as ZIP_MAGIC
from oesd.formats.procspec import is_spectrum
from oesd.formats.reading import read_spectrum
from oesd.formats.sheet import Sheet
from oesd.model import SpectrumFile

_HDF5_MAGIC = b"\x89HDF"
_MEMBERS = (".csv", ".txt", ".jdx", ".dx", ".json")


def spectra_of(data: bytes, filename: str = "") -> Iterator[tuple[str, SpectrumFile]]:
    """Spectra of a file, each with a name: the file's own where it holds one.

    Raises
    ------
    FormatError
        One line: the file, what is wrong.
    NotInstalled
        Where a library of an extra is needed.
    """
    for name, text in texts_of(data, filename):
        if isinstance(text, FormatError):
            raise text
        yield name, read_spectrum(text, name)


def texts_of(data: bytes, filename: str = "") -> Iterator[tuple[str, bytes | FormatError]]:
    """The spectra of a file as text files of their own, each with a name; a file that holds one is itself.

    In the place of one that is damaged stands why: the others of an archive can be read all the same. Raises as
    :func:`spectra_of` does, but for what is wrong with the texts.
    """
    try:
        if data.startswith(_HDF5_MAGIC):
            yield from _as_csv(_of_hdf5(data), filename)
        elif data.startswith(parquet_form.MAGIC):
            yield from _as_csv(parquet_form.read_parquet(io.BytesIO(data)), filename)
        elif data.startswith(ZIP_MAGIC) and (members := _members(data)):
            yield from _of_zip(data, members)
        else:
            yield filename, data
    except FormatError as error:
        raise (error if error.filename else error.in_file(filename)) from None


def begins_as_several(head: bytes) -> bool:
    """Whether the first bytes of a file are those of a form that may hold several spectra."""
    return head.startswith((_HDF5_MAGIC, parquet_form.MAGIC, ZIP_MAGIC))


def holds_several(data: bytes) -> bool:
    """Whether a file is of a form that may hold several spectra."""
    return data.startswith((_HDF5_MAGIC, parquet_form.MAGIC)) or (data.startswith(ZIP_MAGIC) and bool(_members(data)))


def _as_csv(sheets: Iterator[tuple[str, Sheet]], filename: str) -> Iterator[tuple[str, bytes]]:
    for name, sheet in sheets:
        yield f"{filename}:{name}", csv_bytes(sheet)


def _of_hdf5(data: bytes) -> Iterator[tuple[str, Sheet]]:
    with tempfile.TemporaryDirectory(prefix="oesd-") as folder:
        path = Path(folder) / "import.h5"
        path.write_bytes(data)
        yield from hdf5_form.read_hdf5(path)


def _members(data: bytes) -> list[zipfile.ZipInfo]:
    """Files in an archive that can be exports of ours; none in a ProcSpec, which has a text file of its version."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            listed = archive.infolist()
            ours = [info for info in listed if info.filename.lower().endswith(_MEMBERS)]
            return [] if any(is_spectrum(info.filename) for info in listed) else ours
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _of_zip(data: bytes, members: list[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes | FormatError]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in members:
            try:
                with archive.open(info) as member:
                    text = member.read(LARGEST_BYTES + 1)
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
                yield (
                    info.filename,
                    FormatError(f"damaged in its ZIP archive: {shown(str(error))}", filename=info.filename),
                )
            else:
                yield info.filename, text
