r"""Foreign text in cells that a spreadsheet must not take for a formula, and back.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return is a formula to spreadsheets (OWASP, "CSV
Injection"); after a semicolon, too, where the semicolon separates cells. Such a character is written as its escape,
``\x3d``, which reads back as what it was and says nothing to a spreadsheet. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import re

from oesd.formats.decoding import LONGEST_LINE
from oesd.formats.escaping import printable, unescaped
from oesd.formats.table import number

_FULL_WIDTH = "＝＋－＠"  # some spreadsheets read them as the narrow ones
_FORMULA = re.compile(rf"(?P<before>(?:^|;)[\s\"']*)(?P<sign>[=+\-@{_FULL_WIDTH}])(?P<rest>[^;]*)")


csv.field_size_limit(LONGEST_LINE)  # a list of the saturated ones of 100,000 pixels is longer than its 128 KiB


def cell(text: str) -> str:
    """Text as a cell in quotes, on one line."""
    return '"' + harmless(printable(text)).replace('"', '""') + '"'


def name_cell(text: str) -> str:
    """Text as a cell without quotes: what separates or quotes is escaped."""
    return re.sub('[,;"]', lambda found: rf"\x{ord(found[0]):02x}", harmless(printable(text)))


def harmless(line: str) -> str:
    """Escaped text, with what would begin a formula escaped too."""
    return _FORMULA.sub(_guarded, line)


def _guarded(found: re.Match[str]) -> str:
    if all(number(word) is not None for word in (found["sign"] + found["rest"]).split()):
        return found[0]
    code = ord(found["sign"])
    escape = rf"\x{code:02x}" if code < 256 else rf"\u{code:04x}"
    return f"{found['before']}{escape}{found['rest']}"


def cells_of(line: str) -> list[str]:
    """Texts of a line of cells, unescaped; a spreadsheet may have quoted them otherwise."""
    return [unescaped(text) for text in next(csv.reader([line]), [])]
