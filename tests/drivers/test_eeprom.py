from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers import eeprom
from oesd_drivers.errors import Reopen


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"3.402e+02", 340.2), (b"-1.2e-5", -1.2e-5), (b"+7", 7.0), (b".5", 0.5), (b"4.", 4.0), (b"0E0", 0.0)],
)
def test_plain_numbers_are_read(text, value):
    assert eeprom.number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *(b"nan", b"inf", b"-Infinity", b"1e400", b"1e13", b"", b"1_000", b"0x10", b"1,5", b"1 2", b"\xff" * 15),
        *("١٢٣".encode(), "３".encode(), "1e٣".encode()),
    ],
)
def test_what_python_would_take_for_a_number_is_not_one(text):
    assert eeprom.number(text) is None


@given(st.binary(max_size=15))
def test_any_bytes_give_a_finite_number_or_none(text):
    value = eeprom.number(text)
    assert value is None or math.isfinite(value)


@given(st.floats(-1e11, 1e11, allow_nan=False))
def test_what_the_factory_writes_is_read_back(value):
    assert eeprom.number(f"{value:.6e}".encode()) == float(f"{value:.6e}")


class Slots:
    """The message level of an OOI device: answers a slot with bytes as they are."""

    def __init__(self, answers: dict[int, bytes]) -> None:
        self.answers = answers
        self.asked = -1

    def send(self, message: int, slot: int) -> None:
        assert message == 0x05
        self.asked = slot

    def receive(self, size: int, mode: str) -> bytes:
        return self.answers[self.asked]


def answer(slot: int, text: bytes) -> bytes:
    return bytes((5, slot)) + text.ljust(15, b"\0")


@pytest.mark.parametrize(
    "bad", [b"", b"\x05", answer(4, b"1"), b"\x06\x03" + b"1".ljust(15, b"\0"), bytes((5, 3)) + b"1.23"]
)
def test_an_answer_that_is_cut_or_of_another_slot_is_refused(bad):
    with pytest.raises(Reopen):
        eeprom.read_slot(Slots({3: bad}), 3)


def test_a_slot_filled_to_its_end_is_read_whole():
    assert eeprom.read_slot(Slots({0: answer(0, b"ABCDEFGHIJKLMNO")}), 0) == b"ABCDEFGHIJKLMNO"


def test_a_foreign_serial_is_shown_escaped():
    assert eeprom.serial(Slots({0: answer(0, b"USB\xff\x1b[2J")})) == "USB\\xff\x1b[2J"


@pytest.mark.parametrize(
    ("order", "count"), [(b"7", 8), (b"0", 1), (b"3.0", 4), (b"8", 0), (b"-1", 0), (b"2.5", 0), (b"", 0), (b"nan", 0)]
)
def test_the_order_of_the_nonlinearity_is_bounded(order, count):
    slots = Slots({14: answer(14, order)} | {6 + i: answer(6 + i, b"1e-3") for i in range(8)})
    assert len(eeprom.nonlinearity_coefficients(slots)) == count
