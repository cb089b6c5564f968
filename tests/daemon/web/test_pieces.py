"""Long documents a piece at a time: the same JSON, and nobody is kept from a turn for long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from oesd.web.answers import encode
from oesd.web.pieces import PIECE, in_turns, pieces
from oesd.web.turns import making

VALUES = st.none() | st.booleans() | st.floats(allow_nan=True) | st.text(max_size=5) | st.integers(-(2**53), 2**53)
COLUMNS = st.lists(VALUES, max_size=9) | st.lists(st.floats(), max_size=9).map(np.array)
LONG = st.builds(lambda value, more: [value] * (PIECE + more), VALUES, st.integers(0, PIECE + 2))


@given(st.dictionaries(st.text(max_size=4), VALUES | COLUMNS | LONG | st.lists(COLUMNS, max_size=3), max_size=5))
def test_all_pieces_together_are_the_document(document: dict[str, Any]) -> None:
    assert b"".join(pieces(document)) == encode(document)


def test_a_table_is_cut_by_its_values() -> None:
    rows = [np.arange(1000.0) for _ in range(40)]
    made = list(pieces({"rows": rows}))
    assert orjson.loads(b"".join(made))["rows"] == [row.tolist() for row in rows]
    assert max(map(len, made)) < 8 * 2 * PIECE
    assert b"".join(pieces({"each_second": np.arange(9.0)[::2]})) == b'{"each_second":[0.0,2.0,4.0,6.0,8.0]}'


def test_others_get_their_turn_between_two_pieces() -> None:
    number = 0
    for _ in in_turns(pieces({"values": np.zeros(4 * PIECE)})):
        with free(making):
            number += 1
    assert number >= 4


@contextmanager
def free(lock: threading.Lock) -> Iterator[None]:
    assert lock.acquire(blocking=False)
    try:
        yield
    finally:
        lock.release()
