"""Several spectrum files as one: a ZIP archive that any program opens, the same bytes for the same files.

Reading trusts nothing that the archive says of itself: names are names and never paths, sizes are counted while the
bytes come out.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable

from oesd.formats.errors import FormatError

MOST_FILES = 1000
LARGEST_FILE = 16 * 1024 * 1024
LARGEST_TOTAL = 256 * 1024 * 1024
_MARK = b"oesd batch 1"  # the archive's comment: ProcSpec files are ZIP archives too, of one spectrum
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # a ZIP file's zero: with the time of today the same files would give other bytes
_LEVEL = 1  # a third of the size for a sixth of the time of rendering; more costs more than the line does
_UNIX = 3
_PIECE = 64 * 1024


def is_bundle(data: bytes) -> bool:
    """Whether bytes are a bundle of ours, by their ends."""
    return data.startswith(b"PK\x03\x04") and data.endswith(_MARK)


def write_bundle(files: Iterable[tuple[str, bytes]]) -> bytes:
    """One archive of files, each a name and its bytes, in this order."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for name, data in files:
            about = zipfile.ZipInfo(name, _FIRST_DATE)
            about.compress_type, about.create_system, about.external_attr = zipfile.ZIP_DEFLATED, _UNIX, 0o600 << 16
            archive.writestr(about, data, compresslevel=_LEVEL)
        archive.comment = _MARK
    return out.getvalue()


def read_bundle(data: bytes) -> list[tuple[str, bytes]]:
    """Files of an archive in its order; of a name only its last component.

    Raises
    ------
    FormatError
        When it is no archive, is damaged or encrypted, or holds more than :data:`MOST_FILES` files, more than 16 MiB
        in one, or more than 256 MiB together.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _files(archive)
    except FormatError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise FormatError(f"a damaged ZIP archive ({type(error).__name__})") from None


def _files(archive: zipfile.ZipFile) -> list[tuple[str, bytes]]:
    listed = [about for about in archive.infolist() if not about.is_dir()]
    if not 0 < len(listed) <= MOST_FILES:
        raise FormatError(f"a ZIP archive of {len(listed)} files, not of 1 to {MOST_FILES}")
    files: list[tuple[str, bytes]] = []
    left = LARGEST_TOTAL
    for about in listed:
        if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormatError("a ZIP archive packed in a way that is not read here")
        content = _content(archive, about, min(LARGEST_FILE, left))
        left -= len(content)
        files.append((about.filename.replace("\\", "/").rpartition("/")[2], content))
    return files


def _content(archive: zipfile.ZipFile, about: zipfile.ZipInfo, most: int) -> bytes:
    content = bytearray()
    with archive.open(about) as file:
        while piece := file.read(_PIECE):
            content += piece
            if len(content) > most:
                raise FormatError("a file in the ZIP archive is too large")
    return bytes(content)
