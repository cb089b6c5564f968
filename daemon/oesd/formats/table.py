"""Columns of numbers in a text: separators, decimal commas, and what the columns are called."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oesd.formats.decoding import Line
from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown

MOST_PIXELS = 100_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*|,[0-9]+)?|[.,][0-9]+)(?:[eEdD][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity|1\.#\w+|#n/a|n/a|null|none|--)", re.IGNORECASE)
SEPARATORS = ("\t", ";", " ", ",")  # " " is any run of blanks; the comma is last: it may be a decimal comma

# Column names in the order of the search; the first that fits a heading wins.
_ROLES = (
    ("skip", r"raman|wave ?number|1/cm|cm-1|pixel|#$|index"),
    ("wavelength", r"w$|x$|nm$|wave|lambda|wl|wellenl|longitud|longueur|onda"),
    ("processed", r"p$|process|subtract|corrected|scope_corrected|%|trans|refl|absorb|irrad"),
    ("dark", r"d$|dark|backgr|dunkel|oscur|noir"),
    ("reference", r"r$|ref"),
    ("sample", r"s$|y$|sample|scope|count|intens|signal|raw|spectr|muestra|probe|camera|power|value"),
)


class Table(NamedTuple):
    """Rows of numbers, each with the number of its line; all rows have the same length."""

    lines: list[int]
    rows: list[list[float]]


def number(text: str) -> float | None:
    """Number with a decimal point or comma; None when the text is none, NaN or infinity included."""
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text.replace(",", ".").replace("d", "e").replace("D", "e"))
    return value if math.isfinite(value) else None


def cells(text: str, separator: str) -> list[str]:
    """Split a line; the empty cell after a trailing separator is dropped."""
    parts = [part.strip() for part in text.strip(" ").split(None if separator == " " else separator)]
    return parts[:-1] if parts and not parts[-1] else parts


def separator_of(text: str) -> str | None:
    """Return the separator with which a line reads as two numbers or more; None when there is none."""
    for separator in SEPARATORS:
        parts = cells(text, separator)
        if len(parts) >= 2 and all(number(part) is not None or is_not_finite(part) for part in parts):
            return separator
    return None


def check_commas(lines: Iterable[Line], separator: str, width: int) -> None:
    """Refuse columns without names of which nobody can say whether a comma separates them or is their decimal sign.

    ``350,1,120,5`` is two numbers on a European computer; where a decimal point stands somewhere, the comma separates.

    Raises
    ------
    FormatError
        One line, with what to do.
    """
    if separator == "," and width > len(("wavelength", "sample")) and not any("." in line.text for line in lines):
        raise FormatError(
            f"{width} columns, or decimal commas between commas? name the columns in a line above them "
            "(wavelength,sample,...), or separate them by semicolons"
        )


def is_not_finite(text: str) -> bool:
    """Whether a cell stands for no finite number: ``NaN``, ``-1.#IND``, ``inf``."""
    return _NOT_FINITE.fullmatch(text.strip()) is not None


def read_rows(lines: Iterable[Line], separator: str) -> Table:
    """Rows of numbers up to the end of the lines; blank lines and ``#`` comments are passed over.

    Raises
    ------
    FormatError
        With the line number: a cell that is no finite number, a row of another length, more than ``MOST_PIXELS`` rows.
    """
    table = Table([], [])
    for line in lines:
        if line.text.strip() and not line.text.lstrip().startswith("#"):
            table.rows.append(_row(line, separator, table))
            table.lines.append(line.number)
    return table


def _row(line: Line, separator: str, table: Table) -> list[float]:
    row = [finite(cell, line.number) for cell in cells(line.text, separator)]
    if table.rows and len(row) != len(table.rows[0]):
        raise FormatError(f"{len(row)} columns where the rows before have {len(table.rows[0])}", line=line.number)
    if len(table.rows) >= MOST_PIXELS:
        raise FormatError(f"more than {MOST_PIXELS} pixels", line=line.number)
    return row


def finite(cell: str, line: int | None) -> float:
    """Return the number in a cell.

    Raises
    ------
    FormatError
        When there is none, or none that is finite.
    """
    value = number(cell)
    if value is not None:
        return value
    if is_not_finite(cell) or _NUMBER.fullmatch(cell):
        raise FormatError(f"the value {shown(cell)} is not finite", line=line)
    raise FormatError(f"expected a number, found '{shown(cell)}'" if cell else "a number is missing", line=line)


def roles(headings: Sequence[str]) -> list[str]:
    """What each column is: wavelength, sample, dark, reference, processed, or skip; each but skip at most once."""
    found: list[str] = []
    for heading in headings:
        role = next((role for role, names in _ROLES if re.match(_pattern(role, names), _bare(heading).lower())), "skip")
        found.append("skip" if role in found else role)
    return found


def left_out(headings: Sequence[str], found: Sequence[str]) -> list[str]:
    """Headings of columns that :func:`roles` passes over and that may be spectra: no axis, no number of the pixel."""
    other_axis = _pattern(*_ROLES[0])
    return [
        _bare(heading)
        for heading, role in zip(headings, found, strict=True)
        if role == "skip" and not re.match(other_axis, _bare(heading).lower())
    ]


def _bare(heading: str) -> str:
    return heading.strip().strip("\"'").strip()


def _pattern(role: str, names: str) -> str:
    # "Dark Subtracted #1" is processed and "% reflectance" no reference: those words count anywhere in the heading.
    return rf"(?:.*[ _])?(?:{names})" if role in ("processed", "sample") else rf"(?:[0-9]+:)?(?:{names})"
