"""Text files with a ``>>>>>Begin ... Data<<<<<`` line: SpectraSuite, OceanView, Jaz, OOIBase32, in any language."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oesd.formats.assembly import Parts, assemble, by_columns, quantity_named
from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.table import cells, number, read_rows, roles, separator_of
from oesd.model import SpectrumFile

MARKER = ">>>>>"
LONGEST_KEY = 200
_KINDS = (
    (r"spectrasuite", "SpectraSuite"),
    (r"jaz absolute irradiance", "JazIrrad"),
    (r"jaz", "Jaz"),
    (r"ooibase", "OOIBase32"),
    (r"data from .* node", "OceanView"),
)


def has_marker(lines: Sequence[Line]) -> bool:
    """Whether the text has a line that begins its data."""
    return any(line.text.startswith(MARKER) for line in lines)


def read_marked(lines: Sequence[Line]) -> SpectrumFile:
    """Spectrum of an Ocean Optics text file.

    Raises
    ------
    FormatError
        With the line number.
    """
    start = next(i for i, line in enumerate(lines) if line.text.startswith(MARKER))
    header = header_lines(lines[:start])
    _check_axis(header)
    body = data_lines(lines[start + 1 :])
    if not body:
        raise FormatError("no spectrum: nothing follows the line that begins the data", line=lines[start].number)
    names, body = _columns(body)
    table = read_rows(body, (separator_of(body[0].text) if body else None) or "\t")
    if table.rows and len(table.rows[0]) != len(names):
        raise FormatError(f"{len(table.rows[0])} columns, {len(names)} expected", line=table.lines[0])
    return assemble(
        Parts(
            format=_kind(lines[0].text),
            columns=by_columns(table.rows, names),
            header=header,
            lines=table.lines,
            quantity=quantity_named(f"{lines[0].text} {header.get('Graph Title', '')}"),
            warnings=(*_cut_short(header, len(table.rows)), *_software_corrections(names, header)),
        )
    )


def header_lines(lines: Sequence[Line]) -> dict[str, str]:
    """``Key: value`` lines as they stand; of two with one key the first."""
    header: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.text.partition(":")
        if colon and 0 < len(key.strip()) <= LONGEST_KEY and (not value or value[0].isspace()):
            header.setdefault(key.strip(), value.strip())
    return header


def data_lines(lines: Sequence[Line]) -> list[Line]:
    """Lines up to the next marker; blank lines left out."""
    end = next((i for i, line in enumerate(lines) if line.text.startswith(MARKER)), len(lines))
    return [line for line in lines[:end] if line.text.strip()]


def _columns(body: list[Line]) -> tuple[list[str], list[Line]]:
    """Roles of the columns, from the heading ``W D R S P`` where there is one, and the lines below it."""
    headings = cells(body[0].text, "\t")
    if number(headings[0]) is None and len(headings) > 1 and all(re.fullmatch(r"[A-Za-z]\w*", h) for h in headings):
        return roles(headings), body[1:]
    return ["wavelength", "sample"], body


def _kind(first_line: str) -> str:
    found = (name for pattern, name in _KINDS if re.search(pattern, first_line, re.IGNORECASE))
    return next(found, "Ocean Optics text")


def _check_axis(header: dict[str, str]) -> None:
    axis = header.get("XAxis mode", "Wavelengths")
    if not axis.lower().startswith("wavelength"):
        raise FormatError(f"the axis is '{shown(axis)}', not wavelengths")


def _cut_short(header: dict[str, str], pixels: int) -> tuple[str, ...]:
    """Say so when the header promises another number of pixels: cut short, or spliced as OceanView can."""
    promised = next((v for k, v in header.items() if k.startswith("Number of Pixels in")), "")
    if promised and promised != str(pixels):
        return (f"the header says {shown(promised)} pixels, the file holds {pixels}",)
    return ()


def _software_corrections(names: Sequence[str], header: dict[str, str]) -> tuple[str, ...]:
    """Warn that a lone column may be no raw counts: the software had a dark or a reference at hand."""
    applied = [n for n in ("Dark", "Reference") if header.get(f"{n} Spectrum Present", "").lower().startswith("yes")]
    if len(names) == 2 and applied:
        return (
            f"processed by the software that wrote it ({' and '.join(applied).lower()} present): perhaps no raw counts",
        )
    return ()
