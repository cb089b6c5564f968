"""Bytes to lines of text: size, binary content, encodings and mixed line ends."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from oesd.formats.errors import FormatError

LARGEST_BYTES = 64 * 1024 * 1024
MOST_LINES = 120_000
LONGEST_LINE = 2_600_000  # a column of 100,000 numbers of 24 characters and a blank stands on one line of our export
_LINE_END = re.compile("\r\n|\n|\r")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_NOT_YET = (
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text file: its number, from 1, and its text without the line end."""

    number: int
    text: str


def check_container(data: bytes) -> None:
    """Refuse what is empty, too large, or of a form that is known and not read.

    Raises
    ------
    FormatError
        With the reason.
    """
    if not data.strip():
        raise FormatError("the file is empty")
    if len(data) > LARGEST_BYTES:
        raise FormatError(f"{len(data) >> 20} MiB, more than the {LARGEST_BYTES >> 20} MiB allowed for one spectrum")
    for magic, what in _NOT_YET:
        if data.startswith(magic):
            raise FormatError(f"{what}: oesd import and oesd analyze take its spectra out; nothing else reads it")


def decode(data: bytes) -> str:
    """Text of the bytes: UTF-16 by its byte order mark, else UTF-8, else ISO-8859-1 as the vendors write it.

    Raises
    ------
    FormatError
        When there are control characters that no text file holds.
    """
    text = _decoded(data)
    found = _CONTROL.search(text)
    if found:
        line = len(_LINE_END.findall(text[: found.start()])) + 1
        raise FormatError("binary data, not a text file", line=line)
    return text


def _decoded(data: bytes) -> str:
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return data.decode("utf-16")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("iso-8859-1")


def split_lines(text: str, most: int = MOST_LINES) -> list[Line]:
    """Lines of a text whose line ends may be mixed; trailing empty lines dropped.

    Raises
    ------
    FormatError
        When there are more lines, or a longer one, than any spectrum needs.
    """
    text = text.rstrip()
    if text.count("\n") + text.count("\r") - text.count("\r\n") >= most:
        raise FormatError(f"more than {most} lines")
    lines = [Line(number, line) for number, line in enumerate(_LINE_END.split(text), start=1)]
    too_long = next((line.number for line in lines if len(line.text) > LONGEST_LINE), None)
    if too_long is not None:
        raise FormatError(f"the line is longer than {LONGEST_LINE} characters", line=too_long)
    return lines
