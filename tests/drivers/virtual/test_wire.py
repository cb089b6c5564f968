"""Messages of the bus host."""

import math
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers.virtual.wire import LONGEST, WireError, decode, encode, receive, send

leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.text(max_size=50) | st.binary(max_size=50)
)  # fmt: skip
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=20)


@given(st.lists(values, max_size=5).map(tuple))
def test_what_is_sent_is_received(value):
    try:
        decoded = decode(encode(value))
    except WireError:
        assert _depth(value) > 8
    else:
        assert decoded == value


def _depth(value: object) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, tuple) else 0


@given(st.binary(max_size=200))
def test_foreign_bytes_give_a_value_or_a_wire_error(data):
    try:
        value = decode(data)
    except WireError:
        return
    if not _has_nan(value):
        assert encode(value) == data


def _has_nan(value: object) -> bool:
    if isinstance(value, tuple):
        return any(map(_has_nan, value))
    return isinstance(value, float) and math.isnan(value)


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"i123", b"s" + b"\xff" * 4, b"t" + b"\xff" * 4, b"NN", b"s\1\0\0\0\xff", b"t\1\0\0\0" * 9 + b"N"],
)
def test_damage_is_named(data):
    with pytest.raises(WireError):
        decode(data)


def test_over_a_socket():
    near, far = socket.socketpair()
    with near, far:
        send(near, ("read", 1, b"x" * 8000))
        assert receive(far) == ("read", 1, b"x" * 8000)
        with pytest.raises(WireError, match="too long"):
            send(near, b"x" * (LONGEST + 1))
        near.sendall(b"\xff\xff\xff\xff")
        with pytest.raises(WireError, match="too long"):
            receive(far)
        near.close()
        with pytest.raises(WireError, match="closed"):
            receive(far)
