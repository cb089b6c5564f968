"""Messages of the Ocean Binary Protocol, both versions: built, and every answer checked.

pyseabreeze's own ``send`` and ``query`` swallow a refusal, do not compare the answer's message type with the
question's, and only warn of a wrong checksum. A frame, little endian (STS Data Sheet 030-00000-003)::

    c1 c0 | version u16 | flags u16 | error u16 | message u32 | regarding u32 | 6 reserved |
    checksum type u8 | immediate length u8 | immediate data 16 | remaining u32 | payload | md5 16 | c5 c4 c3 c2
"""

from __future__ import annotations

import hashlib
import struct

from .errors import Reopen

_HEADER = struct.Struct("<HHHHLL6xBB16sL")
_FOOTER = struct.Struct("<16sL")
_START, _END = 0xC0C1, 0xC2C3C4C5
#: Asks for an acknowledgement.
ASK_ACK = 0x0004
_REFUSED = 0x0008 | 0x0010
_MD5 = 1
_LONGEST_ANSWER = 1 << 16
#: Bytes of a message without a payload.
EMPTY_SIZE = _HEADER.size + _FOOTER.size
_REASONS = {
    1: "unsupported protocol",
    2: "unknown message",
    3: "bad checksum",
    4: "message too large",
    5: "wrong payload length",
    6: "invalid payload",
    7: "not ready",
    12: "no such information",
    13: "internal error of the device",
}


class Nack(Exception):
    """The device understood the frame and refused it; ``code`` is its error number."""

    def __init__(self, code: int) -> None:
        super().__init__(_REASONS.get(code, f"error {code}"))
        self.code = code


def pack(version: int, message: int, data: bytes, flags: int) -> bytes:
    """Frame of a message to the device; ``data`` of at most 16 bytes."""
    header = _HEADER.pack(_START, version, flags, 0, message, 0, 0, len(data), data, _FOOTER.size)
    return header + _FOOTER.pack(b"", _END)


def unpack(answer: bytes, version: int, message: int) -> bytes:
    """Payload of an answer.

    Raises
    ------
    Nack
        The device refused.
    Reopen
        The frame is broken, or answers something else: where the next one begins is not known any more.
    """
    size = whole_size(answer, version)
    if len(answer) != size:
        raise Reopen(f"an answer of {len(answer)} bytes came where {size} were due")
    _, _, flags, error, kind, _, checksum, immediate, data, _ = _HEADER.unpack_from(answer)
    digest, end = _FOOTER.unpack(answer[-_FOOTER.size :])
    if end != _END:
        raise Reopen("the end mark of an answer is missing")
    if checksum == _MD5 and digest != hashlib.md5(answer[: -_FOOTER.size], usedforsecurity=False).digest():
        raise Reopen("the checksum of an answer is wrong")
    if flags & _REFUSED:
        raise Nack(error)
    if kind != message:
        raise Reopen(f"an answer to message 0x{kind:08x} came where 0x{message:08x} was asked")
    return bytes(data[: min(immediate, 16)]) if immediate else answer[_HEADER.size : -_FOOTER.size]


def whole_size(answer: bytes, version: int) -> int:
    """Size of the frame its header announces, in bytes."""
    if len(answer) < _HEADER.size:
        raise Reopen(f"an answer of {len(answer)} bytes is shorter than its header")
    start, spoken, *_, remaining = _HEADER.unpack_from(answer)
    if start != _START or spoken != version:
        raise Reopen(f"an answer does not begin like one: {answer[:4].hex()!r}")
    if not _FOOTER.size <= remaining <= _LONGEST_ANSWER:
        raise Reopen(f"an answer announces {remaining} bytes more")
    return int(_HEADER.size + remaining)
