from __future__ import annotations

import dataclasses
import json
import socket
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oesd_drivers import errors, wire
from oesd_drivers.spectrometer import Description, Exposure, Frame, Trigger

DESCRIPTION = Description(
    serial="OES\x1b[2J" + "x" * 200,
    model="QE-PRO",
    wavelengths_nm=np.linspace(200.0, 900.0, 1044),
    saturation_counts=262143,
    nonlinearity=(0.98, 2.6e-7),
    electric_dark_pixels=(0, 1, 1043),
    integration_min_us=8000,
    integration_max_us=1_599_999_999,
    calibrated=True,
    simulated=True,
    triggers=(Trigger.FREE, Trigger.EDGE),
    cooled=True,
)


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def over(ends, header, arrays):
    wire.send(ends[0], header, arrays)
    return wire.receive(ends[1], time.monotonic() + 5)


def test_a_description_comes_through(ends):
    told = wire.unpack_description(*over(ends, *wire.pack_description(DESCRIPTION)))
    for field in dataclasses.fields(Description):
        assert np.array_equal(getattr(told, field.name), getattr(DESCRIPTION, field.name))


@given(
    st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50),
    st.none() | st.floats(-100, 100),
    st.integers(0, 2**63),
    st.integers(1, wire.MOST_FRAMES),
    st.booleans(),
)
def test_frames_come_through(counts, temperature_c, started_ns, many, spread):
    counts_sum = np.array(counts, dtype=np.uint32)
    scatter = counts_sum.astype(np.float32) if spread else None
    exposure = Exposure(5, 3, Trigger.EDGE)
    sent = [
        Frame(counts_sum // (i + 1), counts_sum % 2 == 1, exposure, started_ns, i, temperature_c, None, i, scatter)
        for i in range(many)
    ]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        told = wire.unpack_frames(*over((ours, theirs), *wire.pack_frames(sent)), len(counts))
    assert len(told) == many
    for before, after in zip(sent, told, strict=True):
        for field in dataclasses.fields(Frame):
            assert np.array_equal(getattr(before, field.name), getattr(after, field.name))


@pytest.mark.parametrize("kind", [errors.Gone, errors.Busy, errors.Refused, errors.Reopen])
def test_an_error_crosses_with_class_text_and_traceback(ends, kind):
    try:
        raise kind("the STS at 250:001 was unplugged")
    except errors.SpectrometerError as raised:
        header, _ = over(ends, wire.pack_error(raised), {})
    told = wire.unpack_error(header)
    assert type(told) is kind
    assert str(told) == "the STS at 250:001 was unplugged"
    assert "test_wire.py" in told.__notes__[0]


def test_a_foreign_error_crosses_as_reopen(ends):
    header, _ = over(ends, wire.pack_error(KeyError("x" * 9000)), {})
    told = wire.unpack_error(header)
    assert type(told) is errors.Reopen
    assert "KeyError" in str(told)
    assert len(str(told)) <= 500


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "annotations", "", "OSError"])
def test_only_our_errors_can_be_named(name):
    with pytest.raises(wire.WireError):
        wire.unpack_error({"error": name, "message": "", "traceback": ""})


def raw(header: bytes, body: bytes = b"", magic: bytes = b"OES1") -> bytes:
    return struct.pack("!4sII", magic, len(header), len(body)) + header + body


def array(form: object, body: bytes) -> bytes:
    return raw(json.dumps({"arrays": {"a": form}}).encode(), body)


@pytest.mark.parametrize(
    "message",
    [
        raw(b"{}", magic=b"HTTP"),
        raw(b"not json"),
        raw(b"[]"),
        raw(b'{"arrays": []}'),
        raw(b"[" * 60_000),
        raw(b'{"arrays": {}}', b"left over"),
        struct.pack("!4sII", b"OES1", 1 << 20, 0),
        struct.pack("!4sII", b"OES1", 2, 1 << 30),
        array(["<f8", 2], b"too short"),
        array(["<f8", -1], b""),
        array(["<f8", 1 << 40], b""),
        array(["<f8", True], bytes(8)),
        array(["O", 1], bytes(8)),
        array(["<f8"], bytes(8)),
        array("<f8", bytes(8)),
    ],
)
def test_what_is_no_message_is_refused_before_it_is_believed(ends, message):
    ends[0].sendall(message)
    ends[0].shutdown(socket.SHUT_WR)
    with pytest.raises(wire.WireError):
        wire.receive(ends[1], time.monotonic() + 5)


@given(st.binary(max_size=200))
def test_noise_ends_as_an_error_of_the_wire(noise):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(noise)
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises((wire.WireError, EOFError)):
            wire.receive(theirs, time.monotonic() + 5)


def test_a_message_that_trickles_meets_the_deadline(ends):
    ends[0].sendall(raw(b"{}")[:5])
    with pytest.raises(TimeoutError):
        wire.receive(ends[1], time.monotonic() + 0.05)


def broken(**changes):
    header, arrays = wire.pack_description(DESCRIPTION)
    wrong = {name: value for name, value in changes.items() if isinstance(value, np.ndarray)}
    return {**header, **{n: v for n, v in changes.items() if n not in wrong}}, {**arrays, **wrong}


@pytest.mark.parametrize(
    "changes",
    [
        {"serial": None},
        {"saturation_counts": 1.5},
        {"saturation_counts": True},
        {"calibrated": 1},
        {"cooled": None},
        {"triggers": ["by hand"]},
        {"triggers": [0]},
        {"wavelengths_nm": np.arange(20_000.0)},
        {"nonlinearity": ["1"]},
        {"nonlinearity": [0.0] * 20_000},
        {"electric_dark_pixels": {"0": 1}},
        {"wavelengths_nm": np.array([1.0, np.nan])},
        {"wavelengths_nm": np.array([2.0, 1.0])},
        {"wavelengths_nm": np.array([1, 2], dtype=np.uint32)},
    ],
)
def test_a_description_of_the_wrong_form_is_refused(changes):
    with pytest.raises(wire.WireError):
        wire.unpack_description(*broken(**changes))


def frames_message(pixels=5, **changes):
    frame = Frame(np.zeros(pixels, np.uint32), np.zeros(pixels, np.bool_), Exposure(5), 0, 0, None, None)
    header, arrays = wire.pack_frames([frame, frame])
    return {**header, **changes}, arrays


def test_frames_of_another_detector_are_refused():
    with pytest.raises(wire.WireError, match=r"5 pixels|10 values"):
        wire.unpack_frames(*frames_message(), 2048)


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": []},
        {"frames": [[0, 0, None, None, 0]]},
        {"frames": [[0, 0, None, None, 0]] * 21},
        {"frames": [[0, 0, None, None, 0], [0, 0, None, "warm", 1]]},
        {"frames": [[0, 0, None, None, 0], 7]},
        {"trigger": "by hand"},
        {"scans": 1.0},
    ],
)
def test_frames_of_the_wrong_form_are_refused(changes):
    with pytest.raises(wire.WireError):
        wire.unpack_frames(*frames_message(**changes), 5)
