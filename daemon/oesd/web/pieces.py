"""Documents with long columns or many rows: encoded and sent a piece at a time.

Encoding a million numbers at once keeps the interpreter for a tenth of a second, and every capture waiting; a piece
keeps it for less than a millisecond, and others get their turn between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.responses import StreamingResponse

from oesd.web.answers import encode
from oesd.web.turns import making

Values = list[Any] | NDArray[Any]
PIECE = 4096
"""Values that are encoded at once."""


class PiecewiseAnswer(StreamingResponse):
    """A JSON document; never cached, as every document here is a moment's state.

    Parameters
    ----------
    content : mapping
        What :func:`~oesd.web.answers.encode` takes; long lists and arrays in it are sent in pieces.
    """

    def __init__(self, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        told = {"cache-control": "no-store", **(headers or {})}
        super().__init__(in_turns(pieces(content)), media_type="application/json", headers=told)


def pieces(document: Mapping[str, Any]) -> Iterator[bytes]:
    """The JSON of a document, a piece at a time; all pieces together are what ``encode`` makes of it."""
    begun = b"{"
    for name, value in document.items():
        yield begun + encode(name) + b":"
        begun = b","
        if isinstance(value, (list, np.ndarray)):
            yield from _list(value)
        else:
            yield encode(value)
    yield b"}" if begun == b"," else b"{}"


def _list(values: Values) -> Iterator[bytes]:
    at_once = max(1, PIECE // _width(values))
    for start in range(0, len(values), at_once):
        part = values[start : start + at_once]
        whole = np.ascontiguousarray(part) if isinstance(part, np.ndarray) else part
        yield (b"," if start else b"[") + encode(whole)[1:-1]
    yield b"]" if len(values) else b"[]"


def _width(values: Values) -> int:
    """Values in each item: rows of a table are long themselves."""
    first = values[0] if len(values) else 0
    return max(1, len(first)) if isinstance(first, (list, np.ndarray)) else 1


def in_turns(made: Iterator[bytes]) -> Iterator[bytes]:
    """Each piece made in a turn of its own (:mod:`oesd.web.turns`)."""
    while True:
        with making:
            piece = next(made, None)
        if piece is None:
            return
        yield piece
