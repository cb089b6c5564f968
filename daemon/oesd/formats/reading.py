"""One entrance for every form, told apart by content."""

from __future__ import annotations

import orjson

from oesd.formats import columns, csv_form, document, jcamp_blocks, jcamp_form, ocean_form, procspec
from oesd.formats.decoding import check_container, decode, split_lines
from oesd.formats.delimited import is_bwspec, read_bwspec, read_columns
from oesd.formats.errors import FormatError
from oesd.formats.jcamp_foreign import read_foreign
from oesd.formats.json_forms import read_json
from oesd.formats.vendor import has_marker, read_marked
from oesd.model import SpectrumFile


def read_spectrum(data: bytes, filename: str = "") -> SpectrumFile:
    """Read a spectrum out of the bytes of a file.

    Parameters
    ----------
    data : bytes
        The whole file, at most 64 MiB and 100,000 pixels.
    filename : str
        Its name, for messages only: the form is told by the content.

    Returns
    -------
    SpectrumFile
        ``metadata`` holds the header lines as they stand and, in lower case, ``integration_us``, ``scans``,
        ``boxcar_half_width_px``, ``serial``, ``taken_at`` as far as the file tells.

    Raises
    ------
    FormatError
        One line: the file, the line, what is wrong.
    """
    try:
        return _of_letters(_read(data))
    except FormatError as error:
        raise error.in_file(filename) from None


def _of_letters(spectrum: SpectrumFile) -> SpectrumFile:
    """The spectrum, when its texts can be stored and sent: an escape of ours can spell half a letter, which is none."""
    texts = (spectrum.record_id, *spectrum.warnings, *spectrum.metadata, *spectrum.metadata.values())
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise FormatError(
            "a header line holds half of a letter (a lone surrogate): it was damaged or changed"
        ) from None
    return spectrum


def _read(data: bytes) -> SpectrumFile:
    check_container(data)
    if data.startswith(procspec.MAGIC):
        return procspec.read_procspec(data)
    if columns.is_own(data):
        return columns.read_own(data)
    text = decode(data)
    if text.lstrip().startswith(("{", "[")):
        return _read_json(text)
    if text.lstrip()[: len("##TITLE")].upper() in jcamp_blocks.MAGIC:
        return _read_jcamp(text)
    lines = split_lines(text)
    if has_marker(lines):
        return ocean_form.read_ocean(lines) if ocean_form.is_ocean(lines) else read_marked(lines)
    if csv_form.is_csv(lines):
        return csv_form.read_csv(lines)
    return read_bwspec(lines) if is_bwspec(lines) else read_columns(lines)


def _read_jcamp(text: str) -> SpectrumFile:
    blocks = jcamp_blocks.blocks_of(split_lines(text, jcamp_blocks.MOST_LINES))
    return jcamp_form.read_ours(blocks) if jcamp_form.is_ours(blocks) else read_foreign(blocks)


def _read_json(text: str) -> SpectrumFile:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise FormatError(f"no valid JSON: {error.msg}", line=error.lineno) from None
    if not isinstance(found, dict):
        raise FormatError("no spectrum: a JSON list, not an object")
    return document.read_own(found) if document.is_own(found) else read_json(found)
