"""Every slot of every run is stored or lost, once, whatever is killed in between."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.daemon.store.earlier import set_back
from tests.daemon.store.making import NOW, capture, device, entry, same
from tests.support.stores import ON_POSTGRES, on_sqlite, open_store

from oesd.model import Capture, Kind, Loss, RunRecord, new_id
from oesd.store import HostTime, SlotTaken, Store, StoreRefused
from oesd.store.moments import EPOCH, to_us
from oesd.store.schema import APPLICATION_ID, STEPS
from oesd.store.slots import HOUR_US, by_hour

DEVICES = {name: device(name, pixels=4) for name in ("a", "b")}
STORED = "stored"
LONGEST_US = 5_000_000_000
"""Time that passes in one step, so that the other runs' slots stay countable one by one."""


def run_record(name: str = "a", period_us: int = 1_000_000, **changes: object) -> RunRecord:
    return replace(RunRecord(new_id(), name, period_us, True, NOW, 5_000_000_000, "boot-0"), **changes)


def sample(run: RunRecord, slot: int, **changes: Any) -> Capture:
    """A sample of a run, taken when its slot was due."""
    values: dict[str, Any] = {
        "run_id": run.run_id,
        "slot": slot,
        "boot_id": run.boot_id,
        "taken_at_utc": run.began_at_utc + timedelta(microseconds=slot * run.period_us),
        "monotonic_ns": run.monotonic_ns + slot * run.period_us * 1000,
    }
    return capture(of=DEVICES[run.device_name], **(values | changes))


def lost(run: RunRecord, first: int, slots: int, reason: str = "overrun", at_utc: datetime = NOW) -> Loss:
    return Loss(run.device_name, run.run_id, Kind.SAMPLE, first, slots, reason, "why", at_utc)


def later(run: RunRecord, seconds: float, *, boot_id: str = "boot-0", wall_step_s: float = 0.0) -> HostTime:
    """The host's clocks some time after a run began; another boot's monotonic clock begins anew."""
    monotonic_ns = run.monotonic_ns + round(seconds * 1e9) if boot_id == run.boot_id else 7
    return HostTime(run.began_at_utc + timedelta(seconds=seconds + wall_step_s), monotonic_ns, boot_id)


def save(store: Store, made: Capture, run: RunRecord | None = None) -> None:
    of = replace(entry(made), data_id=made.record_id) if made.kind is Kind.SAMPLE else None
    store.save_capture(made, of, upload=False, run=run).result(10)


def fates(store: Store, run: RunRecord) -> dict[str, int]:
    (account,) = [a for a in store.run_accounts() if a.run.run_id == run.run_id]
    return {STORED: account.slots.stored, **account.slots.lost}


# -- a host with clocks, kills and restarts --------------------------------------------------------------------------


@dataclass
class Expected:
    """What a run must come to."""

    run: RunRecord
    slots: dict[int, str] = field(default_factory=dict)
    next_slot: int = 0
    wall_offset_us: int = 0
    closed: bool = False

    def mark(self, slots: range, fate: str) -> None:
        for slot in slots:
            self.slots.setdefault(slot, fate)


