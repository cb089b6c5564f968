"""The devices that took captures: each is stored once per content, and read verified."""

from __future__ import annotations

import json
from functools import lru_cache

from oesd.model import Device
from oesd.store.database import Connection
from oesd.store.encoding import pack_floats, unpack_floats
from oesd.store.errors import StoreDamaged
from oesd.store.headings import compact_json
from oesd.store.integrity import fingerprint

_DESCRIBED = (
    "serial", "saturation_counts", "nonlinearity", "electric_dark_pixels", "integration_min_us", "integration_max_us",
    "calibrated",
)  # fmt: skip
_LATER = ("dead_pixels", "stray_light")  # described only where there are any: what was stored before keeps its digest
_DEVICE = "SELECT name, model, simulated, description, wavelengths FROM devices WHERE device_no = ?"


def device_number(connection: Connection, digest: bytes, device: Device) -> int:
    """Number of a device, which is stored if it is new."""
    row = connection.execute("SELECT device_no FROM devices WHERE digest = ?", (digest,)).fetchone()
    if row is not None:
        return int(row[0])
    (number,) = connection.execute(
        "INSERT INTO devices (digest, name, model, simulated, description, wavelengths) VALUES (?, ?, ?, ?, ?, ?) "
        "RETURNING device_no",
        (digest, device.name, device.model, device.simulated, _described(device), pack_floats(device.wavelengths_nm)),
    ).fetchone()
    return int(number)


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
    """The device of a capture. Its axis is longer than the capture: a connection reads it once, and verifies it."""
    known: Device | None = connection.remembered.get((device_no, digest))
    if known is None:
        row = connection.execute(_DEVICE, (device_no,)).fetchone()
        known, sound = _device(digest, *row)
        if not sound:
            raise StoreDamaged(f"device {row[0]!r} of {what} is damaged: what is on the disk is not what was stored")
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
