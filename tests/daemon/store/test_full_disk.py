"""A real disk of 16 MiB that is full: nothing acknowledged is lost, and it goes on when there is room again."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from tests.daemon.store.making import capture, entry, loss, same
from tests.daemon.store.test_inspection import inspected

from oesd.model import Capture
from oesd.store import Store, StoreError, StoreFull

LARGEST = 16 << 20
FILLED_TO = (200_000, 60_000, 4_096, 0)  # free bytes at which it begins to fill


@pytest.fixture
def disk() -> Path:
    place = Path(os.environ.get("OESD_TEST_SMALL_DISK", ""))
    if not place.is_absolute():
        pytest.skip("OESD_TEST_SMALL_DISK names no disk of 16 MiB: mount -t tmpfs -o size=16M tmpfs DIRECTORY")
    assert place.is_mount(), f"{place} is no disk of its own: filling it would fill another"
    assert shutil.disk_usage(place).total <= LARGEST, f"{place} is larger than 16 MiB"
    assert not list(place.iterdir()), f"{place} is not empty"
    return place


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
            # Something smaller may still have room.
            assert isinstance(store.record_loss(loss()).exception(10), StoreFull | None)
            ballast.unlink()
            began = time.monotonic()
            known.append(stored(store, 1000 * turn + 999))
            assert time.monotonic() - began < 10.0
    fill(disk, ballast, 0)
    with pytest.raises(StoreFull, match=r"its disk is full \(0 bytes free\).*free some MB there"):
        Store.open(disk / "data")
    ballast.unlink()
    with Store.open(disk / "data") as store:
        assert all(same(store.capture(one.record_id), one) for one in known)
    assert inspected(disk / "data") == []
