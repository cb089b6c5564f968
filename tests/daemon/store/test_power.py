"""Power cuts, full disks and failing syncs, at every call: nothing acknowledged is lost, nothing wrong is served.

Kills prove little here: the kernel keeps what was written and not synced. So the calls themselves are written down.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from tests.daemon.store.making import NOW, capture, device, entry, loss, processed
from tests.daemon.store.test_keeping import Desk, adds_up
from tests.support.recording_vfs import FULL, IOERR_FSYNC, OK, Event, Platter, Recorder, recorded

from oesd.model import Capture
from oesd.store import Store, StoreError, StoreFull
from oesd.store.captures import pack_capture
from oesd.store.connection import open_reader
from oesd.store.keeping import KeepingRules

SMALL = device(pixels=32)
LOG, DATABASE = "oesd.sqlite-wal", "oesd.sqlite"
IMAGES = 200
RECORDS = 500


def stored(store: Store, seed: int) -> Capture:
    sample = capture(seed=seed, of=SMALL)
    store.save_capture(sample, entry(sample), upload=True).result(10)
    return sample


def misordered(events: list[Event]) -> list[str]:
    """What a power cut would tear: a database written before its log is synced, a log begun anew before that."""
    wrong, unsynced = [], {LOG: False, DATABASE: False}
    for event in events:
        if event.what in ("sync", "delete"):
            unsynced[event.name] = False
            continue
        if event.name == DATABASE and unsynced[LOG]:
            wrong.append("the database was written before its log was synced")
        if event.name == LOG and event.offset == 0 and unsynced[DATABASE]:
            wrong.append("the log was begun anew before the database was synced")
        unsynced[event.name] = True
    return wrong


def test_what_is_acknowledged_was_synced_before(tmp_path: Path) -> None:
    with recorded() as disk, Store.open(tmp_path / "data") as store:
        early: list[int] = []
        for seed in range(RECORDS):
            sample = capture(seed=seed, of=SMALL)
            saved = store.save_capture(sample, entry(sample), upload=True)
            # Runs in the writer's thread, before it takes the next group.
            saved.add_done_callback(lambda _, k=seed: early.append(k) if disk.unsynced(LOG) else None)
            saved.result(10)
        assert early == []
        assert misordered(disk.events) == []
        assert sum(event.what == "sync" for event in disk.events if event.name == LOG) >= RECORDS


@pytest.mark.parametrize("broken", ["PRAGMA synchronous = NORMAL", "PRAGMA synchronous = OFF"])
def test_the_eyes_see_a_sync_that_is_missing(tmp_path: Path, broken: str) -> None:
    """The mutation: the same writes over a connection that was told to sync less."""
    Store.open(tmp_path / "data").close()
    with recorded() as disk:
        db = sqlite3.connect(tmp_path / "data" / DATABASE, isolation_level=None)
        db.execute(broken)
        seen = []
        for number in range(1200):
            db.execute("INSERT INTO hub_project VALUES (?, ?, ?, 0)", (str(number), "n" * 2000, str(number)))
            seen.append(disk.unsynced(LOG))
        db.close()
        assert any(seen)
        if "OFF" in broken:
            assert misordered(disk.events) != []


def work(store: Store, acknowledged: Callable[[Capture], None]) -> None:
    """Store, analyse, lose and let go."""
    for seed in range(12):
        sample = capture(seed=seed, of=SMALL)
        made = entry(sample)
        store.save_capture(sample, made, upload=False).result(10)
        acknowledged(sample)
        processed(store, made.data_id)
        store.record_loss(loss(slots=2)).result(10)
        if seed % 5 == 4:
            store.write(lambda db: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()).exception(10)


def checkpoint(directory: Path) -> None:
    """Work the log in, as a reader that closes may."""
    db = open_reader(directory / DATABASE)
    db.execute("PRAGMA query_only = OFF")
    db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    db.close()


def test_after_a_power_cut_all_that_was_acknowledged_is_there(tmp_path: Path) -> None:
    cuts = Cuts()
    with recorded() as disk:
        with Store.open(tmp_path / "data") as store:
            work(store, lambda sample: cuts.known.append((len(disk.events), sample)))
            checkpoint(tmp_path / "data")
            work(store, lambda sample: cuts.known.append((len(disk.events), sample)))
        cuts.events = list(disk.events)
    assert misordered(cuts.events) == []
    assert cuts.survived(tmp_path / "cut", IMAGES, Random(4)) == []


def test_a_power_cut_at_the_first_start_is_no_obstacle(tmp_path: Path) -> None:
    cuts = Cuts()
    with recorded() as disk:
        Store.open(tmp_path / "data").close()
        cuts.events = list(disk.events)
    assert any(event.what == "delete" for event in cuts.events)
    assert cuts.survived(tmp_path / "cut", 40, Random(6), 0) == []


class Cuts:
    """What a run asked of the disk, and what was acknowledged when."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.known: list[tuple[int, Capture]] = []

    def survived(self, directory: Path, images: int, chance: Random, begun: int = -1) -> list[str]:
        """What was lost or served wrong after power cuts at random moments, from a first one on."""
        directory.mkdir(mode=0o700)
        first = begun if begun >= 0 else self.known[0][0]
        said = {sample.record_id: pack_capture(sample).sha256 for _, sample in self.known}
        platter, taken, wrong = Platter(), 0, []
        for moment in sorted(chance.randrange(first, len(self.events) + 1) for _ in range(images)):
            platter.take(self.events[taken:moment])
            taken = moment
            for leftover in directory.glob(f"{DATABASE}*"):
                leftover.unlink()
            for name, content in platter.after_a_cut(chance).items():
                (directory / name).write_bytes(content)
            wrong += self._wrong_in(directory, moment, said)
        return wrong

    def _wrong_in(self, directory: Path, moment: int, said: dict[str, bytes]) -> Iterator[str]:
        with Store.open(directory) as store:
            for at, sample in self.known:
                found = store.capture(sample.record_id)
                if found is None and at <= moment:
                    yield f"cut at {moment}: a capture acknowledged at {at} is lost"
                # All that it is goes into this: a capture with other numbers has another one.
                if found is not None and pack_capture(found).sha256 != said[sample.record_id]:
                    yield f"cut at {moment}: another capture is served"
            tally = store.tally()
            rows = store.read(lambda db: db.execute("SELECT count(*) FROM captures").fetchone()[0])
            if tally.stored != rows:
                yield f"cut at {moment}: {tally.stored} in the ledger, {rows} rows"


