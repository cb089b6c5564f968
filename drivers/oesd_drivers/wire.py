"""What crosses between :mod:`.isolated` and its worker: a JSON header and raw arrays, every size and type checked.

::

    "OES1" | header length u32 | body length u32 | header (JSON, UTF-8) | arrays, one after the other, little endian

Not pickle: what a broken or hijacked child sends must not run code in its parent.
"""

from __future__ import annotations

import json
import socket
import struct
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import errors
from .errors import Reopen, SpectrometerError
from .spectrometer import Description, Exposure, Frame, Trigger

_PREFIX = struct.Struct("!4sII")
_MAGIC = b"OES1"
_LONGEST_HEADER, _LONGEST_BODY = 1 << 16, 1 << 20
_MOST_PIXELS = 1 << 14
#: Frames in one message, and values in one of its arrays.
MOST_FRAMES = 20
_MOST_VALUES = 1 << 17
_LONGEST_TEXT, _LONGEST_TRACEBACK = 500, 8000
_FORMS = {"<f8", "<f4", "<u4", "|b1"}

Arrays = Mapping[str, NDArray[Any]]


class WireError(ValueError):
    """What came is no message, or not the one that was due."""


def send(channel: socket.socket, header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Send one message."""
    arrays = arrays or {}
    forms = {name: [array.dtype.str, len(array)] for name, array in arrays.items()}
    text = json.dumps({**header, "arrays": forms}, allow_nan=False).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    channel.sendall(_PREFIX.pack(_MAGIC, len(text), len(body)) + text + body)


def receive(channel: socket.socket, deadline_s: float | None = None) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Receive one message.

    Parameters
    ----------
    deadline_s : float, optional
        When to stop waiting, on ``time.monotonic()``; absent waits for ever.

    Raises
    ------
    EOFError
        The other end is closed.
    TimeoutError
        The deadline passed.
    WireError
    """
    magic, header_size, body_size = _PREFIX.unpack(_exactly(channel, _PREFIX.size, deadline_s))
    if magic != _MAGIC or header_size > _LONGEST_HEADER or body_size > _LONGEST_BODY:
        raise WireError("the beginning of a message is wrong")
    header = _header(_exactly(channel, header_size, deadline_s))
    return header, _arrays(header, _exactly(channel, body_size, deadline_s))


def pack_description(description: Description) -> tuple[dict[str, Any], Arrays]:
    """Message of a description."""
    header = {name: getattr(description, name) for name in Description.__slots__ if name != "wavelengths_nm"}
    header["triggers"] = [trigger.value for trigger in description.triggers]
    return header, {"wavelengths_nm": description.wavelengths_nm.astype("<f8")}


def unpack_description(header: Mapping[str, Any], arrays: Arrays) -> Description:
    """Description of a message; :class:`WireError` when it is none."""
    axis = _array(arrays, "wavelengths_nm", "<f8")
    if len(axis) > _MOST_PIXELS or not np.isfinite(axis).all() or not (np.diff(axis) > 0).all():
        raise WireError("the wavelength axis is not increasing")
    return Description(
        serial=_value(header, "serial", str),
        model=_value(header, "model", str),
        wavelengths_nm=axis,
        saturation_counts=_value(header, "saturation_counts", int),
        nonlinearity=tuple(float(c) for c in _numbers(header, "nonlinearity", float)),
        electric_dark_pixels=tuple(int(i) for i in _numbers(header, "electric_dark_pixels", int)),
        integration_min_us=_value(header, "integration_min_us", int),
        integration_max_us=_value(header, "integration_max_us", int),
        calibrated=_value(header, "calibrated", bool),
        simulated=_value(header, "simulated", bool),
        triggers=tuple(_trigger(text) for text in _numbers(header, "triggers", str)),
        cooled=_value(header, "cooled", bool),
        integration_step_us=_positive(header, "integration_step_us"),
    )


def pack_frames(frames: Sequence[Frame]) -> tuple[dict[str, Any], Arrays]:
    """Message of frames of one exposure, at least one and at most :data:`MOST_FRAMES`."""
    exposure = frames[0].exposure
    header = {
        "integration_us": exposure.integration_us,
        "scans": exposure.scans,
        "trigger": exposure.trigger.value,
        "frames": [_stamps(frame) for frame in frames],
    }
    arrays = {
        "counts_sum": np.concatenate([frame.counts_sum for frame in frames]).astype("<u4", copy=False),
        "saturated": np.concatenate([frame.saturated for frame in frames]),
    }
    spreads = [frame.spread for frame in frames if frame.spread is not None]
    return header, arrays | ({"spread": np.concatenate(spreads).astype("<f4", copy=False)} if spreads else {})


def unpack_frames(header: Mapping[str, Any], arrays: Arrays, pixels: int) -> list[Frame]:
    """Frames of a message; :class:`WireError` when there are none, or not of ``pixels`` pixels."""
    stamps = _value(header, "frames", list)
    if not 1 <= len(stamps) <= MOST_FRAMES:
        raise WireError(f"{len(stamps)} frames came in one message")
    exposure = Exposure(
        _value(header, "integration_us", int), _value(header, "scans", int), _trigger(_value(header, "trigger", str))
    )
    counts = _rows(arrays, "counts_sum", "<u4", len(stamps), pixels)
    saturated = _rows(arrays, "saturated", "|b1", len(stamps), pixels)
    spreads = _rows(arrays, "spread", "<f4", len(stamps), pixels) if "spread" in arrays else [None] * len(stamps)
    return [
        Frame(row, full, exposure, *_stamped(stamp), spread)
        for row, full, stamp, spread in zip(counts, saturated, stamps, spreads, strict=True)
    ]


def _stamps(frame: Frame) -> list[int | float | None]:
    clocks = [frame.started_monotonic_ns, frame.started_unix_ns]
    return [*clocks, frame.detector_temperature_c, frame.board_temperature_c, frame.index]


def _stamped(stamps: Any) -> tuple[int, int, float | None, float | None, int]:
    match stamps:
        case [int(monotonic_ns), int(unix_ns), float() | None as detector_c, float() | None as board_c, int(index)]:
            return monotonic_ns, unix_ns, detector_c, board_c, index
        case _:
            raise WireError("the clocks and temperatures of a frame are missing or of the wrong type")


def _rows(arrays: Arrays, name: str, form: str, frames: int, pixels: int) -> list[NDArray[Any]]:
    """One array for each frame, with memory of its own: who keeps one frame does not keep all."""
    values = _array(arrays, name, form)
    if len(values) != frames * pixels:
        raise WireError(f"{name} of {len(values)} values came where {frames} frames of {pixels} pixels were due")
    return [values] if frames == 1 else [row.copy() for row in values.reshape(frames, pixels)]


def _trigger(text: Any) -> Trigger:
    try:
        return Trigger(text)
    except ValueError as error:
        raise WireError(f"unknown trigger {text!r:.60}") from error


def pack_error(error: BaseException) -> dict[str, Any]:
    """Message of an error: class, text, traceback. A class that is not ours crosses as :class:`Reopen`."""
    known = isinstance(error, SpectrometerError)
    text = str(error) if known else f"unexpected {type(error).__name__}: {str(error)!r}"
    return {
        "error": type(error).__name__ if known else Reopen.__name__,
        "message": text[:_LONGEST_TEXT],
        "traceback": "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:],
    }


def unpack_error(header: Mapping[str, Any]) -> SpectrometerError | None:
    """Error of a message, with the worker's traceback as a note; None when it carries none."""
    if "error" not in header:
        return None
    kind = getattr(errors, _value(header, "error", str), None)
    if not (isinstance(kind, type) and issubclass(kind, SpectrometerError)):
        raise WireError(f"unknown error {header['error']!r:.60}")
    error = kind(_value(header, "message", str)[:_LONGEST_TEXT])
    error.add_note("In the worker:\n" + _value(header, "traceback", str)[-_LONGEST_TRACEBACK:])
    return error


def _exactly(channel: socket.socket, size: int, deadline_s: float | None) -> bytes:
    got = bytearray()
    while len(got) < size:
        if deadline_s is not None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            channel.settimeout(left_s)
        part = channel.recv(size - len(got))
        if not part:
            raise EOFError
        got += part
    return bytes(got)


def _header(text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("the header of a message is no JSON") from error
    if not isinstance(header, dict):
        raise WireError("the header of a message is no object")
    return header


def _arrays(header: Mapping[str, Any], body: bytes) -> dict[str, NDArray[Any]]:
    arrays, begin = {}, 0
    for name, form in _value(header, "arrays", dict).items():
        if not (isinstance(form, list) and len(form) == 2 and form[0] in _FORMS and type(form[1]) is int):
            raise WireError(f"unknown array {name!r:.60}")
        size = np.dtype(form[0]).itemsize * form[1]
        if not (0 < form[1] <= _MOST_VALUES and begin + size <= len(body)):
            raise WireError(f"array {name!r:.60} does not fit its message")
        arrays[name] = np.frombuffer(body, dtype=form[0], count=form[1], offset=begin).copy()
        begin += size
    if begin != len(body):
        raise WireError("a message is longer than its arrays")
    return arrays


def _array(arrays: Arrays, name: str, form: str) -> NDArray[Any]:
    if name not in arrays or arrays[name].dtype.str != form:
        raise WireError(f"{name} is missing or of the wrong type")
    return arrays[name]


def _value(header: Mapping[str, Any], name: str, kind: type) -> Any:
    if type(header.get(name)) is not kind:
        raise WireError(f"{name} is missing or of the wrong type")
    return header[name]


def _positive(header: Mapping[str, Any], name: str) -> int:
    number = _value(header, name, int)
    if number < 1:
        raise WireError(f"{name} is {number}")
    return int(number)


def _numbers(header: Mapping[str, Any], name: str, kind: type) -> list[Any]:
    numbers = _value(header, name, list)
    if len(numbers) > _MOST_PIXELS or any(type(number) is not kind for number in numbers):
        raise WireError(f"{name} is too long or holds something else")
    return list(numbers)
