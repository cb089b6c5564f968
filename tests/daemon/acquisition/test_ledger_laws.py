"""Every slot of a daemon's life has one fate, from the run book through the processing room to the disk and back.

The store's own laws stand in ``tests/daemon/store/test_slots.py``; here the rooms before it are the real ones as well.
"""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.daemon.store.making import capture, device
from tests.support.clocks import StepClock

from oesd.acquisition import Sinks
from oesd.acquisition.run_book import RunBook
from oesd.model import Loss, Recipe, RunOrder, RunRecord
from oesd.processing import Processing
from oesd.store import HostTime, Store
from oesd.store.headings import HEADER, head_of

DEVICES = {name: device(name, pixels=4) for name in ("a", "b")}
YEARS_S = 315_360_000.0
NOTHING_FITS = "PRAGMA max_page_count = 1"  # SQLite makes of it the size that the file has
EVERYTHING_FITS = "PRAGMA max_page_count = 1073741823"


@dataclass
class Told:
    """What a run book said of a run."""

    record: RunRecord
    slots: int = 0
    ended: bool = False


class Daemons(RuleBasedStateMachine):
    """Two spectrometers, one daemon after the other, a host with a bad clock and a disk that is full at times."""

    @initialize()
    def install(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.clock = StepClock()
        self.boots = 0
        self.told: dict[str, Told] = {}
        self.start()

    def start(self) -> None:
        self.full = False
        self.losses: list[Loss] = []
        self.store = Store.open(Path(self.directory.name) / "data")
        self.room = Processing(self.store, Recipe(), upload=False, beat=lambda _name, _seconds: None)
        sinks = Sinks(self.room.accept, self.lose, lambda _name, _seconds: None, self.begun, self.ended)
        boot = f"boot-{self.boots}"
        self.books = {name: RunBook(name, sinks, self.clock, boot) for name in DEVICES}
        self.room.settle(HostTime(self.clock.utc(), self.clock.monotonic_ns(), boot))

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    # -- sinks -------------------------------------------------------------------------------------------------------

    def lose(self, loss: Loss) -> None:
        self.losses.append(loss)
        self.room.lose(loss)

    def begun(self, run: RunRecord) -> None:
        self.told[run.run_id] = Told(run)
        self.room.begin_run(run)

    def ended(self, run: RunRecord) -> None:
        assert run.slots is not None
        self.told[run.run_id] = Told(run, run.slots, ended=True)
        self.room.end_run(run)

    # -- what happens ------------------------------------------------------------------------------------------------

    def book(self, data: st.DataObject) -> RunBook:
        return self.books[data.draw(st.sampled_from(sorted(n for n, book in self.books.items() if book.run)))]

    def measuring(self) -> bool:
        return any(book.run for book in self.books.values())

    @rule(name=st.sampled_from(["a", "b"]), period_us=st.sampled_from([500_000, 1_000_000, 7_200_000_000]),
          burst=st.sampled_from([0, 0, 0, 5]))  # fmt: skip
    def begin(self, name: str, period_us: int, burst: int) -> None:
        self.books[name].end()
        self.books[name].begin(RunOrder(cause="order", burst=burst), period_us, 1000)

    @precondition(measuring)
    @rule(data=st.data(), slots=st.integers(1, 4))
    def serve(self, data: st.DataObject, slots: int) -> None:
        """Samples of the slots that are due, as they come; a book that has lost time says so before."""
        book = self.book(data)
        for _ in range(slots):
            book.lose_passed("overrun", "late")
            run = book.run
            if run is None or run.over:
                return
            self.clock.sleep(max(0, (run.due_ns() or 0) - self.clock.monotonic_ns()) / 1e9)
            place = book.place(run.next_slot)
            made = capture(
                of=DEVICES[run.record.device_name], run_id=place.run_id, sequence=place.sequence, slot=place.slot,
                taken_at_utc=self.clock.utc(), monotonic_ns=self.clock.monotonic_ns(), boot_id=place.boot_id,
            )  # fmt: skip
            refused = self.room.accept(made)
            if refused:
                book.lose(1, refused, "refused")
            else:
                book.kept(place)

    @precondition(measuring)
    @rule(data=st.data(), seconds=st.floats(0.1, 5000.0), reason=st.sampled_from(["device gone", "usb error"]))
    def trouble(self, data: st.DataObject, seconds: float, reason: str) -> None:
        self.clock.sleep(seconds)
        self.book(data).lose_passed(reason, "why")

    @precondition(lambda self: self.losses)
    @rule(data=st.data())
    def say_a_loss_twice(self, data: st.DataObject) -> None:
        self.room.lose(data.draw(st.sampled_from(self.losses)))
        self.room.stop()

    @rule(seconds=st.sampled_from([-YEARS_S, -3600.0, -1.0, 1.0, 3600.0, YEARS_S]))
    def step_the_clock(self, seconds: float) -> None:
        if 1990 < self.clock.utc().year < 2090:
            self.clock.step(seconds)

    @rule(seconds=st.floats(0.5, 20_000.0))
    def sleep_the_host(self, seconds: float) -> None:
        self.clock.suspend(seconds)
        for book in self.books.values():
            book.bridge(round(seconds * 1e9), "host asleep", "it slept")

    @rule(full=st.booleans())
    def fill_the_disk(self, full: bool) -> None:
        self.store.write(lambda db: db.execute(NOTHING_FITS if full else EVERYTHING_FITS).fetchall()).result(10)
        self.full = full

    @rule()
    def write_the_books(self) -> None:
        """What the processing room's thread does four times a second."""
        self.room.stop()

    @precondition(measuring)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        book = self.book(data)
        book.lose_passed("overrun", "late")
        book.end()

    @rule(reboot=st.booleans(), down_s=st.floats(0.0, 20_000.0))
    def kill(self, reboot: bool, down_s: float) -> None:
        """What was only in memory is gone: losses, ends and beginnings of runs."""
        self.come_to_rest()
        self.store.close()
        self.clock.sleep(down_s)
        self.boots += reboot
        self.start()
        self.room.stop()
        for account in self.store.run_accounts(10_000):
            told = self.told[account.run.run_id]
            assert account.run.slots is not None
            assert account.slots.due == account.run.slots  # whatever was not known of it has a reason now
            if told.ended and account.run.ended_at_utc == told.record.ended_at_utc:
                assert account.run.slots == told.slots

    # -- laws --------------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Wait until the writer has done, or failed to do, what it was given."""
        self.store.write(lambda _: None).exception(10)
        for book in self.books.values():
            if book.run:
                self.told[book.run.record.run_id].slots = book.run.next_slot

    @invariant()
    def nothing_is_missing_and_nothing_counted_twice(self) -> None:
        """Of the runs that are on: what the book has told of is stored, lost, or on its way."""
        self.come_to_rest()
        accounts = {account.run.run_id: account for account in self.store.run_accounts(10_000)}
        for book in self.books.values():
            if book.run and not self.full:
                self.room.stop()
                account = next(a for a in self.store.run_accounts(10_000) if a.run.run_id == book.run.record.run_id)
                assert account.slots.due == book.run.next_slot
        for run_id, account in accounts.items():
            told = self.told[run_id]
            if account.run.slots is None and not self.full:
                assert account.slots.due <= told.slots

    @invariant()
    def all_sums_are_the_same(self) -> None:
        self.come_to_rest()
        tally = self.store.tally()
        assert tally.captured == tally.stored + sum(tally.lost.values())
        for accounts in (self.store.ledger_hours(), self.store.run_accounts(10_000)):
            assert sum(a.slots.stored for a in accounts) == tally.stored
            assert sum(a.slots.due for a in accounts) == tally.captured
        for name in DEVICES:
            by_run = [a for a in self.store.run_accounts(10_000) if a.run.device_name == name]
            assert sum(h.slots.due for h in self.store.ledger_hours(name)) == sum(a.slots.due for a in by_run)

    @invariant()
    def order_is_by_run_and_sequence_whatever_the_date(self) -> None:
        def rows(db: sqlite3.Connection) -> list[tuple[str, int, int, int]]:
            heads = db.execute(f"SELECT {HEADER} FROM captures c ORDER BY capture_no").fetchall()
            names = ("run_id", "sequence", "slot", "monotonic_ns")
            return [tuple(head_of(*one)[name] for name in names) for one in heads]

        by_run: dict[str, list[tuple[int, int, int]]] = {}
        for run_id, *place in self.store.read(rows):
            by_run.setdefault(run_id, []).append((place[0], place[1], place[2]))
        for places in by_run.values():
            assert places == sorted(places)
            assert [slot for _, slot, _ in places] == sorted({slot for _, slot, _ in places})


Daemons.TestCase.settings = settings(max_examples=30, stateful_step_count=20)
TestDaemons = Daemons.TestCase
