"""A real store with records to forward to a fault server, and a clock that the test turns."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tests.support.fault_server import KEY, FaultServer

from oesd.model import Analysis, Candidate, Capture, Device, Entry, Kind, Peak, Recipe, new_id
from oesd.store import OutboxItem, OutboxState, Store
from oesd.upload.call import Deadlines
from oesd.upload.client import OesApi
from oesd.upload.forwarder import Forwarder
from oesd.upload.key import ApiKey
from oesd.upload.means import Pace, RenderedFile

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
QUICK = Deadlines(connect_s=2.0, read_s=2.0, call_s=2.0, bytes_per_s=10_000_000.0)


class Bench:
    """Store, server, forwarder and clock, with the few moves that tests make."""

    def __init__(self, directory: Path, server: FaultServer) -> None:
        self.directory = directory
        self.server = server
        self.now = START
        self.files = directory.with_name("files")
        self.files.mkdir(exist_ok=True)
        self.pace = Pace(chores=False, workers=1)
        self.store = Store.open(directory, clock=lambda: self.now)
        self.api = OesApi(server.url, ApiKey(KEY), deadlines=QUICK)
        self.forwarder = self.new_forwarder()

    def new_forwarder(
        self, pace: Pace | None = None, render: Callable[[str], RenderedFile] | None = None, **more: Any
    ) -> Forwarder:
        self.pace = pace or self.pace
        self.forwarder = Forwarder(
            self.store, self.api, render or self.render, clock=lambda: self.now, rng=Random(7), pace=self.pace, **more
        )
        return self.forwarder

    def restart(self) -> None:
        """What a kill leaves: the store's file. (That the file survives a kill is the store's own test.)"""
        self.store.close()
        self.reopen()

    def reopen(self) -> None:
        self.store = Store.open(self.directory, clock=lambda: self.now)
        self.new_forwarder()

    def close(self) -> None:
        self.api.close()
        self.store.close()

    def render(self, data_id: str) -> RenderedFile:
        return render_from(self.files, data_id)

    def put_file(self, data_id: str, name: str, data: bytes) -> None:
        (self.files / data_id).write_bytes(name.encode() + b"\n" + data)

    def record(self, data: bytes | None = None, run_id: str = "") -> OutboxItem:
        """Store one sample, ready to be uploaded."""
        sample = capture(run_id)
        data_id = new_id()
        entry = Entry(data_id, sample.record_id, None, None, "", "", START)
        self.store.save_capture(sample, entry, upload=True).result()
        self.store.fail_result(data_id, "not analysed in this test").result()
        self.put_file(data_id, f"{sample.record_id}.txt", data or f"record {sample.record_id}\n".encode())
        item = self.store.outbox.item(data_id)
        assert item is not None and item.state is OutboxState.STORED
        return item

    def item(self, known: OutboxItem) -> OutboxItem:
        item = self.store.outbox.item(known.data_id)
        assert item is not None
        return item

    def step(self, seconds: float = 0.0) -> int:
        self.now += timedelta(seconds=seconds)
        return self.forwarder.step(self.now)

    def until(self, known: OutboxItem, *states: OutboxState, rounds: int = 200) -> OutboxItem:
        """Let time pass, from one due moment to the next, until a record is in one of the states."""
        for _ in range(rounds):
            if self.item(known).state in states:
                return self.item(known)
            self.step()
            self.now += timedelta(seconds=30)
        raise AssertionError(f"still {self.item(known)} after {rounds} rounds")


def render_from(directory: Path, data_id: str) -> RenderedFile:
    name, data = (directory / data_id).read_bytes().split(b"\n", 1)
    return RenderedFile(name.decode(), data, hashlib.sha256(data).hexdigest(), None)


def capture(run_id: str = "") -> Capture:
    wavelengths = np.linspace(400.0, 420.0, 32)
    device = Device("OES00001", "OES00001", "USB4000", wavelengths, 65535)
    counts = np.arange(32, dtype=np.uint32)
    return Capture(
        record_id=new_id(),
        device=device,
        kind=Kind.SAMPLE,
        run_id=run_id or new_id(),
        sequence=0,
        slot=-1,
        taken_at_utc=START,
        monotonic_ns=1,
        boot_id="boot",
        integration_us=100_000,
        scans=1,
        boxcar_half_width_px=0,
        counts_sum=counts,
        saturated=np.zeros(32, dtype=np.bool_),
    )


def analysis(*peaks: tuple[float, tuple[str, ...]]) -> Analysis:
    """An analysis with peaks at these wavelengths, each with candidates of these keys."""
    sample = capture()
    found = [
        Peak(
            f"p{n}", w, 0.05, 1.0, 1.0, 50.0, 100.0, 100.0, None, 0.0, False,
            tuple(Candidate(key, key.split("_")[0], 1, float(key.split("_")[1]), 0.5) for key in keys),
        )
        for n, (w, keys) in enumerate(peaks, 1)
    ]  # fmt: skip
    counts = sample.counts
    return Analysis(
        sample.device.wavelengths_nm, counts, counts, (), tuple(found), Recipe(), "lines-test", "engine-test"
    )
