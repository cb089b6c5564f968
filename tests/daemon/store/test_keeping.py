"""What may go and what may not: the disk's policy, thinning, tombstones, and sums that add up whatever happens."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW, analysis, capture, device, entry, processed, spectrum_file
from tests.daemon.store.test_inspection import inspected
from tests.support.stores import ON_POSTGRES, on_sqlite, open_store

from oesd.model import ElementFinding, Entry, Kind, new_id
from oesd.store import OutboxState, Store, StoreFull, StoreRefused
from oesd.store.dropping import droppable
from oesd.store.held import NOTHING, Held
from oesd.store.keeping import MARK_S, Keeping, KeepingRules

SMALL = device(pixels=16)
GB = 1_000_000_000
DAY_US = 86_400_000_000


class Desk:
    """A store, its keeper, and a clock and a disk that the test turns."""

    def __init__(self, store: Store, rules: KeepingRules) -> None:
        self.store, self.now_s, self.free = store, 0.0, 100 * GB
        self.held = NOTHING
        self.keeping = Keeping(
            store, rules, monotonic_s=lambda: self.now_s, free=lambda _: self.free, held=lambda: self.held
        )

    def spectrum(self, slot: int, *, upload: bool = True, done: bool = True, elements: str = "Ga", **more) -> Entry:
        changes = {"slot": slot, "sequence": slot, "monotonic_ns": slot * 1_000_000_000, "of": SMALL, **more}
        sample = capture(Kind.SAMPLE, 1, **changes)
        made = entry(sample)
        self.store.save_capture(sample, made, upload=upload).result(10)
        if done:
            found = (ElementFinding(elements, 0.9),)
            measured = self.store.measurement(made.data_id)
            self.store.save_result(made.data_id, analysis(measured, elements=found), {}).result(10)
        return made

    def upload(self, made: Entry, state: OutboxState = OutboxState.CONFIRMED) -> None:
        item = self.store.outbox.item(made.data_id)
        self.store.outbox.update(replace(item, state=state, remote_data_id=new_id())).result(10)

    def pass_time(self, days: float) -> None:
        """Let a daemon run for so long, with a look every ten minutes."""
        for _ in range(round(days * 86_400 / MARK_S)):
            self.now_s += MARK_S
            self.keeping._age()

    def work(self) -> None:
        if ON_POSTGRES:  # its disk is not ours to see: there is no room where the database has its full size
            self.keeping.use(replace(self.keeping._rules, max_bytes=0 if self.free else 1))
        # Each turn is a little work: sealing what hundreds of days have left takes hundreds of them.
        for _ in range(200 + 10 * len(self.there())):
            if not self.keeping.look():
                return
        raise AssertionError("it never comes to rest")

    def there(self) -> list[str]:
        return [summary.data_id for summary in self.store.entries(1000)][::-1]


def adds_up(store: Store) -> None:
    tally = store.tally()
    gone = sum(tally.tombstoned.values())
    assert tally.captured == tally.stored + sum(tally.lost.values())
    assert tally.stored == tally.pending + tally.uploaded + tally.quarantined + gone + tally.local
    everything = tally.stored + tally.files
    assert everything == tally.processed + tally.failed + tally.waiting + gone + sum(tally.tombstoned_files.values())


def test_a_record_that_goes_leaves_a_tombstone_and_all_sums(tmp_path: Path) -> None:
    with open_store(tmp_path, clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules("drop_confirmed"))
        first, second = desk.spectrum(0), desk.spectrum(1)
        desk.upload(first)
        remote_id = store.outbox.item(first.data_id).remote_data_id
        desk.free = 0
        desk.work()
        assert desk.there() == [second.data_id]
        stone = store.tombstone(first.data_id)
        assert (stone.record_id, stone.remote_data_id, stone.reason) == (first.sample_id, remote_id, "confirmed")
        assert (stone.at_utc, stone.taken_at_utc, len(stone.sha256)) == (NOW, NOW, 32)
        assert store.tombstone(second.data_id) is None
        assert store.entry(first.data_id) is None
        assert store.capture(first.sample_id) is None
        assert (store.tally().stored, store.tally().tombstoned) == (2, {"confirmed": 1})
        adds_up(store)
    assert inspected(tmp_path) == []


@pytest.mark.parametrize("on_full", ["stop", "drop_confirmed", "drop_oldest_unconfirmed"])
def test_a_full_disk_is_met_as_the_rules_say(tmp_path: Path, on_full) -> None:
    with open_store(tmp_path, clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules(on_full))
        made = {state: desk.spectrum(k) for k, state in enumerate(OutboxState)}
        for state, of in made.items():
            if state is not OutboxState.STORED:
                desk.upload(of, state)
        local, waiting = desk.spectrum(20, upload=False), desk.spectrum(21, done=False)
        last = desk.spectrum(22)
        desk.free = 0
        desk.work()
        confirmed = [made[OutboxState.CONFIRMED].data_id, made[OutboxState.PROCESSED].data_id]
        expected = {
            "stop": [],
            "drop_confirmed": confirmed,
            "drop_oldest_unconfirmed": [*confirmed, made[OutboxState.STORED].data_id, local.data_id],
        }[on_full]
        everything = [*(of.data_id for of in made.values()), local.data_id, waiting.data_id, last.data_id]
        assert sorted(set(everything) - set(desk.there())) == sorted(expected)
        assert desk.keeping.state()["level"] == "full"
        assert on_full in desk.keeping.state()["line"]
        with pytest.raises(StoreFull, match="no room"):
            desk.spectrum(30)
        with pytest.raises(StoreFull, match="no room"):
            store.save_file(new_id(), spectrum_file(), b"x", "x").result(10)
        desk.upload(made[OutboxState.PRESIGNED])
        desk.free = 100 * GB
        desk.work()
        assert desk.keeping.state()["level"] == "good"
        desk.spectrum(31)
        adds_up(store)
    assert inspected(tmp_path) == []


@on_sqlite
def test_freed_pages_are_room_and_a_limit_of_size_holds(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules("drop_confirmed", max_bytes=300_000))
        made = [desk.spectrum(k, of=device(pixels=2048)) for k in range(60)]
        for of in made:
            desk.upload(of)
        desk.work()
        assert 5 < len(desk.there()) < 60
        assert desk.there() == [of.data_id for of in made[-len(desk.there()) :]], "the oldest go first"
        pages = store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
        for k in range(100, 110):
            desk.upload(desk.spectrum(k, of=device(pixels=2048)))
        assert store.read(lambda db: db.execute("PRAGMA page_count").fetchone()[0]) <= pages
        assert desk.keeping.state()["reusable_bytes"] > 0


@on_sqlite
def test_other_rules_open_what_was_closed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules("stop", min_free_bytes=GB))
        for slot in range(60):
            desk.upload(desk.spectrum(slot))
        desk.free = GB - 1000
        desk.work()
        assert desk.keeping.state()["level"] == "full"
        desk.keeping.use(KeepingRules("drop_confirmed", min_free_bytes=GB // 1000 * 999))
        desk.free = GB // 1000 * 999 - 1000
        for _ in range(2):
            desk.work()
            desk.free += 20_000_000
        desk.work()
        assert desk.keeping.state()["level"] != "full"
        assert len(desk.there()) < 60
        desk.spectrum(100)


@on_sqlite
def test_low_is_said_before_full(store: Store) -> None:
    desk = Desk(store, KeepingRules(min_free_bytes=GB))
    for free, level in ((100 * GB, "good"), (3 * GB + 10**8, "good"), (2 * GB, "low"), (GB // 2, "full")):
        desk.free = free
        desk.work()
        assert desk.keeping.state()["level"] == level
    assert "MB are missing" in desk.keeping.state()["line"]


def test_what_is_confirmed_stays_as_long_as_was_asked_by_no_clock_but_its_own_life(tmp_path: Path) -> None:
    clock = [NOW]
    with open_store(tmp_path, clock=lambda: clock[0]) as store:
        desk = Desk(store, KeepingRules("drop_confirmed", keep_confirmed_us=DAY_US, full_rate_us=DAY_US))
        made = [desk.spectrum(k) for k in range(4)]
        for of in made:
            desk.upload(of)
        desk.free = 0
        for step in (timedelta(days=3650), timedelta(days=-7300), timedelta(hours=1), -timedelta(hours=1)):
            clock[0] += step
            desk.work()
            assert len(desk.there()) == 4
        desk.pass_time(0.9)
        desk.work()
        assert len(desk.there()) == 4
        desk.pass_time(0.2)
        desk.work()
        assert desk.there() == [made[-1].data_id]


def test_age_goes_on_over_restarts(tmp_path: Path) -> None:
    for life in range(4):
        with open_store(tmp_path) as store:
            desk = Desk(store, KeepingRules("drop_confirmed", keep_confirmed_us=DAY_US))
            if life == 0:
                for k in range(2):
                    desk.upload(desk.spectrum(k))
            desk.free = 0
            desk.pass_time(0.35)
            desk.work()
            assert len(desk.there()) == (2 if life < 2 else 1), life


def thinned(desk: Desk, days: float = 1.1) -> list[int]:
    """Slots of the spectra that are left when they are old."""
    desk.pass_time(days)
    desk.work()
    slots = []
    for summary in desk.store.entries(1000)[::-1]:
        slots.append(desk.store.capture(summary.sample_id).slot)
    return slots


def test_old_spectra_are_thinned_to_one_per_minute(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        for slot in range(200):
            desk.spectrum(slot, upload=False)
        store.write(lambda db: db.execute("DELETE FROM keeping WHERE name != 'thinned'")).result(10)  # they were lost
        assert thinned(desk) == [0, 60, 120, 180, 199]
        assert store.tally().tombstoned == {"thinned": 195}
        store.write(lambda db: db.execute("DELETE FROM keeping")).result(10)
        assert thinned(desk) == [0, 60, 120, 180, 199]
        assert len(store.trace("chamber-a", 417.2, 0.5).area) == 200, "the traces keep them"
        adds_up(store)
    assert inspected(tmp_path) == []


def test_events_stay(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        for slot in [*range(10), *range(13, 20), -1, *range(20, 30)]:
            made = desk.spectrum(slot, upload=False, elements="Ar" if slot >= 25 else "Ga", done=slot != 16)
            if slot == 16:
                store.fail_result(made.data_id, "no light").result(10)
            if slot == 22:
                store.assign(made.data_id, "p2", "Ar_417.3", now=NOW)
        for slot in range(3):
            desk.spectrum(slot, upload=False, run_id="run-2")
        left = thinned(desk)
    # 22 was named by hand: its elements are others than those of its neighbours. 15 and 17: 16 has none.
    assert left == [0, 9, 13, 15, 16, 17, 19, -1, 20, 21, 22, 23, 24, 25, 29, 0, 2]


def test_what_is_not_confirmed_is_not_thinned_and_poison_blocks_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        made = [desk.spectrum(slot) for slot in range(30)]
        assert len(thinned(desk)) == 30
        for of in made[:20]:
            desk.upload(of, OutboxState.QUARANTINED if of is made[5] else OutboxState.PROCESSED)
        assert thinned(desk, 0) == [0, 5, *range(20, 30)]
        for of in made[20:]:
            desk.upload(of)
        assert thinned(desk, 0) == [0, 5, 29]
        adds_up(store)


def test_two_spectrometers_are_thinned_each_for_itself(tmp_path: Path) -> None:
    other = device("chamber-b", pixels=16)
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        for slot in range(70):
            desk.spectrum(slot, upload=False)
            desk.spectrum(slot, upload=False, of=other)
        assert thinned(desk) == [0, 0, 60, 60, 69, 69]


def test_files_expire_only_where_that_is_asked_for(tmp_path: Path) -> None:
    ids = [new_id() for _ in range(3)]
    with open_store(tmp_path) as store:
        for data_id in ids:
            store.save_file(data_id, spectrum_file(), b"x", "x").result(10)
            store.fail_result(data_id, "no light").result(10)
        desk = Desk(store, KeepingRules("drop_oldest_unconfirmed", full_rate_us=DAY_US))
        desk.pass_time(3)
        desk.free = 0
        desk.work()
        assert desk.there() == ids
        desk.free = 100 * GB
        desk.keeping.use(KeepingRules(expire_us=DAY_US))
        desk.work()
        assert desk.there() == ids[-1:]
        assert store.tally().tombstoned_files == {"expired": 2}
        assert store.tombstone(ids[0]).record_id == "rec-7"
        adds_up(store)
    assert inspected(tmp_path) == []


@pytest.mark.parametrize("table", ["entries", "captures", "files", "tombstones"])
def test_nothing_goes_without_a_tombstone(store: Store, table: str) -> None:
    desk = Desk(store, KeepingRules("drop_confirmed"))
    for k in range(3):
        desk.upload(desk.spectrum(k))
    store.save_file(new_id(), spectrum_file(), b"x", "x").result(10)
    desk.free = 0
    desk.work()
    with pytest.raises(StoreRefused, match="never changed"):
        store.write(lambda db: db.execute(f"DELETE FROM {table}")).result(10)


def test_results_of_an_earlier_version_are_traced_before_they_may_go(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        for slot in range(50):
            desk.spectrum(slot, upload=False)
        store.write(lambda db: db.execute("DELETE FROM trace_tail")).result(10)
        store.write(lambda db: db.execute("UPDATE keeping SET number = 50 WHERE name = 'to trace'")).result(10)
        assert len(thinned(desk)) == 2
        assert len(store.trace("chamber-a", 294.4, 0.5).area) == 50


@pytest.mark.parametrize("on_full", ["drop_confirmed", "drop_oldest_unconfirmed"])
def test_what_is_golden_stays_when_there_is_no_room_and_goes_once_it_is_no_longer(tmp_path: Path, on_full: str) -> None:
    with open_store(tmp_path, clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules(on_full))
        made = [desk.spectrum(k, run_id=f"run-{k // 3}") for k in range(12)]
        for one in made:
            desk.upload(one)
        desk.held = Held({made_device(store, made[0]): frozenset(["run-0"])}, frozenset([made[7].data_id]), ("run-2",))
        desk.free = 0
        desk.work()
        golden = [one.data_id for one in (*made[:3], *made[6:9], made[-1])]
        assert desk.there() == golden, "and the newest"
        assert all(store.result(one) is not None and store.measurement(one) is not None for one in golden)
        adds_up(store)
        desk.held = Held({"another": frozenset(["run-0"])})
        desk.now_s += MARK_S + 1  # what was passed over is looked at again
        desk.work()
        assert desk.there() == [made[-1].data_id]
    assert inspected(tmp_path) == []


def made_device(store: Store, one: Entry) -> str:
    return next(summary.device_name for summary in store.entries(100) if summary.data_id == one.data_id)


def test_a_day_that_is_golden_is_gone_through_once(tmp_path: Path) -> None:
    with open_store(tmp_path, clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules("drop_confirmed"))
        made = [desk.spectrum(k, run_id="golden" if k < 450 else "other", done=False) for k in range(460)]
        store.write(lambda db: db.execute("UPDATE processing SET state = 'processed'")).result(30)
        store.write(lambda db: db.execute("UPDATE outbox SET state = 'confirmed', open = 0")).result(30)
        desk.held = Held(beginnings=("gold",))
        first = store.read(lambda db: droppable(db, "confirmed", desk.held, 0, 10**9, 20))
        assert len(first) == 9 and first == list(range(first[0], first[0] + 9))
        desk.free = 0
        desk.work()
        assert desk.there() == [one.data_id for one in (*made[:450], made[-1])]
        assert desk.keeping._passed["confirmed"] == first[0] - 1


def test_what_is_golden_is_not_thinned(tmp_path: Path) -> None:
    with open_store(tmp_path, clock=lambda: NOW) as store:
        desk = Desk(store, KeepingRules(full_rate_us=DAY_US))
        made = [desk.spectrum(k, upload=False, run_id=f"run-{k // 100}") for k in range(300)]
        desk.held = Held(beginnings=("run-1",), spectra=frozenset([made[33].data_id]))
        desk.pass_time(2)
        desk.spectrum(300, upload=False, run_id="run-3")
        desk.work()
        there = set(desk.there())
        assert {one.data_id for one in made[100:200]} <= there and made[33].data_id in there
        assert len(there) < 100 + 2 * 8 and made[34].data_id not in there
        adds_up(store)


def test_what_a_person_said_and_the_api_was_not_told_yet_stays_with_its_spectrum(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        desk = Desk(store, KeepingRules(on_full="drop_confirmed", min_free_bytes=GB))
        made = [desk.spectrum(slot, done=False) for slot in range(4)]
        for one in made:
            processed(store, one.data_id)
            desk.upload(one, OutboxState.PROCESSED)
        store.assign(made[0].data_id, "p2", "Ar_417.3", now=NOW)
        desk.free = 0
        desk.work()
        assert desk.there() == [made[0].data_id, made[3].data_id]
        (patch,) = store.outbox.patches_due(NOW)
        store.outbox.update_patch(replace(patch, state="sent")).result(10)
        desk.keeping._passed.clear()  # as each ten minutes
        desk.work()
        assert desk.there() == [made[3].data_id]
        adds_up(store)
