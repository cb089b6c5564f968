"""A hub in a process of its own, and daemons that upload to it: what they were told is kept to be held against it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import numpy as np
from tests.support.daemons import Daemon, until

from oesd.formats import write_bundle, write_document
from oesd.model import Capture, Device, Entry, Kind, new_id
from oesd.upload import Deadlines, OesApi, UploadError, load_key
from oesd.upload.client import split

PIXELS = 2048
_AXIS_NM = np.linspace(340.0, 1030.0, PIXELS)
_DEVICE = Device("chamber", "SIM00001", "USB2000+", _AXIS_NM, 65535, simulated=True)


class HubProcess(Daemon):
    """``oesd hub`` on two free ports, with the same ports after each restart."""

    def __init__(self, data: Path, port: int, *words: str) -> None:
        super().__init__(data, "hub", "--data", data, "--port", str(port), *words)
        self.port = port

    def api(self) -> OesApi:
        deadlines = Deadlines(connect_s=5.0, read_s=30.0, call_s=60.0)
        return OesApi(f"http://127.0.0.1:{self.port}/", load_key(self.data / "api-key"), deadlines=deadlines)

    def wait(self) -> None:
        until(self._answers)

    def _answers(self) -> bool:
        assert self.process.poll() is None, self.log()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
            return (self.data / "api-key").exists()
        return False


def two_free_ports() -> int:
    """A port that is free together with the next one."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


def spectrum(rng: np.random.Generator) -> tuple[str, bytes]:
    """Record id and file of a spectrum of 2048 pixels with 40 lines."""
    counts = 1200 + rng.normal(0, 9, PIXELS)
    for centre_nm in rng.uniform(350, 1000, 40):
        near = slice(*np.searchsorted(_AXIS_NM, (centre_nm - 4, centre_nm + 4)))
        counts[near] += rng.uniform(200, 20_000) * np.exp(-(((_AXIS_NM[near] - centre_nm) / 0.6) ** 2))
    sample = Capture(
        record_id=new_id(), device=_DEVICE, kind=Kind.SAMPLE, run_id=new_id(), sequence=0, slot=0,
        taken_at_utc=datetime.now(UTC), monotonic_ns=1, boot_id="boot", integration_us=100_000, scans=1,
        boxcar_half_width_px=0, counts_sum=np.clip(counts, 0, 65535).astype(np.uint32),
        saturated=np.zeros(PIXELS, bool),
    )  # fmt: skip
    entry = Entry(new_id(), sample.record_id, None, None, "", "", datetime.now(UTC))
    return sample.record_id, write_document(entry, sample, None, None, None)


@dataclass(frozen=True, slots=True)
class Batch:
    """A file of several spectra, ready to go."""

    name: str
    data: bytes
    records: tuple[str, ...]


def batches(size: int, seed: int = 1) -> Iterator[Batch]:
    rng = np.random.default_rng(seed)
    for _ in count():
        files = [spectrum(rng) for _ in range(size)]
        data = write_bundle([(f"{record}.json", document) for record, document in files])
        yield Batch(f"{new_id()}.zip", data, tuple(record for record, _ in files))


@dataclass
class Told:
    """What the hub has acknowledged: files by data id, records, and how long each upload took."""

    files: dict[str, str] = field(default_factory=dict)
    records: set[str] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)
    failed: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)


def upload(api: OesApi, batch: Batch, told: Told) -> bool:
    """Upload a batch; what was acknowledged is noted. False when it failed: what then became of it is open."""
    began = time.perf_counter()
    try:
        given = api.presign(batch.name, 1)
        tags = [api.put_part(url, part) for url, part in zip(given.urls, split(batch.data), strict=True)]
        api.complete(given.upload_id, given.new_filename, tags)
    except UploadError:
        told.failed += 1
        return False
    with told.guard:
        told.took_s.append(time.perf_counter() - began)
        told.files[given.data_id] = hashlib.sha256(batch.data).hexdigest()
        told.records.update(batch.records)
    return True
