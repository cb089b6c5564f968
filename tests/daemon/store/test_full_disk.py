"""A real disk of 16 MiB that is full: nothing acknowledged is lost, and it goes on when there is room again."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.store.making import capture, entry, loss, same
from tests.daemon.store.test_inspection import inspected

from oesd.model import Capture
from oesd.store import Store, StoreError, StoreFull

SIZE = 16 << 20
FILLED_TO = (200_000, 60_000, 4_096, 0)  # free bytes at which it begins to fill


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "tmpfs", str(place)]
    if (
        os.geteuid()
        or not shutil.which("mount")
        or subprocess.run(command, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def stored(store: Store, seed: int) -> Capture:
    sample = capture(seed=seed)
    store.save_capture(sample, entry(sample), upload=True).result(10)
    return sample


def fill(disk: Path, ballast: Path, free: int) -> None:
    with ballast.open("wb") as file:
        file.write(bytes(max(0, shutil.disk_usage(disk).free - free)))


def until_full(store: Store, seed: int) -> tuple[list[Capture], StoreError]:
    """Store until the disk refuses; what was acknowledged, and the refusal."""
    known: list[Capture] = []
    for number in range(seed, seed + 400):
        try:
            known.append(stored(store, number))
        except StoreError as error:
            return known, error
    raise AssertionError("the disk never filled")


def test_a_disk_that_is_full_loses_nothing_and_is_used_again(disk: Path) -> None:
    known, ballast = [], disk / "ballast"
    with Store.open(disk / "data") as store:
        for turn, free in enumerate(FILLED_TO):
            fill(disk, ballast, free)
            there, error = until_full(store, 1000 * turn)
            known += there
            assert isinstance(error, StoreFull)
            assert "\n" not in str(error)
            assert all(same(store.capture(one.record_id), one) for one in known), "what was stored is read all the same"
            with pytest.raises(StoreFull):
                store.record_loss(loss()).result(10)
            ballast.unlink()
            began = time.monotonic()
            known.append(stored(store, 1000 * turn + 999))
            assert time.monotonic() - began < 10.0
    with Store.open(disk / "data") as store:
        assert all(same(store.capture(one.record_id), one) for one in known)
    assert inspected(disk / "data") == []
