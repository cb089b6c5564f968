"""Tables as CSV (RFC 4180), for spreadsheets and scripts."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from oesd.web.calls import CSV

CSV_TYPE = f"{CSV}; charset=utf-8; header=present"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def sheet(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Columns' names and rows as CSV.

    A missing or non-finite value is an empty cell. A text that a spreadsheet would take for a formula gets an
    apostrophe in front: texts here are foreign (labels, serial numbers, reasons).
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value
