"""One spectrum or dark that meets a defect of ours, or ends the process, must end neither the daemon nor its starts."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from tests.daemon.processing.test_processing import RUN, capture
from tests.support.daemons import until

from oesd.model import Capture, Entry, Kind, Loss, Recipe, RunRecord, new_id
from oesd.processing import Processing
from oesd.processing.backgrounds import Backgrounds
from oesd.processing.backlog import Backlog
from oesd.processing.judging import Judging
from oesd.processing.shelf import Shelf
from oesd.processing.trouble import Trouble
from oesd.processing.turns import DEFECT, ENDED, Turns
from oesd.store import Store, StoreFull


def stored(store: Store, seconds: float = 0.0) -> str:
    sample = capture(Kind.SAMPLE, seconds=seconds)
    entry = Entry(new_id(), sample.record_id, None, None, "none", "none", sample.taken_at_utc)
    store.save_capture(sample, entry, upload=True).result(10)
    return entry.data_id


def turns(
    store: Store,
    process: Callable[[str], object],
    backgrounds: Backgrounds | None = None,
    trouble: Trouble | None = None,
) -> tuple[Turns, Backlog, Judging]:
    backlog, rooms = Backlog(store), backgrounds or Backgrounds(store)
    judging = Judging(store, rooms)
    made = Turns(
        store, backlog, judging, trouble or Trouble(), process=process, damaged=rooms.drop_damaged,
        first=lambda: None, beat=lambda _name, _within_s: None, name="processing",
    )  # fmt: skip
    return made, backlog, judging


def state(store: Store, data_id: str) -> str:
    return next(entry.state for entry in store.entries(50) if entry.data_id == data_id)


def test_a_defect_in_one_analysis_sets_that_spectrum_aside_and_the_others_are_done(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        done: list[str] = []
        bad, good = stored(store), stored(store, 1)

        def process(data_id: str) -> None:
            if data_id == bad:
                raise ZeroDivisionError
            done.append(data_id)
            store.fail_result(data_id, "done").result()

        working, backlog, _ = turns(store, process)
        working.start()
        until(lambda: done == [good] and backlog.empty())
        assert working.alive
        working.stop()
        assert state(store, bad) == f"failed: {DEFECT}"


class Blind(Backgrounds):
    """Fails at one dark, as a defect would."""

    bad = ""

    def shelf_of(self, capture: Capture) -> Shelf:
        if capture.record_id == self.bad:
            raise ZeroDivisionError
        return super().shelf_of(capture)


def test_a_defect_in_the_judgement_of_a_dark_refuses_that_dark(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        rooms = Blind(store)
        bad, good = capture(Kind.DARK), capture(Kind.DARK, seconds=60)
        rooms.bad = bad.record_id
        for dark in (bad, good):
            store.save_capture(dark, None, upload=False).result(10)
        working, _, judging = turns(store, lambda _: None, rooms)
        working.start()
        until(lambda: judging.idle)
        assert working.alive
        working.stop()
        refused, accepted = (store.library.verdict(dark.record_id) for dark in (bad, good))
        assert refused is not None and accepted is not None
        assert (refused.accepted, accepted.accepted) == (False, True)
        assert refused.reason == "a defect in oesd stopped the judgement, see the log"


def test_what_no_spectrum_is_to_blame_for_ends_the_thread(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        rooms = Backgrounds(store)

        def fails() -> None:
            raise ZeroDivisionError

        working = Turns(
            store, Backlog(store), Judging(store, rooms), Trouble(), process=lambda _: None, damaged=rooms.drop_damaged,
            first=fails, beat=lambda _name, _within_s: None, name="processing",
        )  # fmt: skip
        working.start()
        until(lambda: not working.alive)


def test_an_entry_that_was_deleted_meanwhile_is_no_trouble(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        trouble, done = Trouble(), []

        def process(data_id: str) -> None:
            done.append(data_id)
            if data_id == gone:
                store.measurement(data_id)  # nothing
                store.fail_result(data_id, "").result()

        gone = new_id()
        working, backlog, _ = turns(store, process, trouble=trouble)
        backlog.put(gone)
        working.start()
        until(lambda: done == [gone])
        until(backlog.empty)
        working.stop()
        assert trouble.now == ""


class Full(Store):
    """A disk that is full for as long as it is said to be, for reading, too."""

    full = ledger_full = False

    def unprocessed(self, limit: int) -> list[str]:
        if self.full:
            raise StoreFull("the disk is full")
        return super().unprocessed(limit)

    def record_loss(self, loss: Loss, *, run: RunRecord | None = None) -> Future[None]:
        if self.ledger_full:
            raise StoreFull("the disk is full")
        return super().record_loss(loss, run=run)


def test_a_store_that_cannot_be_read_for_a_while_ends_nothing(tmp_path: Path) -> None:
    with Full.open(tmp_path / "data") as store:
        assert isinstance(store, Full)
        data_id = stored(store)
        store.full = True
        trouble = Trouble()
        working, _, _ = turns(store, lambda entry: store.fail_result(entry, "done").result(), trouble=trouble)
        working.start()
        until(lambda: trouble.now == "the disk is full")
        store.full = False
        until(lambda: state(store, data_id) == "failed: done")
        assert working.alive
        working.stop()


KILLED = """
import os, sys
from pathlib import Path
from tests.daemon.processing.test_turns import turns
from oesd.store import Store

