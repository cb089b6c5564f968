"""Messages between a bus host and its clients: plain values, length first, bounded, no code in them.

A message is a little-endian u32 length and one encoded value. A value is a tag byte and its content::

    N none   T true   F false   i s64   d f64   s u32 UTF-8   b u32 bytes   t u32 values (a tuple)

A request is ``(operation, *arguments)``. The answer is ``("ok", value)``, ``("bus", code)`` for a libusb error, or
``("error", text)``.
"""

from __future__ import annotations

import socket
import struct

Value = bool | int | float | str | bytes | tuple["Value", ...] | None

#: Longest message in bytes; a spectrum is 8 kB.
LONGEST = 1 << 20
_DEEPEST = 8
_LENGTH = struct.Struct("<I")
_INTEGER = struct.Struct("<q")
_REAL = struct.Struct("<d")


class WireError(ConnectionError):
    """The other side does not speak this protocol, or is gone."""


def encode(value: Value) -> bytes:
    """Return the bytes of a value."""
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"T", False: b"F"}[value]
    if isinstance(value, int):
        return b"i" + _INTEGER.pack(value)
    if isinstance(value, float):
        return b"d" + _REAL.pack(value)
    if isinstance(value, str):
        return _counted(b"s", value.encode())
    if isinstance(value, bytes):
        return _counted(b"b", value)
    return b"t" + _LENGTH.pack(len(value)) + b"".join(map(encode, value))


def decode(data: bytes) -> Value:
    """Return the value of some bytes; :class:`WireError` when they are no single value."""
    try:
        value, end = _decode(data, 0, _DEEPEST)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise WireError(f"damaged message: {error}") from error
    if end != len(data):
        raise WireError("damaged message: bytes left over")
    return value


def send(connection: socket.socket, value: Value) -> None:
    """Send one message."""
    data = encode(value)
    if len(data) > LONGEST:
        raise WireError("message too long")
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive(connection: socket.socket) -> Value:
    """Wait for one message; :class:`WireError` when the other side has gone or the length is absurd."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > LONGEST:
        raise WireError("message too long")
    return decode(_exactly(connection, length))


def _counted(tag: bytes, data: bytes) -> bytes:
    return tag + _LENGTH.pack(len(data)) + data


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    tag, at = data[at : at + 1], at + 1
    if tag in (b"N", b"T", b"F"):
        return {b"N": None, b"T": True, b"F": False}[tag], at
    if tag == b"i":
        return int(_INTEGER.unpack_from(data, at)[0]), at + _INTEGER.size
    if tag == b"d":
        return float(_REAL.unpack_from(data, at)[0]), at + _REAL.size
    (count,) = _LENGTH.unpack_from(data, at)
    at += _LENGTH.size
    if tag == b"t":
        return _decode_tuple(data, at, count, depth)
    content = data[at : at + count]
    if tag not in (b"s", b"b") or len(content) != count:
        raise WireError("damaged message: unknown tag or short content")
    return content.decode() if tag == b"s" else content, at + count


def _decode_tuple(data: bytes, at: int, count: int, depth: int) -> tuple[Value, int]:
    if depth == 0 or count > len(data) - at:
        raise WireError("damaged message: too deep or too many values")
    values: list[Value] = []
    for _ in range(count):
        value, at = _decode(data, at, depth - 1)
        values.append(value)
    return tuple(values), at


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise WireError("connection closed")
        data += part
    return bytes(data)