class Host(RuleBasedStateMachine):
    """A daemon that measures, forgets to tell, is killed and started again; the host's clock is stepped at will."""

    @initialize()
    def boot(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.directory.name) / "data")
        self.wall_us, self.monotonic_ns, self.boots = to_us(NOW), 10_000_000_000, 0
        self.all: list[Expected] = []
        self.live: dict[str, Expected] = {}

    def teardown(self) -> None:
        self.store.close()
        self.directory.cleanup()

    def now(self) -> HostTime:
        return HostTime(EPOCH + timedelta(microseconds=self.wall_us), self.monotonic_ns, f"boot-{self.boots}")

    def pass_time(self, us: int) -> None:
        self.wall_us += us
        self.monotonic_ns += us * 1000

    @rule(name=st.sampled_from(["a", "b"]), period_us=st.sampled_from([500_000, 1_000_000, 7_200_000_000]))
    def begin(self, name: str, period_us: int) -> None:
        self.end(name)
        now = self.now()
        run = RunRecord(new_id(), name, period_us, True, now.utc, now.monotonic_ns, now.boot_id)
        made = Expected(run, wall_offset_us=self.wall_us - self.monotonic_ns // 1000)
        self.live[name] = made
        self.all.append(made)
        self.store.begin_run(run).result(10)

    def end(self, name: str) -> None:
        ended = self.live.pop(name, None)
        if ended:
            record = replace(ended.run, ended_at_utc=self.now().utc, slots=ended.next_slot)
            self.store.end_run(record).result(10)
            ended.run = record

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.live))))

    @precondition(lambda self: self.live)
    @rule(data=st.data(), twice=st.booleans())
    def serve(self, data: st.DataObject, twice: bool) -> None:
        at = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        now = self.now()
        made = sample(at.run, at.next_slot, taken_at_utc=now.utc, monotonic_ns=now.monotonic_ns)
        for _ in range(1 + twice):
            save(self.store, made, at.run)
        at.mark(range(at.next_slot, at.next_slot + 1), STORED)
        at.wall_offset_us = self.wall_us - self.monotonic_ns // 1000
        at.next_slot += 1
        self.pass_time(at.run.period_us)

    @precondition(lambda self: self.live)
    @rule(data=st.data(), slots=st.integers(1, 5000), reason=st.sampled_from(["overrun", "device gone"]))
    def lose(self, data: st.DataObject, slots: int, reason: str) -> None:
        at = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        slots = min(slots, 1 + LONGEST_US // at.run.period_us)
        self.pass_time(slots * at.run.period_us)
        self.store.record_loss(lost(at.run, at.next_slot, slots, reason, self.now().utc), run=at.run).result(10)
        at.mark(range(at.next_slot, at.next_slot + slots), reason)
        at.next_slot += slots

    @precondition(lambda self: self.live)
    @rule(data=st.data(), slots=st.integers(1, 20))
    def forget(self, data: st.DataObject, slots: int) -> None:
        """Slots that a full disk kept from the ledger."""
        at = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        slots = min(slots, 1 + LONGEST_US // at.run.period_us)
        self.pass_time(slots * at.run.period_us)
        at.next_slot += slots

    @precondition(lambda self: any(at.slots for at in self.all))
    @rule(data=st.data(), slots=st.integers(1, 30), late=st.booleans())
    def say_again(self, data: st.DataObject, slots: int, late: bool) -> None:
        """A second fate for a slot: another spectrum is refused, a loss counts where nothing is known only."""
        at = data.draw(st.sampled_from([at for at in self.all if at.slots]))
        slot = data.draw(st.sampled_from(sorted(at.slots)))
        if not late:
            with pytest.raises(SlotTaken):
                save(self.store, sample(at.run, slot))
            return
        slots = min(slots, at.next_slot - slot)
        self.store.record_loss(lost(at.run, slot, slots, "not stored", self.now().utc)).result(10)
        at.mark(range(slot, slot + slots), "not stored")

    @rule(seconds=st.sampled_from([-315_360_000, -3600, -1, 1, 3600, 20_000]))
    def step_the_clock(self, seconds: int) -> None:
        self.wall_us += seconds * 1_000_000

    @rule(reboot=st.booleans(), down_s=st.integers(0, 20_000), settled_twice=st.booleans())
    def kill_and_start_again(self, reboot: bool, down_s: int, settled_twice: bool) -> None:
        self.store.close()
        self.pass_time(down_s * 1_000_000)
        if reboot:
            self.boots += 1
            self.monotonic_ns = 1_000_000_000
        self.store = open_store(Path(self.directory.name) / "data")
        expected = sum(self.close(at) for at in self.all if not at.closed)
        assert self.store.settle_runs(self.now()).result(10) == expected
        if settled_twice:
            self.pass_time(5_000_000)
            assert self.store.settle_runs(self.now()).result(10) == 0
        self.live.clear()

    def close(self, at: Expected) -> int:
        """What the rule for gaps must come to: slots that it fills."""
        at.closed = True
        known = max(at.slots, default=-1) + 1
        due = known
        if at.run.slots is not None:
            due = at.run.slots
        elif at.run.boot_id == f"boot-{self.boots}":
            due = max(known, (self.monotonic_ns - at.run.monotonic_ns) // 1000 // at.run.period_us)
        else:
            passed_us = self.wall_us - at.wall_offset_us - at.run.monotonic_ns // 1000
            due = max(known, passed_us // at.run.period_us)
        before = len(at.slots)
        at.mark(range(min(known, due)), "not stored")
        at.mark(range(due), "not stored" if at.run.slots is not None else "daemon down")
        at.next_slot = due
        return len(at.slots) - before

    @invariant()
    def each_slot_has_one_fate(self) -> None:
        for at in self.all:
            assert fates(self.store, at.run) | {STORED: 0} == dict(Counter(at.slots.values())) | {STORED: 0}
            assert fates(self.store, at.run)[STORED] == Counter(at.slots.values())[STORED]
            if at.closed:
                assert sorted(at.slots) == list(range(at.next_slot))

    @invariant()
    def hours_runs_and_rows_have_the_same_sums(self) -> None:
        stored, lost_slots = self.store.read(
            lambda db: (
                db.execute("SELECT count(*) FROM captures WHERE kind = 'sample'").fetchone()[0],
                db.execute("SELECT coalesce(sum(slots), 0) FROM losses").fetchone()[0],
            )
        )
        tally = self.store.tally()
        for accounts in (self.store.ledger_hours(), self.store.run_accounts(1000)):
            assert sum(a.slots.stored for a in accounts) == stored == tally.stored
            assert sum(a.slots.due for a in accounts) == stored + lost_slots == tally.captured

    @invariant()
    def stretches_do_not_overlap(self) -> None:
        overlaps = (
            "SELECT count(*) FROM run_slots x JOIN run_slots y ON x.run_no = y.run_no AND x.first_slot < y.first_slot "
            "AND x.first_slot + x.slots > y.first_slot"
        )
        assert self.store.read(lambda db: db.execute(overlaps).fetchone()[0]) == 0


Host.TestCase.settings = settings(max_examples=4 if ON_POSTGRES else 40, stateful_step_count=20)
TestHost = Host.TestCase


# -- one by one ------------------------------------------------------------------------------------------------------


@given(
    last_at_us=st.integers(HOUR_US * 400_000, HOUR_US * 400_002),
    slots=st.integers(1, 400),
    period_us=st.integers(10_000_000, 3 * HOUR_US),
)
def test_a_loss_is_spread_over_the_hours_in_which_its_slots_were_due(
    last_at_us: int, slots: int, period_us: int
) -> None:
    found = dict(by_hour(last_at_us, slots, period_us))
    assert found == Counter((last_at_us - n * period_us) // HOUR_US for n in range(slots))


def test_hours_of_a_long_loss(store: Store) -> None:
    run = run_record()
    store.begin_run(run).result(10)
    store.record_loss(lost(run, 0, 7200, "device gone", NOW)).result(10)
    save(store, sample(run, 7200, taken_at_utc=NOW + timedelta(seconds=1)))
    found = [(a.hour_utc.hour, a.slots.stored, dict(a.slots.lost)) for a in store.ledger_hours()]
    assert found == [(10, 0, {"device gone": 3599}), (11, 0, {"device gone": 3600}), (12, 1, {"device gone": 1})]
    at_noon = NOW.replace(minute=0, second=0, microsecond=0)
    assert [a.hour_utc.hour for a in store.ledger_hours("a", since=NOW)] == [12]
    assert [a.hour_utc.hour for a in store.ledger_hours("a", until=at_noon)] == [10, 11]
    assert store.ledger_hours("b") == []


def test_a_loss_of_a_stored_slot_is_left_out(store: Store) -> None:
    run = run_record()
    save(store, sample(run, 3), run)
    store.record_loss(lost(run, 0, 6)).result(10)
    store.record_loss(lost(run, 3, 1, "not stored")).result(10)
    assert fates(store, run) == {STORED: 1, "overrun": 5}
    assert [(loss.first_slot, loss.slots) for loss in store.losses()][::-1] == [(0, 3), (4, 2)]
    assert store.tally().lost == {"overrun": 5}


def test_two_spectrometers_may_share_a_run_id(store: Store) -> None:
    one = run_record("a")
    other = replace(one, device_name="b")
    for run in (one, other):
        save(store, sample(run, 0), run)
    assert [(a.run.device_name, a.slots.stored) for a in store.run_accounts()] == [("b", 1), ("a", 1)]


def test_what_stands_outside_a_schedule_is_no_slot(store: Store) -> None:
    run = run_record()
    for _ in range(2):
        save(store, sample(run, -1), run)
    store.save_capture(sample(run, -1, kind=Kind.DARK), None, upload=False).result(10)
    store.record_loss(lost(run, -1, 1)).result(10)
    assert fates(store, run) == {STORED: 0}
    assert store.ledger_hours() == []


def test_the_beginning_of_a_run_is_never_changed(store: Store) -> None:
    run = run_record()
    store.begin_run(run).result(10)
    store.begin_run(replace(run, period_us=5)).result(10)
    assert store.run_accounts()[0].run == run
    for sql in ("UPDATE runs SET period_us = 5", "DELETE FROM runs"):
        with pytest.raises(StoreRefused, match="never"):
            store.write(lambda db, q=sql: db.execute(q)).result(10)


# -- the end that nobody told ----------------------------------------------------------------------------------------


def test_killed_and_started_again_in_the_same_boot(store: Store) -> None:
    run = run_record()
    for slot in (0, 1, 4):
        save(store, sample(run, slot), run)
    # The clock of the wall has been stepped, too: that of the boot counts.
    assert store.settle_runs(later(run, 20.5, wall_step_s=-3600)).result(10) == 17
    assert fates(store, run) == {STORED: 3, "not stored": 2, "daemon down": 15}
    (account,) = store.run_accounts()
    assert account.run.slots == 20
    assert account.ending == "no end was recorded after slot 4; counted on the monotonic clock of the same boot"
    assert store.losses()[0].detail == account.ending
    assert store.settle_runs(later(run, 99)).result(10) == 0


def test_power_cut_and_a_stepped_clock(store: Store) -> None:
    """The host's clock was an hour slow when the run began and was set right during it."""
    run = run_record()
    for slot in range(10):
        corrected = timedelta(hours=1) if slot > 5 else timedelta()
        save(store, sample(run, slot, taken_at_utc=run.began_at_utc + timedelta(seconds=slot) + corrected), run)
    started = later(run, 100.2, boot_id="boot-1", wall_step_s=3600)
    assert store.settle_runs(started).result(10) == 90
    assert "counted by the host's clock over a restart of the host" in store.run_accounts()[0].ending


def test_the_shorter_exposure_of_a_bracket_does_not_hide_the_last_slot(store: Store) -> None:
    """As after a power cut and a stepped clock, with every sample bracketed: what was stored last has no slot."""
    run = run_record()
    for slot in range(10):
        at_utc = run.began_at_utc + timedelta(seconds=slot, hours=1 if slot > 5 else 0)
        taken, short = sample(run, slot, taken_at_utc=at_utc), sample(run, -1, taken_at_utc=at_utc)
        named = replace(entry(taken), short_id=short.record_id)
        store.save_capture(taken, named, upload=False, run=run, short=short).result(10)
    assert store.settle_runs(later(run, 100.2, boot_id="boot-1", wall_step_s=3600)).result(10) == 90
    assert fates(store, run) == {STORED: 10, "daemon down": 90}
    assert store.tally().captured == 100


def test_a_clock_that_went_backwards_says_so_and_counts_what_is_known(store: Store) -> None:
    run = run_record()
    for slot in (0, 2):
        save(store, sample(run, slot), run)
    started = later(run, 100, boot_id="boot-1", wall_step_s=-86_400)
    assert store.settle_runs(started).result(10) == 1
    assert fates(store, run) == {STORED: 2, "not stored": 1}
    assert (
        "the host's clock is 86302 s behind that slot, none after it can be counted" in store.run_accounts()[0].ending
    )


def test_a_clock_that_is_years_ahead_is_not_believed(store: Store) -> None:
    run = run_record()
    for slot in (0, 2):
        save(store, sample(run, slot), run)
    started = later(run, 100, boot_id="boot-1", wall_step_s=315_360_000)
    assert store.settle_runs(started).result(10) == 1
    assert fates(store, run) == {STORED: 2, "not stored": 1}
    assert "3650 days ahead of that slot, which is not believed, none after it" in store.run_accounts()[0].ending


def test_a_burst_that_nobody_ended_is_as_long_as_what_is_stored_of_it(store: Store) -> None:
    run = run_record(paced=False, period_us=1_000)
    for slot in (0, 1, 4):
        save(store, sample(run, slot), run)
    assert store.settle_runs(later(run, 20.5)).result(10) == 2
    assert fates(store, run) == {STORED: 3, "not stored": 2}
    (account,) = store.run_accounts()
    assert account.run.slots == 5
    assert account.ending == "no end was recorded after slot 4 of a burst, whose slots come one after the other"


@pytest.mark.parametrize("boot", ["boot-0", "boot-1"])
def test_what_the_host_slept_through_does_not_shorten_the_time_the_daemon_was_down(store: Store, boot: str) -> None:
    """100 slots slept through are none of the monotonic clock's; the sample after them tells."""
    run = run_record()
    save(store, sample(run, 0), run)
    store.record_loss(lost(run, 1, 100, "host asleep")).result(10)
    woke_ns = run.monotonic_ns + 1_000_000_000
    taken = {"monotonic_ns": woke_ns, "taken_at_utc": run.began_at_utc + timedelta(seconds=101)}
    save(store, sample(run, 101, **taken), run)
    monotonic_ns = woke_ns + 10_500_000_000 if boot == "boot-0" else 7
    started = HostTime(run.began_at_utc + timedelta(seconds=111.5), monotonic_ns, boot)
    assert store.settle_runs(started).result(10) == 9
    assert fates(store, run) == {STORED: 2, "host asleep": 100, "daemon down": 9}


def test_a_run_that_ended_lacks_what_never_reached_the_disk(store: Store) -> None:
    run = run_record()
    save(store, sample(run, 0), run)
    store.end_run(replace(run, ended_at_utc=NOW + timedelta(seconds=5), slots=4)).result(10)
    assert store.settle_runs(later(run, 1000)).result(10) == 3
    assert fates(store, run) == {STORED: 1, "not stored": 3}
    assert store.run_accounts()[0].run.ended_at_utc == NOW + timedelta(seconds=5)


def test_a_run_of_this_daemon_is_left_alone(store: Store) -> None:
    old, young = run_record(), run_record("b", monotonic_ns=9_000_000_000)
    for run in (old, young):
        store.begin_run(run).result(10)
    started = later(old, 3)
    assert store.settle_runs(started).result(10) == 3
    assert fates(store, young) == {STORED: 0}
    assert [a.run.ended_at_utc is None for a in store.run_accounts()] == [True, False]


def test_a_damaged_capture_does_not_stop_the_start(store: Store) -> None:
    run = run_record()
    save(store, sample(run, 0), run)
    store.write(
        lambda db: db.executescript("DROP TRIGGER captures_no_update; UPDATE captures SET header = '{'")
    ).exception(10)
    assert store.settle_runs(later(run, 5, boot_id="boot-1")).result(10) == 4


# -- a file of the first version -------------------------------------------------------------------------------------


@on_sqlite
def test_a_file_of_the_first_version_is_brought_forward(tmp_path: Path) -> None:
    run = run_record()
    with open_store(tmp_path / "data") as store:
        for slot in (0, 1, 5):
            save(store, sample(run, slot))
        save(store, sample(run, 9, taken_at_utc=NOW + timedelta(hours=5)))
        store.save_capture(sample(run, -1, kind=Kind.DARK), None, upload=False).result(10)
        store.record_loss(lost(run, 2, 3)).result(10)
        before = store.ledger_hours()
    assert [(a.slots.stored, dict(a.slots.lost)) for a in before] == [(3, {"overrun": 3}), (1, {})]
    set_back(tmp_path / "data" / "oesd.sqlite", 1)
    with open_store(tmp_path / "data") as store:
        assert store.ledger_hours() == before
        assert store.tally().captured == 7
        assert store.read(lambda db: db.execute("PRAGMA user_version").fetchone()) == (len(STEPS),)
        save(store, sample(run, 3))


@on_sqlite
@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_an_earlier_file_comes_forward_to_the_tables_of_a_new_one(tmp_path: Path, version: int) -> None:
    shapes = []
    for name in ("new", "old"):
        with open_store(tmp_path / name) as store:
            save(store, sample(run_record(), 0))
        if name == "old":
            set_back(tmp_path / "old" / "oesd.sqlite", version)
        with open_store(tmp_path / name) as store:
            shapes.append(
                store.read(
                    lambda db: db.execute(
                        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name"
                    ).fetchall()
                )
            )
    assert shapes[0] == shapes[1]


@on_sqlite
def test_a_file_of_the_second_version_keeps_what_it_has(tmp_path: Path) -> None:
    run = run_record()
    made, dark = sample(run, 0), sample(run, -1, kind=Kind.DARK)
    with open_store(tmp_path / "data") as store:
        store.save_capture(dark, None, upload=False)
        store.save_capture(made, entry(made, dark), upload=True, run=run).result(10)
        store.end_run(replace(run, ended_at_utc=NOW, slots=1)).result(10)
        data_id = store.entries()[0].data_id
        before = (store.tally(), store.run_accounts(), store.entry(data_id), store.ledger_hours())
    set_back(tmp_path / "data" / "oesd.sqlite", 2)
    with open_store(tmp_path / "data") as store:
        assert (store.tally(), store.run_accounts(), store.entry(data_id), store.ledger_hours()) == before
        assert same(store.capture(made.record_id), made), "a capture without a spread verifies as before"
        (account,) = store.run_accounts()
        assert (account.run.cause, account.run.labels) == ("", {})
        with pytest.raises(StoreRefused, match="never changed"):
            store.write(lambda db: db.execute("UPDATE runs SET cause = 'x'")).result(10)


@on_sqlite
def test_cause_and_labels_of_a_run_come_back_and_damaged_labels_stop_nothing(store: Store) -> None:
    run = run_record(cause="plasma on", labels={"growth": "Ga₂O₃ #7", "operator": "\x1b[2J\n"})
    store.begin_run(run).result(10)
    save(store, sample(run, 0), replace(run, cause="order", labels={}))
    (account,) = store.run_accounts()
    assert account.run == run
    assert (account.to_api()["cause"], account.to_api()["labels"]) == ("plasma on", run.labels)

    def damage(db: sqlite3.Connection) -> None:
        db.execute("DROP TRIGGER runs_no_update")
        db.execute("UPDATE runs SET labels = '{'")

    store.write(damage).result(10)
    assert store.run_accounts()[0].run == replace(run, labels={})


@on_sqlite
def test_a_damaged_capture_does_not_stop_the_step_forward(tmp_path: Path) -> None:
    path = tmp_path / "data" / "oesd.sqlite"
    (tmp_path / "data").mkdir(mode=0o700)
    with sqlite3.connect(path) as db:
        db.executescript(f"{STEPS[0]}; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;")
        db.execute("INSERT INTO devices VALUES (1, x'00', 'a', 'm', 0, '', x'00')")
        for number, header in enumerate(("{", "[]", '{"run_id": 7, "slot": 1}', '{"run_id": "r", "slot": 1}')):
            db.execute(
                "INSERT INTO captures VALUES (?, ?, 1, 'sample', 1, 0, ?, x'00', x'00', x'00')",
                (number, str(number), header),
            )
    db.close()
    with open_store(tmp_path / "data") as store:
        assert [(a.device_name, a.slots.stored) for a in store.ledger_hours()] == [("a", 1)]
