"""A disk that takes a hundred times as long (T14): who stores never waits for it, and what is refused is counted."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

from tests.daemon.store.making import NOW, capture, device, entry, loss
from tests.support.recording_vfs import OK, Event, recorded

from oesd.model import RunRecord, new_id
from oesd.store import Store, StoreBusy
from oesd.store.writer import GROUP_LIMIT, QUEUE_LIMIT

SYNC_S = 0.3  # an SSD takes 3 ms
HZ, SPECTRA = 100, 300
SMALL = device(pixels=32)
MADE = capture(of=SMALL, scans=1)
RUN = RunRecord("run-1", SMALL.name, 10_000, True, NOW, 0, "boot")


def slow(event: Event) -> int:
    if event.what == "sync":
        time.sleep(SYNC_S)
    return OK


def test_at_100_a_second_nobody_waits_for_a_slow_disk(tmp_path: Path) -> None:
    spent, waiting = list[float](), list[Future[None]]()
    with recorded() as disk, Store.open(tmp_path / "data") as store:
        store.begin_run(RUN).result(10)
        disk.refuse, before, began = slow, len(disk.events), time.monotonic()
        for slot in range(SPECTRA):
            time.sleep(max(0.0, began + slot / HZ - time.monotonic()))
            sample = replace(MADE, record_id=new_id(), slot=slot, sequence=slot)
            start = time.monotonic()
            waiting.append(store.save_capture(sample, entry(sample), upload=True))
            spent.append(time.monotonic() - start)
            assert store.waiting < SPECTRA / 2, "what came during a few syncs; if each had its own, nearly all"
        assert sorted(spent)[round(0.99 * SPECTRA)] < SYNC_S / 3
        for future in waiting:
            future.result(30)
        assert store.tally().captured == store.tally().stored == SPECTRA
        syncs = sum(event.what == "sync" for event in disk.events[before:])
        assert syncs < SPECTRA / 5, "many spectra share a sync"


def test_of_a_disk_that_stands_still_each_spectrum_beyond_the_queue_is_counted(tmp_path: Path) -> None:
    goes_on, refused = threading.Event(), list[int]()

    def still(event: Event) -> int:
        if event.what == "sync":
            goes_on.wait(60)
        return OK

    with recorded() as disk, Store.open(tmp_path / "data") as store:
        store.begin_run(RUN).result(10)
        disk.refuse = still
        waiting, slots = list[Future[None]](), iter(range(1 << 30))
        while len(refused) < 5:
            slot = next(slots)
            sample = replace(MADE, record_id=new_id(), slot=slot, sequence=slot)
            saved = store.save_capture(sample, None, upload=False)
            busy = saved.done() and isinstance(saved.exception(), StoreBusy)
            (refused if busy else waiting).append(slot if busy else saved)  # type: ignore[arg-type]
        assert store.waiting == QUEUE_LIMIT
        assert len(waiting) <= QUEUE_LIMIT + GROUP_LIMIT
        goes_on.set()
        for future in waiting:
            future.result(30)
        lost = [replace(loss("store too slow"), first_slot=slot, slots=1) for slot in refused]
        for future in [store.record_loss(one) for one in lost]:
            future.result(30)
        tally = store.tally()
        assert (tally.stored, tally.lost) == (len(waiting), {"store too slow": len(refused)})
        assert tally.captured == next(slots)
