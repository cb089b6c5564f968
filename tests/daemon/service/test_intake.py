"""The hub's intake: everything that arrived is taken in, whatever comes in between."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import pytest

from oesd.service.intake import Intake
from oesd.store import StoreError


class Listed:
    """What the store lists as not taken, and a list of who took what."""

    def __init__(self, *data_ids: str) -> None:
        self.waiting = list(data_ids)
        self.taken: list[str] = []
        self.guard = threading.Lock()
        self.failures: dict[str, list[Exception]] = {}

    def untaken(self, limit: int) -> list[str]:
        with self.guard:
            return self.waiting[:limit]

    def take(self, data_id: str) -> None:
        with self.guard:
            failures = self.failures.get(data_id)
            if failures:
                raise failures.pop()
            if data_id in self.waiting:
                self.waiting.remove(data_id)
                self.taken.append(data_id)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def started(listed: Listed, hands: int = 3, **more: object) -> Intake:
    intake = Intake(listed, listed.take, hands, lambda _name, _within_s: None, **more)  # type: ignore[arg-type]
    intake.start()
    return intake


def test_what_an_earlier_process_left_and_what_arrives_is_taken_once() -> None:
    listed = Listed(*(f"old-{n}" for n in range(2500)))
    intake = started(listed)
    for n in range(50):
        with listed.guard:
            listed.waiting.append(f"new-{n}")
        intake.put(f"new-{n}")
    until(lambda: not listed.waiting)
    intake.stop()
    assert len(listed.taken) == len(set(listed.taken)) == 2550


def test_more_than_fits_in_memory_is_found_in_the_store() -> None:
    listed = Listed()
    intake = Intake(listed, listed.take, 2, lambda _name, _within_s: None)  # type: ignore[arg-type]
    for n in range(3000):
        listed.waiting.append(f"n-{n}")
        intake.put(f"n-{n}")
    intake.start()
    until(lambda: not listed.waiting)
    intake.stop()
    assert len(set(listed.taken)) == 3000


def test_a_full_disk_delays_and_a_defect_costs_one_file_only(caplog: pytest.LogCaptureFixture) -> None:
    listed = Listed("full", "of files", "odd", "good")
    no_space = OSError(errno.ENOSPC, "No space left on device")  # a file that is kept beside the store
    listed.failures = {"full": [StoreError("disk full")], "of files": [no_space], "odd": [ZeroDivisionError()]}
    intake = started(listed, 1)
    until(lambda: {"full", "of files", "good"} <= set(listed.taken))
    intake.put("again")
    time.sleep(0.05)
    assert listed.waiting == ["odd"]
    assert intake.alive
    intake.stop()
    assert "upload odd waits for the next start" in caplog.text
    assert not intake.alive


def test_it_beats_and_stops_at_once_when_idle() -> None:
    beats: list[str] = []
    listed = Listed()
    intake = Intake(listed, listed.take, 2, lambda name, _within_s: beats.append(name))  # type: ignore[arg-type]
    intake.start()
    until(lambda: len(set(beats)) == 2)
    began = time.monotonic()
    intake.stop()
    assert time.monotonic() - began < 2.0