def refusing(disk: Recorder, what: str, calls: range, code: int) -> None:
    """Refuse the calls of a sort with these numbers, counted from now."""
    lock, count = threading.Lock(), iter(range(1 << 30))

    def refuse(event: Event) -> int:
        if event.what != what:
            return OK
        with lock:
            return code if next(count) in calls else OK

    disk.refuse = refuse


@pytest.mark.parametrize(
    ("what", "code", "kind", "last"), [("sync", IOERR_FSYNC, StoreError, 100), ("write", FULL, StoreFull, 60)]
)
def test_a_disk_that_refuses_at_any_call_costs_nothing_acknowledged(tmp_path: Path, what, code, kind, last) -> None:
    """A sync that failed is never believed, nor tried again: what it covered is told as not stored, or stored anew."""
    cuts, failed = Cuts(), 0
    with recorded() as disk:
        with Store.open(tmp_path / "data") as store:
            for call in range(last):
                refusing(disk, what, range(call % 15, call % 15 + 1 + call // 15 % 4), code)
                for seed in range(5):
                    if seed == 4:
                        disk.refuse = lambda _: OK
                    try:
                        sample = stored(store, 100 * call + seed)
                    except StoreError as error:
                        assert isinstance(error, kind)
                        assert "\n" not in str(error)
                        assert seed < 4, "a disk that is well again is used again"
                        failed += 1
                    else:
                        cuts.known.append((len(disk.events), sample))
        cuts.events = list(disk.events)
    assert failed > last // 4
    assert cuts.survived(tmp_path / "cut", 12, Random(5)) == []


def test_letting_go_survives_a_full_disk(tmp_path: Path) -> None:
    with recorded() as disk, Store.open(tmp_path / "data", clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules("drop_oldest_unconfirmed"))
        for slot in range(40):
            desk.spectrum(slot, upload=False)
        desk.free = 0
        for call in range(20):
            refusing(disk, "write", range(call, call + 3), FULL)
            try:
                desk.keeping.look()
            except StoreError as error:
                assert isinstance(error, StoreFull)
            disk.refuse = lambda _: OK
            adds_up(store)
        desk.work()
        assert len(desk.there()) == 1