def process(data_id):
    if data_id == sys.argv[2]:
        os.kill(os.getpid(), 9)
    done.append(data_id)
    store.fail_result(data_id, "done").result()

done = []
with Store.open(Path(sys.argv[1])) as store:
    working, backlog, _ = turns(store, process)
    working.start()
    while not (done and backlog.empty()):
        pass
    working.stop()
"""


def test_a_spectrum_that_ends_the_process_is_met_by_two_starts_and_no_further_one(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        bad, good = stored(store), stored(store, 1)
    ends = [
        subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "data"), bad], check=False, timeout=60).returncode
        for _ in range(3)
    ]
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, 0]
    with Store.open(tmp_path / "data") as store:
        assert (state(store, bad), state(store, good)) == (f"failed: {ENDED}", "failed: done")


def test_a_power_cut_while_a_leftover_was_analysed_does_not_set_it_aside(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        data_id = stored(store)
        assert store.attempt(data_id).result(), "by a process that the power cut ended"
        working, _, _ = turns(store, lambda entry: store.fail_result(entry, "done").result())
        working.start()
        until(lambda: state(store, data_id) == "failed: done")
        working.stop()


def test_a_disk_that_was_full_when_a_leftover_was_analysed_does_not_set_it_aside(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        data_id, tries = stored(store), []

        def process(entry: str) -> None:
            tries.append(entry)
            if len(tries) == 1:
                raise StoreFull("the disk is full")
            store.fail_result(entry, "done").result()

        working, _, _ = turns(store, process)
        working.start()
        until(lambda: state(store, data_id) == "failed: done")
        working.stop()
        assert tries == [data_id, data_id]


def test_the_books_are_closed_with_what_could_not_be_written_before(tmp_path: Path) -> None:
    """A loss that a full disk kept back, and nothing was captured since that would have had it tried again."""
    with Full.open(tmp_path / "data") as store:
        assert isinstance(store, Full)
        store.begin_run(RUN).result(10)
        room = Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None)
        store.ledger_full = True
        room.start()
        room.lose(Loss("LAMP-1", RUN.run_id, Kind.SAMPLE, 0, 1, "usb error", "", RUN.began_at_utc))
        until(lambda: room.trouble)
        store.ledger_full = False
        room.stop()
        assert room.unrecorded() == {}
        assert [loss.reason for loss in store.losses()] == ["usb error"]


def test_the_note_of_an_attempt_is_no_state_that_anybody_sees(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        data_id = stored(store)
        assert [store.attempt(data_id).result() for _ in range(3)] == [True, True, False]
        assert state(store, data_id) == "waiting"
        assert store.unprocessed(5) == [data_id]


class Unjudging(Judging):
    """A library that cannot be written."""

    def turn(self) -> bool:
        raise StoreFull("the disk is full")


def test_a_judgement_that_cannot_be_stored_keeps_no_analysis_waiting(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        data_id, rooms = stored(store), Backgrounds(store)
        working = Turns(
            store, Backlog(store), Unjudging(store, rooms), Trouble(), damaged=rooms.drop_damaged, first=lambda: None,
            process=lambda entry: store.fail_result(entry, "done").result(), beat=lambda _name, _within_s: None,
            name="processing",
        )  # fmt: skip
        working.start()
        until(lambda: state(store, data_id) == "failed: done")
        working.stop()
