"""What was asked to be told is told, also when the daemon stops or its configuration changes meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.daemons import until

from oesd.config import parse_config
from oesd.service.telling import NotTold, Teller, Tellers


def appends(file: Path, *, sleeps_s: float = 0.0, status: int = 0) -> str:
    words = ["sh", "-c", f'sleep {sleeps_s}; echo "$0" >> {file}; exit {status}', "{name}"]
    return f'[[action]]\nname = "a"\ncommand = {words!r}\n'


def using(text: str) -> Tellers:
    tellers = Tellers()
    tellers.use(parse_config(text, "test").action)
    return tellers


def told(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def test_what_was_asked_just_before_the_end_is_told(tmp_path: Path) -> None:
    """The endpoint of the last spectrum: it was decided while the daemon stopped, and nobody heard of it."""
    tellers = using(appends(tmp_path / "out"))
    for name in ("first", "second", "third"):
        tellers.tell(["a"], {"name": name})
    tellers.stop()
    assert told(tmp_path / "out") == ["first", "second", "third"]


def test_an_action_that_a_reload_took_away_is_waited_for_at_the_end(tmp_path: Path) -> None:
    tellers = using(appends(tmp_path / "out", sleeps_s=0.3))
    tellers.tell(["a"], {"name": "low"})
    tellers.use(())
    tellers.stop()
    assert told(tmp_path / "out") == ["low"]
    assert tellers.states() == []


def test_at_the_end_each_is_tried_once_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tellers = using(appends(tmp_path / "out", status=3))
    for name in ("first", "second"):
        tellers.tell(["a"], {"name": name})
    begun_s = time.monotonic()
    tellers.stop()
    assert time.monotonic() - begun_s < 2.0
    assert told(tmp_path / "out")[-2:] == ["first", "second"]
    assert [name for name in ("first", "second") if f"{name} was not told: " in caplog.text] == ["first", "second"]


class Hanging:
    """A way that takes its time, until it is let go."""

    def __init__(self) -> None:
        self.begun, self.go, self.told = threading.Event(), threading.Event(), []

    def tell(self, notice: Mapping[str, Any]) -> None:
        self.begun.set()
        if not self.go.wait(60):
            raise NotTold("nobody let it go")
        self.told.append(notice["name"])

    def close(self) -> None:
        return


def test_what_hangs_ends_after_the_try_at_hand_and_how_many_were_not_told_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    way = Hanging()
    teller = Teller("a", "mail", way)
    teller.start()
    for name in ("first", "second", "third"):
        teller.tell({"name": name})
    teller.ask_to_stop()
    teller.join(0.2)
    assert "did not end in time; 3 notices may not have been told" in caplog.text
    way.go.set()
    until(lambda: teller.ended)
    assert way.told == ["first"]


def test_a_full_queue_is_told_to_its_end_by_an_action_that_is_wanted_no_more(caplog: pytest.LogCaptureFixture) -> None:
    way = Hanging()
    teller = Teller("a", "mail", way)
    teller.start()
    teller.tell({"name": "0"})
    assert way.begun.wait(60)
    for number in range(1, 102):
        teller.tell({"name": str(number)})
    assert "100 notices wait: one of 101 was not told" in caplog.text
    teller.retire()
    way.go.set()
    teller.join(10)
    assert way.told == [str(number) for number in range(101)]
