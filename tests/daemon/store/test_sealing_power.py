"""Sealing and power cuts, kills and refusals at every call: nothing acknowledged is lost, nothing wrong is served."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import BinaryIO

import pytest
from tests.daemon.store.making import NOW, capture, device, entry, processed, same
from tests.daemon.store.test_inspection import inspected
from tests.daemon.store.test_keeping import adds_up
from tests.support.recording_disk import RecordingDisk, directory_after_a_power_cut
from tests.support.recording_vfs import FULL, IOERR_FSYNC, OK, Event, Recorder, recorded

from oesd.model import Capture, Peak
from oesd.store import Store, StoreError
from oesd.store.disk import Disk
from oesd.store.sealing import GRACE_S, Sealing
from oesd.store.segments import FOLDER
from oesd.store.tombstones import let_go

SMALL = device(pixels=128)
A_DAY = 8
LEAST_BYTES = 500
IMAGES = 40
KILLED_EVERY = 17


class Life:
    """Spectra of some days, sealed, half of them let go, what is left written anew."""

    def __init__(self, directory: Path, disk: Disk) -> None:
        self.directory = directory
        self.disk = disk
        self.now_s = 0.0
        self.known: dict[str, tuple[int, Capture]] = {}
        self.peaks: dict[str, tuple[Peak, ...]] = {}
        self.asked_to_go: dict[str, int] = {}

    def run(self, moment: Callable[[], int]) -> None:
        with Store.open(self.directory) as store:
            sealing = self.sealing(store)
            for number in range(3):
                for k in range(A_DAY):
                    self.spectrum(store, 100 * number + k, number, moment)
                self.work(sealing)
                if number:
                    self.some_go(store, number - 1, moment)
                self.work(sealing)
                self.now_s += GRACE_S
                store.write(lambda db: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()).exception(10)

    def sealing(self, store: Store) -> Sealing:
        return Sealing(store, disk=self.disk, monotonic_s=lambda: self.now_s, least_bytes=LEAST_BYTES)

    def work(self, sealing: Sealing) -> None:
        while sealing.look(10**9, 10**9):
            self.now_s += 1

    def spectrum(self, store: Store, slot: int, number: int, moment: Callable[[], int]) -> None:
        sample = capture(seed=slot, of=SMALL, slot=slot, taken_at_utc=NOW + timedelta(days=number, seconds=slot))
        made = entry(sample)
        store.save_capture(sample, made, upload=False).result(10)
        self.peaks[made.data_id] = processed(store, made.data_id).analysis.detected_peaks
        self.known[made.data_id] = (moment(), sample)

    def some_go(self, store: Store, number: int, moment: Callable[[], int]) -> None:
        going = list(self.known)[A_DAY * number :][: A_DAY * 3 // 4]
        self.asked_to_go |= dict.fromkeys(going, moment())

        def go(db):
            found = [db.execute("SELECT entry_no FROM entries WHERE data_id = ?", (d,)).fetchone()[0] for d in going]
            return let_go(db, found, "thinned", NOW)

        store.write(go).result(10)


def wrong_in(directory: Path, life: Life, moment: int) -> Iterator[str]:
    """What is lost or served wrong in what is left at a moment."""
    with Store.open(directory) as store:
        yield from wrong_of(store, life, moment)
        life.now_s += GRACE_S
        sealing = Sealing(store, monotonic_s=lambda: life.now_s, least_bytes=LEAST_BYTES)
        for _ in range(2):
            life.work(sealing)
            life.now_s += GRACE_S
        yield from wrong_of(store, life, moment)
        adds_up(store)
        if sealing.leaving_bytes or list((directory / FOLDER).glob("*.part")):
            yield f"at {moment}: files that are nobody's stay"


def wrong_of(store: Store, life: Life, moment: int) -> Iterator[str]:
    for data_id, (at, sample) in life.known.items():
        try:
            found = store.capture(sample.record_id)
        except StoreError as error:
            yield f"at {moment}: {error}"
            continue
        let = life.asked_to_go.get(data_id, 1 << 30) <= moment
        if found is None and at <= moment and not let:
            yield f"at {moment}: a spectrum acknowledged at {at} is lost"
        if found is not None and not same(found, sample):
            yield f"at {moment}: another spectrum is served"
        if found is not None and at <= moment and peaks_of(store, data_id) != life.peaks[data_id]:
            yield f"at {moment}: a result acknowledged at {at} is lost, or another is served"


def peaks_of(store: Store, data_id: str) -> tuple[Peak, ...] | None:
    try:
        found = store.result(data_id)
    except StoreError:
        return None
    return None if found is None else found.analysis.detected_peaks


def after_cuts(
    tmp_path: Path, disk_of: Callable[[Recorder], RecordingDisk], images: int, chance: Random
) -> Iterator[str]:
    with recorded() as recorder:
        life = Life(tmp_path / "data", disk_of(recorder))
        life.run(lambda: len(recorder.events))
        events = list(recorder.events)
    assert {"create", "rename", "remove"} <= {event.what for event in events}
    first = next(k for k, event in enumerate(events) if event.what == "create")
    for number in range(images):
        moment = chance.randrange(first, len(events) + 1)
        directory = tmp_path / f"cut-{number}"
        (directory / FOLDER).mkdir(parents=True, mode=0o700)
        directory.chmod(0o700)
        for name, content in directory_after_a_power_cut(events[:moment], chance).items():
            (directory / name).write_bytes(content)
        yield from wrong_in(directory, life, moment)
        shutil.rmtree(directory)


def test_a_power_cut_at_any_moment_of_sealing_costs_nothing(tmp_path: Path) -> None:
    assert list(after_cuts(tmp_path, RecordingDisk, IMAGES, Random(3))) == []


class NoSync(RecordingDisk):
    def sync(self, file: BinaryIO) -> None:
        file.flush()


class NoFolderSync(RecordingDisk):
    def sync_folder(self, path: Path) -> None:
        pass


class LateSync(RecordingDisk):
    """The right syncs in the wrong order: each file only when the next begins."""

    late: Event | None = None

    def sync(self, file: BinaryIO) -> None:
        file.flush()
        self.late = Event("sync", f"segments/{Path(file.name).name}")

    def create(self, path: Path) -> BinaryIO:
        if self.late is not None:
            self.recorder.ask(self.late, lambda: OK)
        return super().create(path)


@pytest.mark.parametrize("broken", [NoSync, NoFolderSync, LateSync])
def test_a_sync_that_is_missing_or_late_is_seen(tmp_path: Path, broken: type[RecordingDisk]) -> None:
    """The mutation: sealing over a disk that leaves out, or puts off, one kind of sync."""
    assert next(after_cuts(tmp_path, broken, 200, Random(5)), "") != ""


@pytest.fixture
def killer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.daemon.store.sealing_killer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


def sealed_up_to(server: subprocess.Popen[str], directory: Path, call: int) -> str:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{directory} {call}\n")
    return server.stdout.readline().strip()


def to_be_sealed(directory: Path, *, anew: bool) -> Life:
    """Days that are to be sealed, or are sealed and mostly let go."""
    life = Life(directory, Disk())
    with Store.open(directory) as store:
        for number in range(3):
            for k in range(A_DAY):
                life.spectrum(store, 100 * number + k, number, lambda: 0)
        if anew:
            life.work(life.sealing(store))
            life.some_go(store, 0, lambda: 0)
            life.some_go(store, 1, lambda: 0)
    return life


@dataclass
class Tries:
    """At how many calls a kill is tried: at each so-manieth, at the first and at the last."""

    every: int
    made: int = 0


def after_kills(tmp_path: Path, server: subprocess.Popen[str], life: Life, tries: Tries) -> Iterator[str]:
    """What is wrong after kills."""
    shutil.copytree(life.directory, tmp_path / "whole")
    calls = int(sealed_up_to(server, tmp_path / "whole", -1))
    for call in {*range(0, calls, tries.every), calls - 1}:
        tries.made += 1
        directory = tmp_path / f"killed-{call}"
        shutil.copytree(life.directory, directory)
        told = sealed_up_to(server, directory, call)
        if told != "killed":
            yield f"not killed at call {call}: {told}"
        yield from wrong_in(directory, life, call)
        if inspected(directory):
            yield f"killed at call {call}: {inspected(directory)[0]}"
        shutil.rmtree(directory)


@pytest.mark.parametrize("anew", [False, True])
def test_a_kill_at_any_call_of_sealing_costs_nothing(tmp_path: Path, killer: subprocess.Popen[str], anew: bool) -> None:
    life = to_be_sealed(tmp_path / "data", anew=anew)
    assert list(after_kills(tmp_path, killer, life, Tries(KILLED_EVERY))) == []


@pytest.mark.parametrize(("what", "code"), [("sync", IOERR_FSYNC), ("write", FULL), ("create", FULL), ("rename", FULL)])
def test_a_disk_that_refuses_costs_nothing_and_is_tried_again(tmp_path: Path, what: str, code: int) -> None:
    life = to_be_sealed(tmp_path / "data", anew=False)
    with recorded() as recorder, Store.open(life.directory) as store:
        sealing = Sealing(store, disk=RecordingDisk(recorder), monotonic_s=lambda: life.now_s, least_bytes=LEAST_BYTES)
        for first in range(0, 30, 3):
            count = iter(range(1 << 30))
            recorder.refuse = lambda e, c=count, n=first: code if e.what == what and next(c) in (n, n + 1) else OK
            with suppress(StoreError):
                life.work(sealing)
            recorder.refuse = lambda _: OK
            assert list(wrong_of(store, life, 0)) == []
        for _ in range(2):
            life.work(sealing)
            life.now_s += GRACE_S
        assert not sealing.leaving_bytes
    assert list(wrong_in(life.directory, life, 0)) == []
    assert inspected(life.directory) == []
