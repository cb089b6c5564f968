"""Sealing: spectra go into files beside the database, and are read, let go, copied and repaired as before."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from tests.daemon.store.making import NOW, capture, device, entry, processed, same
from tests.daemon.store.test_inspection import inspected
from tests.daemon.store.test_keeping import adds_up

from oesd.model import Capture, Kind, new_id
from oesd.store import Store, StoreDamaged, StoreError, StoreRefused
from oesd.store.backup import back_up
from oesd.store.disk import Disk
from oesd.store.keeping import Keeping, KeepingRules
from oesd.store.onlooker import Onlooker
from oesd.store.sealing import GRACE_S, Sealing
from oesd.store.segments import FOLDER, load_segments
from oesd.store.tombstones import let_go

SMALL = device(pixels=2048)
LIGHT = [capture(seed=seed, of=SMALL) for seed in range(4)]
LEAST_BYTES = 20_000
A_DAY = 12
SPARE, SIZE = 10**9, 10**9


class Desk:
    """A store with spectra of some days, and its sealing."""

    def __init__(self, directory: Path) -> None:
        self.store = Store.open(directory)
        self.now_s = 0.0
        self.sealing = Sealing(self.store, monotonic_s=lambda: self.now_s, least_bytes=LEAST_BYTES)
        self.made: dict[str, Capture] = {}

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def day(self, number: int, spectra: int = A_DAY) -> None:
        for k in range(spectra):
            slot = 100 * number + k
            at = NOW + timedelta(days=number, seconds=k)
            sample = replace(
                LIGHT[k % 4], record_id=new_id(), taken_at_utc=at, slot=slot, sequence=slot, scans=1 + k % 2
            )
            if k % 2:
                sample = replace(sample, spread=(sample.counts_sum % 7).astype("<f4"))
            short = replace(LIGHT[k % 4], record_id=new_id(), taken_at_utc=at, slot=-1) if k == 3 else None
            made = replace(entry(sample), short_id=short and short.record_id)
            self.store.save_capture(sample, made, upload=False, short=short).result(10)
            self.made |= {made.data_id: sample} | ({f"short of {made.data_id}": short} if short else {})

    def work(self, *, spare: int = SPARE, size: int = SIZE) -> int:
        turns = 0
        while self.sealing.look(spare, size):
            turns += 1
            assert turns < 1000
        return turns

    def pass_by(self) -> None:
        """So much time that no reader knows of a file that has gone."""
        self.work()
        self.now_s += GRACE_S
        self.work()

    def let_go(self, data_ids: list[str]) -> None:
        def go(db):
            numbers = [
                db.execute("SELECT entry_no FROM entries WHERE data_id = ?", (d,)).fetchone()[0] for d in data_ids
            ]
            return let_go(db, numbers, "thinned", NOW)

        for data_id in data_ids:
            processed(self.store, data_id)
        assert self.store.write(go).result(10) == len(data_ids)
        for data_id in data_ids:
            self.made.pop(f"short of {data_id}", None)
            del self.made[data_id]

    def ids(self) -> list[str]:
        return [data_id for data_id in self.made if not data_id.startswith("short")]

    def files(self) -> list[Path]:
        return sorted((self.store.directory / FOLDER).glob("*"))

    def sealed(self) -> int:
        return self.store.read(
            lambda db: db.execute("SELECT count(*) FROM captures WHERE segment_no > 0").fetchone()[0]
        )

    def check(self) -> None:
        for sample in self.made.values():
            found = self.store.capture(sample.record_id)
            assert found is not None
            assert same(found, sample)
        adds_up(self.store)
        assert inspected(self.store.directory) == []


@pytest.fixture
def desk(tmp_path: Path):
    with Desk(tmp_path / "data") as made:
        yield made


def test_a_finished_day_goes_into_a_file_and_comes_back_the_same(desk: Desk) -> None:
    desk.day(0)
    assert desk.work() == 0, "the day may go on"
    desk.day(1, 2)
    pages = desk.store.read(lambda db: db.execute("PRAGMA freelist_count").fetchone()[0])
    desk.work()
    assert desk.sealed() == A_DAY + 1
    assert [path.stat().st_mode & 0o777 for path in desk.files()] == [0o600]
    assert desk.files()[0].stat().st_size == desk.store.read(load_segments)[0].size_bytes > LEAST_BYTES
    assert desk.store.read(lambda db: db.execute("PRAGMA freelist_count").fetchone()[0]) > pages
    desk.check()
    assert desk.work() == 0
    with Onlooker(desk.store.directory) as other:
        assert all(other.measurement(d) is not None for d in desk.made if not d.startswith("short"))


def test_small_days_go_together_and_large_ones_are_parted(desk: Desk) -> None:
    for number in range(7):
        desk.day(number, 3)
    desk.work()
    segments = desk.store.read(load_segments)
    assert 1 < len(segments) < 6
    assert all(segment.size_bytes > 0.9 * LEAST_BYTES for segment in segments), "so much in the pages; a file is denser"
    desk.day(7, 20)
    desk.work(size=LEAST_BYTES // 2)
    parted = [segment.size_bytes for segment in desk.store.read(load_segments)[len(segments) :]]
    assert len(parted) > 3
    assert all(size < LEAST_BYTES for size in parted[1:])
    desk.check()


def test_nothing_is_sealed_without_room(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    for _ in range(3):
        assert desk.work(spare=100) == 0
    assert desk.sealed() == 0
    desk.work()
    assert desk.sealed() == A_DAY + 1


def test_what_takes_room_is_given_up_when_there_is_none(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    desk.sealing.look(SPARE, SIZE)
    assert [path.suffix for path in desk.files()] == [".part"]
    assert not desk.sealing.reclaim(SPARE)
    assert desk.sealing.leaving_bytes > 0
    desk.now_s += GRACE_S
    desk.sealing.reclaim(SPARE)
    assert desk.files() == []
    desk.work()
    assert desk.sealed() == A_DAY + 1
    desk.check()


def test_a_store_opened_again_goes_on(tmp_path: Path) -> None:
    made: dict[str, Capture] = {}
    for number in range(4):
        with Desk(tmp_path) as desk:
            desk.made = made
            desk.day(number)
            for _ in range(3 + number):  # and no more
                desk.sealing.look(SPARE, SIZE)
    with Desk(tmp_path) as desk:
        desk.made = made
        desk.pass_by()
        assert desk.sealed() == 3 * (A_DAY + 1)
        assert [path.suffix for path in desk.files()] == [".segment"] * 3, "what was begun and left is removed"
        desk.check()


def test_a_file_goes_with_its_last_spectrum(desk: Desk) -> None:
    desk.day(0)
    desk.day(1)
    desk.day(2, 1)
    desk.work()
    first = desk.files()
    desk.let_go(desk.ids()[:A_DAY])
    desk.work()
    assert desk.files() == first, "a reader may know it from before"
    assert desk.sealing.leaving_bytes > LEAST_BYTES
    desk.pass_by()
    assert len(desk.files()) == 1
    assert desk.sealing.leaving_bytes == 0
    desk.check()


def test_a_file_of_which_most_has_gone_is_written_anew(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    desk.work()
    (before,) = desk.files()
    size = before.stat().st_size
    ids = desk.ids()[:A_DAY]
    desk.let_go(ids[:2])
    desk.pass_by()
    assert desk.files() == [before], "that little is not worth it"
    desk.let_go(ids[2:9])
    desk.pass_by()
    (after,) = desk.files()
    assert after.stat().st_size < size / 2
    desk.check()


def test_room_is_made_of_files_of_which_something_has_gone(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    desk.work()
    size = desk.files()[0].stat().st_size
    desk.let_go(desk.ids()[:5])
    assert not desk.sealing.reclaim(100), "not even for so little is there room"
    while desk.sealing.reclaim(SPARE):
        pass
    assert desk.sealing.leaving_bytes == size
    desk.pass_by()
    assert desk.files()[0].stat().st_size < 0.75 * size
    desk.check()


@pytest.mark.parametrize("how", ["a bit", "cut off", "gone", "a link", "unreadable"])
def test_a_damaged_file_costs_its_own_and_a_backup_heals_it(desk: Desk, tmp_path: Path, how: str) -> None:
    desk.day(0)
    desk.day(1)
    desk.day(2, 1)
    desk.work()
    assert back_up(desk.store.directory, tmp_path / "copy").findings == ()
    victim = desk.files()[0]
    whole = victim.read_bytes()
    spoil(victim, whole, how, tmp_path)
    lost = [d for d, sample in desk.made.items() if not_served(desk.store, sample)]
    assert 1 <= len(lost) <= A_DAY + 1
    assert lost == list(desk.made)[: A_DAY + 1] or how in ("a bit", "cut off")
    findings = inspected(desk.store.directory)
    assert len(findings) == len(lost)
    assert all(f"segments/{victim.name}" in finding.text for finding in findings), "what to take from a backup"
    desk.day(3)
    desk.work()  # the others go on
    victim.unlink(missing_ok=True)
    victim.write_bytes((tmp_path / "copy" / FOLDER / victim.name).read_bytes())
    desk.check()


def spoil(victim: Path, whole: bytes, how: str, folder: Path) -> None:
    victim.unlink()  # a backup beside may share it
    if how == "a bit":
        victim.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    elif how == "cut off":
        victim.write_bytes(whole[: len(whole) // 2])
    elif how == "a link":
        (folder / "elsewhere").write_bytes(whole)
        victim.symlink_to(folder / "elsewhere")
    elif how == "unreadable":
        victim.mkdir()
        victim.rmdir()


def not_served(store: Store, sample: Capture) -> bool:
    try:
        found = store.capture(sample.record_id)
    except StoreDamaged as error:
        assert sample.record_id in str(error)
        return True
    assert same(found, sample), "never wrong bytes"
    return False


def test_a_damaged_spectrum_stays_where_it_is(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    db = sqlite3.connect(desk.store.database)
    with db:
        db.execute("DROP TRIGGER captures_only_sealed")
        db.execute("UPDATE captures SET counts = x'4300' WHERE capture_no = 5")
    db.close()
    desk.work()
    assert desk.sealed() == A_DAY
    damaged = [sample for sample in desk.made.values() if not_served(desk.store, sample)]
    assert len(damaged) == 1


def test_a_damaged_spectrum_of_a_file_is_not_written_anew_for_ever(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 1)
    desk.work()
    ids = desk.ids()[:A_DAY]
    desk.let_go(ids[4:])
    victim = desk.files()[0]
    whole = victim.read_bytes()
    spoil(victim, whole, "a bit", victim)
    assert desk.work() < 30
    assert desk.work() == 0
    assert sum(not_served(desk.store, sample) for sample in desk.made.values()) == 1
    desk.pass_by()
    assert len(desk.files()) == 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE captures SET counts = x'' WHERE capture_no = 1",
        "UPDATE captures SET counts = x'', segment_no = 77, place = 8, length = 9 WHERE capture_no = 1",
        "UPDATE captures SET segment_no = NULL WHERE capture_no = 1",
        "UPDATE captures SET header = '{}' WHERE capture_no = 1",
        "UPDATE captures SET heading_no = NULL WHERE capture_no = 1",
        "UPDATE headings SET text = '{}'",
        "DELETE FROM captures WHERE capture_no = 1",
        "DELETE FROM segments",
    ],
)
def test_raw_data_are_never_changed_all_the_same(desk: Desk, change: str) -> None:
    desk.day(0)
    desk.day(1, 1)
    desk.work()
    with pytest.raises(StoreRefused):
        desk.store.write(lambda db: db.execute(change)).result(10)
    desk.check()


def in_pages(store: Store) -> list[int]:
    """Revisions of results whose payloads are in the database."""
    rows = store.read(lambda db: db.execute("SELECT revision FROM results WHERE payload != x'' ORDER BY 1").fetchall())
    return [row[0] for row in rows]


def test_results_go_into_the_file_with_their_spectra(desk: Desk) -> None:
    desk.day(0)
    said = {data_id: processed(desk.store, data_id) for data_id in desk.ids()}
    desk.day(1, 2)
    desk.work()
    assert in_pages(desk.store) == []
    assert all(same(desk.store.result(data_id), result) for data_id, result in said.items())
    one, *_ = said
    assert processed(desk.store, one).revision == 1, "the same again is no new revision"
    again = processed(desk.store, one, (300.0,))
    assert in_pages(desk.store) == [again.revision] == [2]
    assert same(desk.store.result(one), again)
    assert same(desk.store.result(one, 1), said[one])
    desk.let_go(list(said)[1:-2])
    desk.pass_by()
    assert in_pages(desk.store) == [2]
    assert same(desk.store.result(one, 1), said[one])
    assert same(desk.store.result(one), again)
    desk.check()


def test_a_result_that_came_late_goes_along_when_the_file_is_written_anew(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 2)
    desk.work()
    late = desk.ids()[0]
    said = processed(desk.store, late)
    assert in_pages(desk.store) == [1]
    desk.let_go(desk.ids()[1 : A_DAY - 2])
    desk.pass_by()
    assert in_pages(desk.store) == []
    assert same(desk.store.result(late), said)
    desk.check()


def test_what_is_sealed_may_be_saved_again(desk: Desk) -> None:
    desk.day(0)
    desk.day(1, 2)
    desk.work()
    sample = desk.made[desk.ids()[0]]
    desk.store.save_capture(sample, None, upload=False).result(10)
    with pytest.raises(StoreError, match="another capture"):
        desk.store.save_capture(replace(sample, counts_sum=sample.counts_sum + 1), None, upload=False).result(10)
    desk.check()


def test_each_result_in_a_damaged_file_is_named(desk: Desk) -> None:
    desk.day(0)
    ids = desk.ids()
    for data_id in ids:
        processed(desk.store, data_id)
    desk.day(1, 2)
    desk.work()
    (file,) = desk.files()
    file.write_bytes(b"")
    with pytest.raises(StoreDamaged, match=file.name):
        desk.store.result(ids[0])
    told = [finding.text for finding in inspected(desk.store.directory)]
    assert sum("result 1 of entry" in text for text in told) == A_DAY


def test_darks_and_references_stay_in_the_database(desk: Desk) -> None:
    desk.day(0)
    dark = capture(Kind.DARK, 1, SMALL, taken_at_utc=NOW)
    desk.store.save_capture(dark, None, upload=False).result(10)
    desk.day(1, 1)
    desk.work()
    kinds = desk.store.read(lambda db: db.execute("SELECT DISTINCT kind FROM captures WHERE segment_no > 0").fetchall())
    assert kinds == [("sample",)]
    assert same(desk.store.capture(dark.record_id), dark)


def test_nothing_but_its_own_files_is_removed_from_the_folder(desk: Desk) -> None:
    desk.day(0)
    desk.day(1)
    desk.work()
    folder = desk.store.directory / FOLDER
    (kept,) = desk.files()
    (folder / "lost+found").mkdir()
    (folder / f"{kept.name}.bak").write_bytes(kept.read_bytes())
    nobodys = folder / f"{new_id()}.segment"
    nobodys.write_bytes(b"")
    desk.pass_by()
    assert desk.files() == sorted([kept, folder / "lost+found", folder / f"{kept.name}.bak"])


def test_no_file_goes_while_the_catalogue_lacks_one(desk: Desk) -> None:
    desk.day(0)
    desk.day(1)
    desk.work()
    before = desk.files()
    assert len(before) == 1
    desk.store.close()
    with closing(sqlite3.connect(desk.store.database)) as db, db:
        (rule,) = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'segments_no_delete'").fetchone()
        db.execute("DROP TRIGGER segments_no_delete")
        (row,) = db.execute("DELETE FROM segments RETURNING *").fetchall()
        db.execute(rule)
    with Desk(desk.store.directory) as again:
        again.day(2)
        again.day(3)
        again.pass_by()
        again.now_s += GRACE_S
        again.work()
        assert set(before) < set(again.files()), "the next segment has another number, and the file stays"
        assert again.sealing.leaving_bytes == 0, "what stays is no room"
    assert len([f for f in inspected(desk.store.directory) if f.sort == "checksum"]) == A_DAY + 1
    with closing(sqlite3.connect(desk.store.database)) as db, db:  # the row from a backup makes all of it good
        db.execute(f"INSERT INTO segments VALUES ({', '.join('?' * len(row))})", row)
    assert inspected(desk.store.directory) == []


class FullDisk(Disk):
    """One that makes no file any more."""

    def create(self, path: Path) -> BinaryIO:
        raise OSError(errno.ENOSPC, f"no space left for {path.name}")


@pytest.mark.parametrize("free", [0, 10**9])
def test_a_disk_that_takes_no_file_is_met_as_the_rules_say_all_the_same(tmp_path: Path, free: int) -> None:
    with Desk(tmp_path / "data") as desk:
        desk.day(0)
        desk.day(1)
        desk.work()
        desk.let_go(desk.ids()[:8])
        rules = KeepingRules(on_full="drop_confirmed", min_free_bytes=2 * 10**9)
        keeping = Keeping(desk.store, rules, free=lambda _: free)
        keeping._sealing = Sealing(desk.store, disk=FullDisk())
        assert not keeping.look()
        assert "no room" in desk.store.refused
        assert keeping.state()["level"] == "full"
        keeping.use(KeepingRules(min_free_bytes=0))
        with pytest.raises(StoreError, match="cannot seal"):
            keeping.look()
        assert desk.store.refused == ""
