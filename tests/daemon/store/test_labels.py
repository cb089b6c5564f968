"""Labels of a run that change while it is on, and what a file's header tells of run and labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.daemon.store.making import NOW, spectrum_file
from tests.daemon.store.test_inspection import inspected
from tests.support.stores import open_store

from oesd.formats import LABEL
from oesd.model import RunRecord, new_id
from oesd.store import StoreError, files
from oesd.store.finding import Sought
from oesd.store.runs import load_run

RUN = RunRecord("run-1", "chamber-a", 1_000_000, True, NOW, 0, "boot", labels={"sample": "GaN-7"})


def test_a_run_shows_its_last_labels_and_keeps_those_it_began_with(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.begin_run(RUN).result(30)
        for sample in ("GaN-8", "GaN-9"):
            store.label_run(replace(RUN, labels={"sample": sample, "operator": 'µ "x"'})).result(30)
        store.end_run(replace(RUN, ended_at_utc=NOW, slots=0)).result(30)
        (account,) = store.run_accounts(10)
        shown = {"sample": "GaN-9", "operator": 'µ "x"'}
        assert account.run.labels == shown
        run = store.read(lambda db: load_run(db, "run-1", "chamber-a"))
        assert run is not None and run.labels == shown
        begun = store.read(lambda db: db.execute("SELECT labels FROM runs").fetchall())
        assert begun == [('{"sample":"GaN-7"}',)]
        with pytest.raises(StoreError):
            store.write(lambda db: db.execute("UPDATE run_labels SET labels = '{}'")).result(30)
        with pytest.raises(StoreError):
            store.write(lambda db: db.execute("DELETE FROM run_labels")).result(30)
    assert inspected(tmp_path) == []


def test_labels_may_come_to_the_disk_before_the_beginning_of_the_run(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.label_run(replace(RUN, labels={"sample": "GaN-8"})).result(30)
        store.begin_run(RUN).result(30)
        (account,) = store.run_accounts(10)
        assert account.run.labels == {"sample": "GaN-8"}


def test_files_are_found_by_the_run_and_the_labels_of_their_headers(tmp_path: Path) -> None:
    assert files._LABEL == LABEL
    with open_store(tmp_path) as store:
        ids = []
        for number in range(3):
            told = {"Run ID": f"run-{number}", f"{LABEL}wafer": f"W{number // 2}", f"{LABEL}note": '100% "=_ü'}
            spectrum = spectrum_file()
            ids.append(new_id())
            with_header = replace(spectrum, metadata={**spectrum.metadata, **(told if number else {})})
            store.save_file(ids[-1], with_header, f"bytes {number}".encode(), "x.txt").result(30)

        def found(**sought: object) -> list[str]:
            return [one.summary.data_id for one in store.find(Sought(**sought, oldest_first=True), 10).entries]  # type: ignore[arg-type]

        assert found() == ids
        assert found(run_id="run-1") == ids[1:2] and found(run_id="run") == []
        assert found(labels={"wafer": "W0"}) == ids[1:2] and found(labels={"note": '100% "=_ü'}) == ids[1:]
        assert found(labels={"wafer": "W1", "note": "other"}) == []
        (one,) = store.find(Sought(run_id="run-2"), 10).entries
        assert (one.run_id, one.labels["wafer"], one.sequence) == ("run-2", "W1", None)
    assert inspected(tmp_path) == []
