r"""Export form CSV: what pandas reads with ``comment="#"`` and a spreadsheet opens.

::

    # oesd CSV,"1"
    # Date,"Sun Nov 22 12:00:00 GMT 2026"
    # Label growth,"GaN-7"
    # Content SHA256,"9f86d0..."
    wavelength_nm,scope_corrected,sample,dark
    350.1234,123.25,1623.5,1500.25

UTF-8; with a byte order mark where there is a letter beyond ASCII, without which spreadsheets misread it.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.numbers import floats_of, rows_of
from oesd.formats.sheet import DIGEST, Sheet, spectrum_of
from oesd.formats.spreadsheet import cell, cells_of, name_cell
from oesd.formats.table import MOST_PIXELS
from oesd.model import FloatArray, SpectrumFile

_FIRST = '# oesd CSV,"1"'
_MARK = "# oesd CSV"


def csv_bytes(sheet: Sheet) -> bytes:
    """Bytes of the form; the same for the same sheet."""
    head = [_FIRST, *(f"# {name_cell(name)},{cell(text)}" for name, text in sheet.header.items())]
    text = "\n".join([*head, ",".join(sheet.columns), ""]).encode("utf-8")
    return (b"" if text.isascii() else codecs.BOM_UTF8) + text + rows_of(sheet.columns.values(), b",")


def is_csv(lines: Sequence[Line]) -> bool:
    """Whether a text is of this form: its first line says so, and it has its digest."""
    return lines[0].text.startswith(_MARK) and any(line.text.startswith(f"# {DIGEST},") for line in lines)


def read_csv(lines: Sequence[Line]) -> SpectrumFile:
    """Spectrum of the form.

    Raises
    ------
    FormatError
        With the line number where one is to blame.
    """
    start = next((i for i, line in enumerate(lines) if not line.text.startswith("#")), len(lines))
    header = dict(_line_of_header(line) for line in lines[1:start])
    if start + 1 >= len(lines):
        raise FormatError("no spectrum: no lines of numbers")
    return spectrum_of("oesd CSV", header, _columns(lines[start], lines[start + 1 :]))


def _line_of_header(line: Line) -> tuple[str, str]:
    found = cells_of(line.text.removeprefix("# "))
    if len(found) < 2:
        raise FormatError("a header line is damaged", line=line.number)
    return found[0], found[1]


def _columns(heading: Line, rows: Sequence[Line]) -> dict[str, FloatArray]:
    names = cells_of(heading.text)
    if len(rows) > MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels")
    table = [row.text.split(",") for row in rows]
    odd = next((i for i, row in enumerate(table) if len(row) != len(names)), None)
    if odd is not None:
        raise FormatError(f"{len(table[odd])} columns, {len(names)} expected", line=rows[odd].number)
    columns = zip(*table, strict=True)
    return {name: floats_of(column, rows[0].number) for name, column in zip(names, columns, strict=True)}
