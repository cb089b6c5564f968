"""Runs by what a person writes: of any age, and never a guess between several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.daemon.web import spectra

from oesd.model import RunRecord
from oesd.service.run_spectra import find_run, runs_meant
from oesd.store import Store
from oesd.watching.errors import WatchError

MANY = 1005  # more than any list of runs shows


def run(name: str, minute: int, device: str = "a") -> RunRecord:
    return RunRecord(name, device, 1_000_000, True, spectra.NOW + timedelta(minutes=minute), minute, "boot")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(Path(tmp_path_factory.mktemp("runs")) / "data") as opened:
        begun = [opened.begin_run(run("both-1", -9, device)) for device in ("a", "b")]
        begun += [opened.begin_run(run(f"run-{number:04d}", number)) for number in range(MANY)]
        for one in begun:
            one.result(30)
        yield opened


@pytest.mark.parametrize("written", ["run-0000", "run-1004", "both-1"])
def test_a_run_is_found_however_many_began_since(store: Store, written: str) -> None:
    assert find_run(store, written, "a").run_id == written


def test_a_beginning_is_enough_where_only_one_run_fits(store: Store) -> None:
    assert find_run(store, "both", "b").device_name == "b"
    for written, said in (
        ("run-00", "beginning of many runs: write more"),
        ("run-100", "beginning of 5 runs: write more"),
        ("bot", "there is no run 'bot'"),
        ("run_0000", "there is no run 'run_0000'"),  # no wild card
        ("both-1", "several spectrometers: name one of"),
    ):
        with pytest.raises(WatchError, match=said):
            find_run(store, written)
    with pytest.raises(WatchError, match="no run 'run-0000' of b"):
        find_run(store, "run-0000", "b")


def test_the_latest_run_is_one_spectrometers(store: Store) -> None:
    assert find_run(store, "latest", "a").run_id == "run-1004"
    assert find_run(store, "latest", "b").run_id == "both-1"
    with pytest.raises(WatchError, match="name one of a, b"):  # its run has not ended
        find_run(store, "latest")
    assert [one.run_id for one in runs_meant(store, (), "a", 2)] == ["run-1004", "run-1003"]
    assert [one.run_id for one in runs_meant(store, ["both-1", "latest"], "a", 2)] == ["both-1", "run-1004"]


def test_a_spectrometer_that_stopped_long_ago_is_not_asked_about(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        old = replace(run("old", 0, "b"), ended_at_utc=spectra.NOW + timedelta(minutes=2), slots=0)
        store.end_run(old).result(30)
        store.begin_run(run("new", 5)).result(30)
        assert find_run(store, "latest").run_id == "new"
