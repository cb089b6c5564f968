"""Files of every released schema, made by the code of that time (``data/make.py``), as a killed daemon left them."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.daemon.store.making import NOW, capture, device, entry

from oesd.model import Kind
from oesd.store import Store, StoreNewer
from oesd.store.schema import STEPS
from oesd.store.sealing import Sealing

DATA = Path(__file__).with_name("data")
VERSIONS = sorted(int(path.name[7:-7]) for path in DATA.glob("schema-*.tar.xz"))
CUTS = 12


def unpacked(version: int, directory: Path) -> dict[str, Any]:
    """Lay a file of a version into a data directory; returns what was acknowledged of it."""
    directory.mkdir(mode=0o700)
    with tarfile.open(DATA / f"schema-{version}.tar.xz") as tar:
        tar.extractall(directory, filter="data")
    said = json.loads((directory / "expected.json").read_text())
    (directory / "expected.json").unlink()
    return said


def check(store: Store, said: dict[str, Any]) -> None:
    """All that was acknowledged is there, whole, and everything fits together."""
    for record_id, digest in said["counts"].items():
        found = store.capture(record_id)
        assert found is not None
        assert hashlib.sha256(found.counts_sum.tobytes()).hexdigest() == digest
    for data_id, (sample_id, dark_id, reference_id) in said["entries"].items():
        made = store.entry(data_id)
        assert made is not None
        assert (made.sample_id, made.dark_id, made.reference_id) == (sample_id, dark_id, reference_id)
        assert store.measurement(data_id) is not None
    for data_id, peaks in said["peaks"].items():
        found = store.result(data_id)
        assert found is not None
        assert [[p.peak_id, p.wavelength_nm, p.element] for p in found.analysis.detected_peaks] == peaks
    assert store.outbox.counts() == said["outbox"]
    assert all(store.tombstone(str(UUID(data_id))) is not None for data_id in said.get("gone", ()))
    tally = store.tally()
    assert {name: getattr(tally, name) for name in said["tally"]} == said["tally"]
    for pragma, well in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
        assert store.read(lambda db, p=pragma: db.execute(f"PRAGMA {p}").fetchall()) == well


def test_there_is_a_file_of_every_released_version() -> None:
    assert set(range(1, len(STEPS))) <= set(VERSIONS) <= set(range(1, len(STEPS) + 1))


@pytest.mark.parametrize("version", VERSIONS)
def test_the_file_of_a_version_comes_forward_whole(tmp_path: Path, version: int) -> None:
    said = unpacked(version, tmp_path / "data")
    with sqlite3.connect(tmp_path / "data" / "oesd.sqlite") as db:
        assert db.execute("PRAGMA user_version").fetchone() == (version,), "the file is of the version it is called by"
    db.close()
    for _ in range(2):
        with Store.open(tmp_path / "data") as store:
            check(store, said)
    with Store.open(tmp_path / "data") as store:
        before = store.tally().stored
        sample = capture(Kind.SAMPLE, 90, device(pixels=64), slot=90)
        store.save_capture(sample, entry(sample), upload=True).result(10)
        assert store.tally().stored == before + 1
        later = capture(Kind.SAMPLE, 91, device(pixels=64), slot=200_000, taken_at_utc=NOW + timedelta(days=9))
        store.save_capture(later, entry(later), upload=True).result(10)
        sealing = Sealing(store, least_bytes=1)
        while sealing.look(1 << 40, 1 << 30):
            pass
        rows = store.read(lambda db: db.execute("SELECT count(*) FROM captures WHERE segment_no > 0").fetchone())
        assert rows[0] >= 4, "what is of an earlier form is sealed, too"
        check(store, {**said, "outbox": store.outbox.counts(), "tally": {}})


@pytest.fixture(scope="module")
def killer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.daemon.store.migration_killer"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as server:
        yield server
        assert server.stdin is not None
        server.stdin.close()
        server.wait(10)


def migrated(server: subprocess.Popen[str], path: Path, size_bytes: int) -> str:
    """Bring a file forward, or be killed on the way, when a file grows past so many bytes."""
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(f"{path} {size_bytes}\n")
    return server.stdout.readline().strip()


@pytest.mark.parametrize("version", [version for version in VERSIONS if version < len(STEPS)])
def test_a_kill_during_a_migration_costs_nothing(tmp_path: Path, version: int, killer: subprocess.Popen[str]) -> None:
    said = unpacked(version, tmp_path / "then")
    log = (tmp_path / "then" / "oesd.sqlite-wal").stat().st_size
    grown = log_after_a_migration(tmp_path, killer)
    told = []
    for cut in range(CUTS):
        directory = tmp_path / str(cut)
        shutil.copytree(tmp_path / "then", directory)
        told.append(migrated(killer, directory / "oesd.sqlite", log + (grown - log) * cut // CUTS))
        with Store.open(directory) as store:
            check(store, said)
    assert told.count("killed") > CUTS // 2


def log_after_a_migration(tmp_path: Path, killer: subprocess.Popen[str]) -> int:
    """How long the log becomes: another connection keeps it from being worked in."""
    shutil.copytree(tmp_path / "then", tmp_path / "whole")
    path = tmp_path / "whole" / "oesd.sqlite"
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    assert migrated(killer, path, 1 << 30) == "done"
    grown = path.with_name("oesd.sqlite-wal").stat().st_size
    other.close()
    return grown


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("killed", [True, False])
def test_a_file_of_a_later_version_is_refused_untouched(tmp_path: Path, version: int, killed: bool) -> None:
    unpacked(version, tmp_path / "made")
    later = sqlite3.connect(tmp_path / "made" / "oesd.sqlite", isolation_level=None)
    later.execute(f"PRAGMA user_version = {len(STEPS) + version}")
    if not killed:
        later.close()
    shutil.copytree(tmp_path / "made", tmp_path / "data", ignore=shutil.ignore_patterns("*-shm"))
    later.close()
    before = content(tmp_path / "data")
    assert ("oesd.sqlite-wal" in before) is killed
    for _ in range(2):
        with pytest.raises(StoreNewer, match=f"schema {len(STEPS) + version}"):
            Store.open(tmp_path / "data")
        assert content(tmp_path / "data") == before


def content(directory: Path) -> dict[str, bytes]:
    """What the files of a database hold; every reader makes the index of a log anew, and an empty log holds nothing."""
    found = {file.name: file.read_bytes() for file in directory.glob("oesd.sqlite*") if not file.name.endswith("-shm")}
    return {name: data for name, data in found.items() if data}
