"""Columns of numbers as text that reads back as the very same floats."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import orjson

from oesd.formats.errors import FormatError
from oesd.formats.escaping import shown
from oesd.formats.table import is_not_finite
from oesd.model import FloatArray


def number_texts(values: FloatArray) -> list[bytes]:
    """Shortest text of each float, at most 24 characters, ``1e300`` for what is long otherwise."""
    return orjson.dumps(np.ascontiguousarray(values, np.float64), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")


def rows_of(columns: Iterable[FloatArray], separator: bytes) -> bytes:
    """Lines of the columns side by side, each ended by a line feed."""
    rows = zip(*map(number_texts, columns), strict=True)
    return b"".join(separator.join(row) + b"\n" for row in rows)


def floats_of(texts: Iterable[str], line: int | None = None) -> FloatArray:
    """Return the finite numbers in texts.

    Raises
    ------
    FormatError
        Naming the first text that is none; ``line`` is that of the first text where each has a line of its own.
    """
    texts = list(texts)
    try:
        values = np.array([float(text) for text in texts], dtype=np.float64)
    except ValueError:
        values = None
    if values is not None and np.isfinite(values).all():
        return values
    at, bad = next((i, text) for i, text in enumerate(texts) if not _is_finite(text))
    where = None if line is None else line + at
    if is_not_finite(bad):
        raise FormatError(f"the value {shown(bad.strip())} is not finite", line=where)
    raise FormatError(f"expected a number, found '{shown(bad)}'", line=where)


def _is_finite(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
