"""What an operator reads: each state in one plain line, what to do about it, darks and references."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oesd.acquisition import UnitState
from oesd.config import parse_config
from oesd.model import Entry, RunRecord, utc_text
from oesd.service.advice import ADVICE, advice_for
from oesd.service.notes import duration_text, notes_of
from oesd.service.status import Since, line_of, spectrometer_document, with_unrecorded, word_of

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
STATE = UnitState("chamber-a", "S1", "USB4000", False, "measuring", "", "usb:1.2", "r", 7, 7, NOW, 0,
                  integration_us=20_000, scans=2)  # fmt: skip
RUN = RunRecord("r", "chamber-a", 1_000_000, True, NOW - timedelta(minutes=28), 0, "b", cause="order")


def sentences(
    state: UnitState = STATE, library: dict[str, Any] | None = None, text: str = "", **more: Any
) -> list[str]:
    config = parse_config(text, "x")
    newest: Entry | None = more.get("newest")
    return [note["text"] for note in notes_of(state, more.get("word", "measuring"), library or {}, newest, config, NOW)]


@pytest.mark.parametrize(
    ("changes", "paused", "line", "level"),
    [
        ({"run_labels": {"sample": "GaN-7", "operator": "mk"}}, False,
         "measuring by order since 2026-03-01 12:02 UTC, sample=GaN-7, operator=mk", "good"),
        ({"state": "paused", "paused": True}, True, "paused since 2026-03-01 12:30 UTC", "wait"),
        ({"state": "idle"}, True, "paused since 2026-03-01 12:30 UTC", "wait"),
        ({"state": "idle"}, False, "idle since 2026-03-01 12:30 UTC", "wait"),
        ({"state": "waiting for plasma", "plasma": "off: 12 of 5000 counts/s"}, False,
         "waiting for plasma since 2026-03-01 12:30 UTC: off: 12 of 5000 counts/s", "wait"),
        ({"state": "waiting for trigger"}, False, "waiting for trigger since 2026-03-01 12:30 UTC", "wait"),
        ({"state": "device gone", "detail": "no such device"}, True,
         "device gone since 2026-03-01 12:30 UTC: no such device", "bad"),
        ({"state": "stopped"}, False, "stopped since 2026-03-01 12:30 UTC", "bad"),
    ],
)  # fmt: skip
def test_one_plain_line(changes: dict[str, Any], paused: bool, line: str, level: str) -> None:
    state = replace(STATE, **changes)
    document = spectrometer_document(state, RUN, word_of(state, paused), NOW)
    assert (document["line"], document["level"]) == (line, level)
    assert document["run_began_utc"] == "2026-03-01T12:02:00.000Z"


@pytest.mark.parametrize(
    ("cause", "words"),
    [("always", "measuring without end"), ("plan", "measuring by the plan"), ("plasma on", "while the plasma is on")],
)
def test_the_cause_of_a_run_is_said(cause: str, words: str) -> None:
    assert words in line_of(STATE, replace(RUN, cause=cause), "measuring", NOW)


def test_every_trouble_comes_with_advice() -> None:
    assert sentences(word="device gone") == ["to do: the spectrometer was not on USB: look at its cable, hub and power"]
    assert sentences(word="something new") == ["to do: see the daemon's log"]
    assert sentences(word="paused") == ["to go on: oesd run resume"]
    assert sentences() == []


REASONS = """device gone, worker lost, usb error, no permission, device busy, refused by device, no trigger, overrun,
paused, saturated, disk full, store too slow, not stored, daemon down, light switch, clock stepped, host asleep,
daemon stopped, dark refused, dark taken, reference refused, reference taken, sample taken, defect in oesd"""


def test_every_reason_of_the_ledger_has_advice() -> None:
    reasons = " ".join(REASONS.split()).split(", ")
    assert set(reasons) == set(ADVICE)
    assert advice_for(["overrun", "overrun", "strange"]) == {"overrun": ADVICE["overrun"]}


def test_saturation_is_said_with_what_to_do() -> None:
    (said,) = sentences(replace(STATE, saturated_pixels=12))
    assert said.startswith("12 pixels are saturated at 20 ms: shorten the integration time")


def taken(minutes_ago: float, reason: str = "r") -> dict[str, Any]:
    return {"record_id": "x", "taken_at": utc_text(NOW - timedelta(minutes=minutes_ago)), "proven": True,
            "reason": reason}  # fmt: skip


def test_which_dark_serves_and_why_the_last_was_refused() -> None:
    newest = Entry("d", "s", "x", None, "dark of 12:18 UTC, same 20 ms, 12 min old", "no reference", NOW)
    library = {"darks": {"last_accepted": taken(12), "last_refused": taken(3, "not dark: argon lines")}}
    assert sentences(library=library, newest=newest) == [
        "dark of 12:18 UTC, same 20 ms, 12 min old",
        "the dark taken 3 min ago was refused: not dark: argon lines",
        "reference: no reference",
    ]
    assert sentences(library=library)[0] == "dark: the last one taken 12 min ago", "before the first sample"
    library["darks"]["last_refused"] = taken(60)
    assert not any("refused" in said for said in sentences(library=library, newest=newest))


@pytest.mark.parametrize(
    ("text", "do"),
    [
        ("", "block the light, then: oesd capture dark --device chamber-a"),
        ('[dark]\nhow = "switch"\n[light]\ncommand = ["x"]', "taken by itself as soon as there is a gap"),
        ('[dark]\nhow = "window"\nwindow = "0 5 * * *"', "in the window of the plan; at once: oesd capture dark"),
    ],
)
def test_one_that_is_due_comes_with_the_way_to_take_it(text: str, do: str) -> None:
    (said,) = sentences(replace(STATE, due={"dark": "no dark yet"}), text=text)
    assert said.startswith("a dark is due: no dark yet; ") and do in said
    (said,) = sentences(library={"references": {"due": "it is old", "waits": "asks again in 5 min"}}, text=text)
    assert said.startswith("a reference is due: it is old (asks again in 5 min); bring the reference light, then: oesd")


def test_since_changes_only_with_what_it_is() -> None:
    moments = iter([NOW, NOW + timedelta(hours=1), NOW + timedelta(hours=2)])
    since = Since(lambda: next(moments))
    assert [since.note("a", word) for word in ("x", "x", "y", "y")] == [NOW, NOW, *[NOW + timedelta(hours=1)] * 2]
    assert since.note("b", "x") == NOW + timedelta(hours=2)


def test_what_a_full_disk_keeps_out_is_added() -> None:
    assert with_unrecorded({"overrun": 1}, {"overrun": 2, "disk full": 3}) == {"overrun": 3, "disk full": 3}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (86400, "24 h"), (200_000, "2 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
