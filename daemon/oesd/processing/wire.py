"""Messages over a stream socket: ``length | bytes``."""

from __future__ import annotations

import socket
import struct
import time

_LENGTH = struct.Struct("<Q")
_LONGEST = 1 << 30


def send(channel: socket.socket, message: bytes, until_s: float | None = None) -> None:
    """Send a message by a moment of the monotonic clock.

    Raises
    ------
    OSError
        When the other end is gone; TimeoutError when it does not take the message in time.
    """
    channel.settimeout(_left_s(until_s))
    channel.sendall(_LENGTH.pack(len(message)) + message)


def receive(channel: socket.socket, until_s: float | None = None) -> bytes:
    """Receive a message by a moment of the monotonic clock.

    Raises
    ------
    EOFError
        When the other end closed, or sends what is no message.
    OSError
        As :func:`send`.
    """
    (length,) = _LENGTH.unpack(_exactly(channel, _LENGTH.size, until_s))
    if length > _LONGEST:
        raise EOFError("no message")
    return bytes(_exactly(channel, length, until_s))


def _exactly(channel: socket.socket, length: int, until_s: float | None) -> bytearray:
    whole = bytearray(length)
    view, filled = memoryview(whole), 0
    while filled < length:
        channel.settimeout(_left_s(until_s))
        count = channel.recv_into(view[filled:])
        if not count:
            raise EOFError("closed")
        filled += count
    return whole


def _left_s(until_s: float | None) -> float | None:
    if until_s is None:
        return None
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("no answer in time")
    return left_s
