"""Tables without a marker line: AvaSoft, BWSpec, and plain CSV, TSV, semicolon or blank separated columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oesd.formats.assembly import Parts, assemble, by_columns, quantity_named
from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.table import (
    cells,
    check_commas,
    finite,
    is_not_finite,
    left_out,
    number,
    read_rows,
    roles,
    separator_of,
)
from oesd.formats.vendor import LONGEST_KEY
from oesd.model import Quantity, SpectrumFile

_NAMED = 4
_KEY_END = re.compile(r"[:;=\t]|(?<=^Date) ")


def is_bwspec(lines: Sequence[Line]) -> bool:
    """Whether the text is of B&W Tek's BWSpec: semicolons, and a first line that says so."""
    return lines[0].text.startswith("File Version;BWRam") or lines[0].text.startswith("File Version;BWSpec")


def read_bwspec(lines: Sequence[Line]) -> SpectrumFile:
    """Spectrum of a BWSpec text file; pixels without a wavelength (masked ones) are left out.

    Raises
    ------
    FormatError
        With the line number.
    """
    start = next((i for i, line in enumerate(lines) if line.text.startswith("Pixel;")), None)
    if start is None:
        raise FormatError("no spectrum: no line of column names (Pixel;Wavelength;...)")
    names = roles(cells(lines[start].text, ";"))
    used = [i for i, name in enumerate(names) if name != "skip"]
    if "wavelength" not in names:
        raise FormatError("no column of wavelengths", line=lines[start].number)
    rows, numbers = _lit_rows(lines[start + 1 :], used, names.index("wavelength"))
    return assemble(
        Parts(
            format="BWSpec",
            columns=by_columns(rows, [names[i] for i in used]),
            header=_key_values(lines[:start]),
            lines=numbers,
        )
    )


def _lit_rows(lines: Sequence[Line], used: Sequence[int], axis: int) -> tuple[list[list[float]], list[int]]:
    rows, numbers = [], []
    for line in lines:
        parts = [part.strip() for part in line.text.split(";")]
        if len(parts) <= max(used):
            raise FormatError(f"{len(parts)} columns, {max(used) + 1} expected", line=line.number)
        if parts[axis]:
            rows.append([finite(parts[i], line.number) for i in used])
            numbers.append(line.number)
    return rows, numbers


def read_columns(lines: Sequence[Line]) -> SpectrumFile:
    """Spectrum of a plain table: wavelength first unless the headings say otherwise, then the intensities.

    Raises
    ------
    FormatError
        With the line number.
    """
    start, separator = _first_row(lines)
    table = read_rows(lines[start:], separator)
    above = [line for line in lines[:start] if line.text.strip()]
    header = _key_values(above)
    width = len(table.rows[0])
    names, unread = _headed(above, separator, width)
    if not names:
        check_commas(lines[start:], separator, width)
        names, unread = ["wavelength", "sample", *["skip"] * (width - 2)], [f"column {i + 1}" for i in range(2, width)]
    avantes = any("data measured with spectrometer" in line.text.lower() for line in above)
    return assemble(
        Parts(
            format="AvaSoft" if avantes else "columns",
            columns=by_columns(table.rows, names),
            header=header,
            lines=table.lines,
            warnings=_not_read(unread),
            quantity=_quantity(above),
        )
    )


def _first_row(lines: Sequence[Line]) -> tuple[int, str]:
    """Index of the first line of numbers, and the separator; the line below it must be one too."""
    for i, line in enumerate(lines):
        separator = None if line.text.lstrip().startswith("#") else separator_of(line.text)
        if separator is not None and _goes_on(lines[i + 1 : i + 2], separator):
            return i, separator
    first = next((line.text.strip() for line in lines if line.text.strip()), "")  # none: blanks as ISO-8859-1 has them
    raise FormatError(f"no spectrum: no columns of numbers; it begins '{shown(first)}'")


def _goes_on(below: Sequence[Line], separator: str) -> bool:
    found = cells(below[0].text, separator) if below else []
    return len(found) >= 2 and all(number(cell) is not None or is_not_finite(cell) for cell in found[:2])


def _headed(above: Sequence[Line], separator: str, width: int) -> tuple[list[str], list[str]]:
    """Roles of the columns by the last heading above them that has a wavelength and fits, and what is not read of them.

    Nothing without such a heading.
    """
    for line in reversed(above):
        for split_at in (separator, "\t", ";", ","):
            headings = cells(line.text.lstrip("#").strip(), split_at)[:width]
            found = roles(headings)
            if len(found) == width and "wavelength" in found and len(set(found) - {"skip"}) > 1:
                return found, left_out(headings, found)
    return [], []


def _not_read(columns: Sequence[str]) -> tuple[str, ...]:
    """Say so of columns that may be spectra of their own: a file is one spectrum."""
    if not columns:
        return ()
    more = f" and {len(columns) - _NAMED} more" if len(columns) > _NAMED else ""
    return (f"not read: {', '.join(map(shown, columns[:_NAMED]))}{more}; a file is one spectrum here",)


def _quantity(above: Sequence[Line]) -> Quantity:
    """Quantity that a heading names; a line of key and value is no heading."""
    found = (quantity_named(line.text) for line in reversed(above) if ":" not in line.text)
    return next((quantity for quantity in found if quantity is not Quantity.COUNTS), Quantity.COUNTS)


def _key_values(lines: Sequence[Line]) -> dict[str, str]:
    """``key: value``, ``key;value;``, ``# key = value`` and ``#Date value`` lines; of two with one key the first."""
    header: dict[str, str] = {}
    for line in lines:
        text = line.text.lstrip(" #")
        key, *value = _KEY_END.split(text, maxsplit=1)
        if value and 0 < len(key.strip()) <= LONGEST_KEY:
            header.setdefault(key.strip(), value[0].strip(" ;\t"))
    return header
