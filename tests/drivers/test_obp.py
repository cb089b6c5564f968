from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers import obp, obp_frame
from oesd_drivers.capabilities import CAPABILITIES
from oesd_drivers.errors import Refused, Reopen

MESSAGE = 0x00100928


def frame(payload: bytes, message: int = MESSAGE, flags: int = 1, error: int = 0, version: int = 0x1100) -> bytes:
    """An answer as the data sheet draws it."""
    immediate, body = (payload, b"") if len(payload) <= 16 else (b"", payload)
    head = struct.pack(
        "<HHHHLL6sBB16sL", 0xC0C1, version, flags, error, message, 0, b"", 1, len(immediate), immediate, len(body) + 20
    )
    return head + body + hashlib.md5(head + body).digest() + struct.pack("<L", 0xC2C3C4C5)


@given(st.binary(max_size=300))
def test_a_payload_comes_through(payload):
    assert obp_frame.unpack(frame(payload), 0x1100, MESSAGE) == payload


@given(st.binary(max_size=100), st.data())
def test_no_single_damaged_byte_changes_a_payload(payload, data):
    good = frame(payload)
    place = data.draw(st.integers(0, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    try:
        assert obp_frame.unpack(bytes(bad), 0x1100, MESSAGE) == payload
    except (Reopen, obp_frame.Nack):
        pass


@given(st.binary(max_size=120))
def test_noise_is_never_taken_for_an_answer(noise):
    with pytest.raises(Reopen):
        obp_frame.unpack(noise, 0x1100, MESSAGE)


@pytest.mark.parametrize("size", [0, 10, 43, 44, 63, 65, 127])
def test_a_cut_answer_is_refused(size):
    with pytest.raises(Reopen):
        obp_frame.unpack(frame(bytes(64))[:size], 0x1100, MESSAGE)


def test_the_answer_to_another_question_is_refused():
    with pytest.raises(Reopen, match="0x00000100"):
        obp_frame.unpack(frame(b"STALE123", message=0x100), 0x1100, MESSAGE)


def test_a_refusal_keeps_its_reason():
    with pytest.raises(obp_frame.Nack, match="invalid payload") as told:
        obp_frame.unpack(frame(b"", flags=9, error=6), 0x1100, MESSAGE)
    assert told.value.code == 6
    assert str(obp_frame.Nack(99)) == "error 99"


def test_a_command_carries_its_data_in_the_header():
    sent = obp_frame.pack(0x2000, 0xC01, struct.pack("<L", 5000), 4)
    assert len(sent) == 64
    assert sent[:12] == bytes.fromhex("c1c0 0020 0400 0000 010c0000")
    assert sent[24:28] == struct.pack("<L", 5000)
    assert sent[-4:] == bytes.fromhex("c5c4c3c2")


class Firmware:
    """A device that takes only every tenth microsecond and says what it took."""

    def __init__(self) -> None:
        self.taken_us = 0
        self.waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        message, value = struct.unpack_from("<L", data, 8)[0], struct.unpack_from("<L", data, 24)[0]
        if message == 0x00110010:
            self.taken_us = value // 10 * 10
            self.waiting.append(frame(b"", message, flags=3))
        else:
            self.waiting.append(frame(struct.pack("<L", self.taken_us), message))

    def read(self, size: int | None, timeout_ms: int) -> bytes:
        return self.waiting.pop(0)


def test_an_integration_time_the_device_changes_silently_is_noticed():
    device = obp.ObpDevice(Firmware(), 0x1100, CAPABILITIES["STS"])
    device.set_integration(1000)
    with pytest.raises(Refused, match="1005 us and tells 1000 us"):
        device.set_integration(1005)
