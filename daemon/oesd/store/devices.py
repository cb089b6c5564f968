"""The devices that took captures: each is stored once per content, and read verified.

A row that the disk has damaged is never changed: the next capture writes its content once more, which then serves the
earlier captures too. Their checksums prove that it is theirs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
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
DIGEST_BYTES = 32
"""Of the digest itself; what follows it tells copies apart."""
_DEVICE = "SELECT name, model, simulated, description, wavelengths FROM devices WHERE device_no = ?"


def device_number(connection: Connection, digest: bytes, device: Device) -> int:
    """Number of a device, which is stored if it is new, or once more if what is there is damaged.

    Everything that will be measured with it refers to its row: one that has rotted would take all of that with it.
    """
    for name in _names(digest):
        row = connection.execute("SELECT device_no FROM devices WHERE digest = ?", (name,)).fetchone()
        if row is None:
            break
        if _sound(connection, row[0], digest) is not None:
            return int(row[0])
    (number,) = connection.execute(
        "INSERT INTO devices (digest, name, model, simulated, description, wavelengths) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING device_no",
        (name, device.name, device.model, device.simulated, _described(device), pack_floats(device.wavelengths_nm)),
    ).fetchone()
    return int(number)


def _names(digest: bytes) -> Iterator[bytes]:
    """What the column has for a device and for its copies, which are written when those before are damaged."""
    yield digest
    for number in count(1):
        yield digest + number.to_bytes(2, "big")


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


def device_of(connection: Connection, device_no: int, digest: bytes, what: str) -> Device:
    """The device of a capture, or a copy of it where its row is damaged.

    Its axis is longer than the capture: a connection reads it once, and verifies it.

    Raises
    ------
    StoreDamaged
        When neither is what was stored.
    """
    digest = digest[:DIGEST_BYTES]
    known = _sound(connection, device_no, digest) or _copy(connection, digest)
    if known is None:
        (name,) = connection.execute("SELECT name FROM devices WHERE device_no = ?", (device_no,)).fetchone()
        raise damaged(f"device {name!r} of {what}")
    return known


def _copy(connection: Connection, digest: bytes) -> Device | None:
    for name in _names(digest):
        row = connection.execute("SELECT device_no FROM devices WHERE digest = ?", (name,)).fetchone()
        if row is None:
            break
        if (known := _sound(connection, row[0], digest)) is not None:
            return known
    return None


def _sound(connection: Connection, device_no: int, digest: bytes) -> Device | None:
    """The device of a row; None when it is not what was stored."""
    known: Device | None = connection.remembered.get((device_no, digest))
    if known is None:
        row = connection.execute(_DEVICE, (device_no,)).fetchone()
        with suppress(ValueError, TypeError, KeyError):  # bytes that make no sense
            known, is_sound = _device(digest, *row)
            if not is_sound:
                return None
            connection.remembered[device_no, digest] = known
    return known


@lru_cache(maxsize=32)
def _device(
    digest: bytes, name: str, model: str, simulated: int, description: str, wavelengths: bytes
) -> tuple[Device, bool]:
    """A device, and whether it is what was stored; known by every byte of its row, as those captures are."""
    values = json.loads(description)
    for several in ("nonlinearity", "electric_dark_pixels", *_LATER):
        values[several] = tuple(values.get(several, ()))
    device = Device(
        name=name, model=model, simulated=bool(simulated), wavelengths_nm=unpack_floats(wavelengths), **values
    )
    return device, _device_digest(device) == digest
