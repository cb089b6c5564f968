"""A backup is one state of the store, whole, while it is written to; or it is not there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.daemon.store.making import same, stored_entry
from tests.daemon.store.test_inspection import fill, inspected
from tests.daemon.store.test_sealing import Desk
from tests.support.stores import rot

from oesd.store import Store, StoreDamaged, StoreError
from oesd.store.backup import back_up
from oesd.store.directory import GOLDEN_NAME
from oesd.store.onlooker import Onlooker
from oesd.store.segments import FOLDER

SMALL = """
import resource, signal, sys
from pathlib import Path
from oesd.store import StoreFull
from oesd.store.backup import back_up
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    back_up(Path(sys.argv[1]), Path(sys.argv[2]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_backup_of_a_store_at_work_is_one_state_of_it(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with Store.open(tmp_path / "data") as store:
        entries = [stored_entry(store, seed) for seed in range(40)]
        stop = threading.Event()
        more: list[object] = []

        def go_on() -> None:
            while not stop.is_set():
                more.append(stored_entry(store, 100 + len(more)))

        writing = threading.Thread(target=go_on)
        writing.start()
        try:
            made = back_up(tmp_path / "data", tmp_path / "copy", told=lambda *words: told.append(words))
        finally:
            stop.set()
            writing.join()
        assert more
        assert made.findings == ()
        with Store.open(tmp_path / "copy") as copy:
            assert copy.tally().stored >= len(entries)
            assert same(copy.capture(entries[3].sample_id), store.capture(entries[3].sample_id))
    assert {words[0] for words in told} == {"copied", "verified"}
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["oesd.lock", "oesd.sqlite"]


def test_of_a_store_that_is_not_in_use(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        fill(store)
    (tmp_path / "data" / GOLDEN_NAME).write_text("{}")
    assert back_up(tmp_path / "data", tmp_path / "deep" / "copy").findings == ()
    assert (tmp_path / "deep" / "copy" / GOLDEN_NAME).read_text() == "{}", "what people chose is theirs, too"
    assert inspected(tmp_path / "deep" / "copy") == []
    assert oct((tmp_path / "deep" / "copy").stat().st_mode)[-3:] == "700"
    assert oct((tmp_path / "deep" / "copy" / "oesd.sqlite").stat().st_mode)[-3:] == "600"


def test_an_earlier_one_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    with Store.open(data) as store:
        fill(store)
    back_up(data, copy)
    before = (copy / "oesd.sqlite").read_bytes()
    with Store.open(data) as store:
        stored_entry(store, 90)
    with pytest.raises(StoreError, match="--replace"):
        back_up(data, copy)
    assert (copy / "oesd.sqlite").read_bytes() == before
    back_up(data, copy, replace=True)
    newer = (copy / "oesd.sqlite").read_bytes()
    assert newer != before
    rot(data, "UPDATE captures SET counts = x'00' WHERE capture_no = 1")
    with pytest.raises(StoreDamaged, match="earlier backup stays"):
        back_up(data, copy, replace=True)
    assert (copy / "oesd.sqlite").read_bytes() == newer
    assert len(back_up(data, tmp_path / "other").findings) == 1, "a copy of the rest is better than none"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data", "other"]


def test_what_is_no_backup_is_never_replaced(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        fill(store)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("words")
    (tmp_path / "link").symlink_to(tmp_path / "thesis")
    Store.open(tmp_path / "lab").close()
    for name in ("thesis", "link", "lab", "data"):
        with pytest.raises(StoreError, match="is not replaced"):
            back_up(tmp_path / "data", tmp_path / name, replace=True)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "words"
    with pytest.raises(StoreError, match="no data of oesd"):
        back_up(tmp_path / "thesis", tmp_path / "new")


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        for seed in range(40):
            stored_entry(store, seed)
    command = [sys.executable, "-c", SMALL, str(tmp_path / "data"), str(tmp_path / "copy")]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert said.startswith("Store")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_what_a_killed_backup_left_is_no_obstacle(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        for seed in range(60):
            stored_entry(store, seed)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        back_up(tmp_path / "data", tmp_path / "copy")
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    assert (tmp_path / "copy.part").exists()
    back_up(tmp_path / "data", tmp_path / "copy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


@pytest.mark.parametrize("name", ["copy.part", "copy.earlier"])
def test_a_folder_of_somebody_else_stays_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    with Store.open(tmp_path / "data") as store:
        stored_entry(store, 1)
    back_up(tmp_path / "data", tmp_path / "copy")
    (tmp_path / name).mkdir()
    (tmp_path / name / "chapter.txt").write_text("words")
    with pytest.raises(StoreError, match="is no backup of oesd"):
        back_up(tmp_path / "data", tmp_path / "copy", replace=True)
    assert (tmp_path / name / "chapter.txt").read_text() == "words"
    (tmp_path / name / "chapter.txt").unlink()
    (tmp_path / name).rmdir()
    back_up(tmp_path / "data", tmp_path / "copy", replace=True)


def test_a_second_backup_to_the_same_place_waits_for_the_first(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        stored_entry(store, 1)
    refused = []

    def meanwhile(*_: object) -> None:
        if not refused:
            with pytest.raises(StoreError, match="another backup is being made") as caught:
                back_up(tmp_path / "data", tmp_path / "copy")
            refused.append(caught)

    assert back_up(tmp_path / "data", tmp_path / "copy", told=meanwhile).findings == ()
    assert refused
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


def test_a_segment_that_is_written_anew_meanwhile_is_in_the_copy(tmp_path: Path) -> None:
    with Desk(tmp_path / "data") as desk:
        for day in range(4):
            desk.day(day)
        desk.work()
        assert len(desk.files()) == 3
        changed = []

        def meanwhile(what: str, done: int, _: int) -> None:
            if not changed:  # the second file goes while the first is copied, and what is left of it is in another
                changed.append((what, done))
                desk.let_go(desk.ids()[12:20])
                desk.pass_by()

        made = back_up(tmp_path / "data", tmp_path / "copy", told=meanwhile)
        assert changed == [("copied", 1)]
        assert made.findings == ()
        assert {f.name for f in (tmp_path / "copy" / FOLDER).iterdir()} == {f.name for f in desk.files()}
        with Onlooker(tmp_path / "copy") as copy:
            for sample in desk.made.values():
                assert same(copy.capture(sample.record_id), sample)
