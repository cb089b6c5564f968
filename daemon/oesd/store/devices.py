"""The devices that took captures: each is stored once per content, and read verified.

A row that the disk has damaged is never changed: the next capture writes its content once more, which then serves the
earlier captures too. Their checksums prove that it is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import count

from oesd.model import Device
from oesd.store.database import Connection
from oesd.store.encoding import pack_floats, unpack_floats
from oesd.store.headings import compact_json
from oesd.store.integrity import damaged, fingerprint

_DESCRIBED = (
    "serial", "saturation_counts", "nonlinearity", "electric_dark_pixels", "integration_min_us", "integration_max_us",
    "calibrated",
)  # fmt: skip
_LATER = ("dead_pixels", "stray_light")  # described only where there are any: what was stored before keeps its digest
_DIGEST_BYTES = 32
"""Of the digest itself; what follows it tells copies apart."""
_DEVICE = "SELECT name, model, simulated, description, wavelengths FROM devices WHERE device_no = ?"


def device_number(connection: Connection, digest: bytes, device: Device) -> int:
    """Number of a device, which is stored if it is new, or once more if what is there is damaged.

    Everything that will be measured with it refers to its row: one that has rotted would take all of that with it.
    """
    damaged_before = 0
    for number in _rows(connection, digest):
        if _sound(connection, number, digest) is not None:
            return number
        damaged_before += 1
    name = _name(digest, damaged_before)
    (number,) = connection.execute(
        "INSERT INTO devices (digest, name, model, simulated, description, wavelengths) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING device_no",
        (name, device.name, device.model, device.simulated, _described(device), pack_floats(device.wavelengths_nm)),
    ).fetchone()
    return int(number)


def _name(digest: bytes, copy: int) -> bytes:
    """What the column has for a device, copy 0, and for its copies, which are written when those before are damaged."""
    return digest + copy.to_bytes(2, "big") if copy else digest


def _rows(connection: Connection, digest: bytes) -> Iterator[int]:
    """Numbers of a device and of its copies."""
    for copy in count():
        row = connection.execute("SELECT device_no FROM devices WHERE digest = ?", (_name(digest, copy),)).fetchone()
        if row is None:
            return
        yield int(row[0])


def _described(device: Device) -> str:
    later = {name: getattr(device, name) for name in _LATER}
    return compact_json({name: getattr(device, name) for name in _DESCRIBED} | {n: v for n, v in later.items() if v})


@lru_cache(maxsize=32)
def digest_of_known(device: Device) -> bytes:
    """The digest, remembered for a device that goes on measuring: it is the same object in each of its captures."""
    return _device_digest(device)


def _device_digest(device: Device) -> bytes:
    axis = device.wavelengths_nm.astype("<f8", copy=False).tobytes()
    return fingerprint(device.name, device.model, int(device.simulated), _described(device), axis)


def device_of(connection: Connection, device_no: int, digest: bytes, what: str) -> tuple[Device, bytes]:
    """The device of a capture and its digest; a copy of it where its row is damaged.

    Its axis is longer than the capture: a connection reads it once, and verifies it.

    Raises
    ------
    StoreDamaged
        When no row is what was stored.
    """
    known = digest[:_DIGEST_BYTES]
    device = _sound(connection, device_no, known) or _copy(connection, known)
    if device is None:  # the digest itself may be what is damaged: the copy is then of what else the row has
        known = _row(connection, device_no)[1]
        device = _copy(connection, known)
    if device is None:
        (name,) = connection.execute("SELECT name FROM devices WHERE device_no = ?", (device_no,)).fetchone()
        raise damaged(f"device {name!r} of {what}")
    return device, known


def _copy(connection: Connection, digest: bytes) -> Device | None:
    sound = (_sound(connection, number, digest) for number in _rows(connection, digest))
    return next((known for known in sound if known is not None), None)


def _sound(connection: Connection, device_no: int, digest: bytes) -> Device | None:
    """The device of a row; None when it is not what was stored."""
    known: Device | None = connection.remembered.get((device_no, digest))
    if known is None:
        found, its_digest = _row(connection, device_no)
        if its_digest == digest:
            known = connection.remembered[device_no, digest] = found
    return known


def _row(connection: Connection, device_no: int) -> tuple[Device | None, bytes]:
    """What a row has, and the digest of that; None and nothing when it makes no sense."""
    row = connection.execute(_DEVICE, (device_no,)).fetchone()
    try:
        return _device(*row)
    except (ValueError, TypeError, KeyError):
        return None, b""


@lru_cache(maxsize=32)
def _device(name: str, model: str, simulated: int, description: str, wavelengths: bytes) -> tuple[Device, bytes]:
    """A device and its digest; known by every byte of its row, as those captures are."""
    if simulated not in (0, 1):
        raise ValueError("neither simulated nor not")
    values = json.loads(description)
    for several in ("nonlinearity", "electric_dark_pixels", *_LATER):
        values[several] = tuple(values.get(several, ()))
    device = Device(
        name=name, model=model, simulated=bool(simulated), wavelengths_nm=unpack_floats(wavelengths), **values
    )
    return device, _device_digest(device)
