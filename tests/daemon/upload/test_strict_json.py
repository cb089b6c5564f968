"""JSON from a stranger."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd.upload.errors import ProtocolBroken, one_line
from oesd.upload.strict_json import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
def test_strict_json_is_read(value: object) -> None:
    assert parse_json(json.dumps(value).encode(), "test") == value


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{}{}", b"NaN", b"[Infinity]", b"[-Infinity]", b"1e400", b'{"a":-1e999}', b'{"a":1,"a":2}',
        b'[{"b":{"x":1,"x":1}}]', b"\xff\xfe", b"\xef\xbb\xbf{}", b"'single'", b"[" * 200_000, b'{"a":' * 100_000,
        b"9" * 5000, b'"\x01"', b"undefined",
    ],
)  # fmt: skip
def test_all_else_is_refused_in_one_short_line(body: bytes) -> None:
    with pytest.raises(ProtocolBroken) as caught:
        parse_json(body, "presign")
    assert str(caught.value).startswith("presign: answer is no JSON we take")
    assert len(str(caught.value)) < 300
    assert caught.value.__context__ is None


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(body: bytes) -> None:
    try:
        parse_json(body, "test")
    except ProtocolBroken as refusal:
        assert str(refusal).isprintable()


@given(st.text(), st.integers(1, 300))
def test_one_line_is_one_short_printable_line(text: str, limit: int) -> None:
    shown = one_line(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit + 3
    if text.isprintable() and len(text) <= limit:
        assert shown == text
