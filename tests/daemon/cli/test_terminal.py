"""What a terminal shows: columns that hold, ``oesd top``, ``oesd watch``, completion."""

from __future__ import annotations

import io
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console
from tests.daemon.cli.test_status import ALARMS

from oesd.cli.commands import COMMANDS, SUMMARIES, cli
from oesd.cli.tables import number, peak_rows
from oesd.cli.top import ends
from oesd.cli.top_view import Seen, view_of
from oesd.cli.watch import event_line
from oesd.client import Event


@pytest.mark.parametrize(
    ("value", "width", "decimals", "text"),
    [(1.5, 9, 1, "      1.5"), (1e300, 9, 1, "1.00e+300"), (-1e300, 5, 2, "-1e+300"), (123456789.1, 9, 1, " 1.23e+08")],
)
def test_numbers_keep_to_their_columns(value: float, width: int, decimals: int, text: str) -> None:
    assert number(value, width, decimals) == text


def test_the_line_that_a_person_chose_comes_first_and_bears_a_star() -> None:
    numbers = dict.fromkeys(("wavelength_nm", "wavelength_sigma_nm", "fwhm_nm", "snr", "intensity", "probability"), 1.0)
    lines = [{"candidate_key": f"Al_{k}.0", "probability": 0.5} for k in range(6)]
    peak = {"peak_id": "p1", "element": "Al", "candidates": lines, **numbers}
    for key, shown in (
        (None, "Al_0.0(0.50) Al_1.0(0.50) Al_2.0(0.50) Al_3.0(0.50)"),
        ("Al_5.0", "Al_5.0*(0.50) Al_0.0(0.50) Al_1.0(0.50) Al_2.0(0.50)"),
        ("Al_9.0", "Al_9.0* Al_0.0(0.50) Al_1.0(0.50) Al_2.0(0.50) Al_3.0(0.50)"),
    ):
        assert peak_rows([peak | {"candidate_key": key}])[1][-1] == shown


def unit(name: str = "SIM00001", **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "word": "measuring", "level": "good", "line": "measuring", "notes": [], "integration_us": 20000,
        "scans": 2, "saturated_pixels": 0, "captures": 0, **changes,
    }  # fmt: skip


def state(*units: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "version": "0.1.0", "healthy": True, "simulated": True, "uptime_s": 60, "spectrometers": list(units),
        "tally": {"captured": 5, "stored": 4, "processed": 3, "confirmed": 2, "waiting": 1, "pending": 7},
        "day": {"due": 5, "stored": 4, "lost": {"overrun": 1}}, "upload": {"state": "ok"}, **changes,
    }  # fmt: skip


def screen(seen: Seen, now_s: float = 100.0, width: int = 80, height: int = 24) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=False)
    console.print(view_of(seen, now_s, console.size))
    return out.getvalue().splitlines()


def test_top_fits_an_old_terminal_and_shows_what_counts() -> None:
    seen = Seen("http://127.0.0.1:8520", {})
    for second in range(5):
        seen.note(Event("state", state(unit(captures=2 * second))), 100.0 + second)
    seen.note(Event("spectrum", {"device": "SIM00001", "elements": [{"element": "Ar", "probability": 0.99}]}), 104.0)
    lines = screen(seen, 104.0)
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    text = "\n".join(lines)
    wanted = "all is well|SIMULATED|SIM00001|20 ms x 2| 2 |Ar|1 lost|overrun|7 to forward|q quits"
    for expected in wanted.split("|"):
        assert expected in text, expected


def test_top_names_what_needs_a_person() -> None:
    sick = unit("a", level="bad", line="unplugged: plug it in", saturated_pixels=12)
    seen = Seen(
        "u",
        state(sick, healthy=False, problems={"USB": "no permission"}, upload={"state": "blocked", "blocked": "401"}),
    )
    text = "\n".join(screen(seen))
    wanted = "NEEDS ATTENTION|unplugged: plug it in|no permission|12 px|blocked: 401"
    for expected in wanted.split("|"):
        assert expected in text, expected


@pytest.mark.parametrize("height", [3, 4, 5, 7, 8, 12, 24])
@pytest.mark.parametrize("width", [20, 80])
@pytest.mark.parametrize("units", [0, 1, 30])
def test_the_last_line_of_top_is_always_there(units: int, width: int, height: int) -> None:
    there = [unit(f"S{number}", level="bad", line="unplugged") for number in range(units)]
    lines = screen(Seen("http://127.0.0.1:8520", state(*there)), width=width, height=height)
    assert len(lines) <= height and max(map(len, lines)) <= width
    assert lines[0].startswith("oesd 0.1.0") and lines[-1].startswith("q quits")
    assert "more" in lines[-1] or units < 30


def test_without_news_nothing_is_well() -> None:
    seen = Seen("http://chamber-3.plasma.lab.example.org:8520", state(unit()), heard_s=90.0)
    assert "all is well" in screen(seen, 91.0)[0]
    for seen.trouble, said in (("", "silent for 10 s"), ("GET /events: 401", "GET /events: 401")):
        head = screen(seen, 100.0)[0]
        assert said in head and "all is well" not in head


def test_top_shows_no_light_of_a_spectrometer_that_has_gone_and_no_foreign_escapes() -> None:
    seen = Seen("u", state(unit(level="bad", word="unplugged"), unit("b"), version="1\x1b[2J"))
    for name in ("SIM00001", "b"):
        seen.note(Event("spectrum", {"device": name, "elements": [{"element": f"Ar-{name}\x1b[2J"}]}), 1.0)
    text = "\n".join(screen(seen, width=120))
    assert "Ar-b" in text and "Ar-SIM00001" not in text
    assert "\x1b" not in text


def test_keys_that_end_top() -> None:
    ending = ("q", "Q", "xq", "\x1b", "\x03")
    assert all(ends(keys) for keys in ending)
    assert not any(ends(keys) for keys in ("", "x", "\x1b[A", "\x1bOB", "\x1b[A\x1b[B", "\x1bq"))


def test_top_shows_alarms_that_were_raised_before_it_began() -> None:
    text = "\n".join(screen(Seen("u", state(unit(), alarms=ALARMS)), width=120))
    for expected in ("NEEDS ATTENTION", "alarm leak (a) raised", "--acknowledge leak", "action mail failed"):
        assert expected in text, expected
    acknowledged = {"unacknowledged": 0, "standing": [], "failed": []}
    assert "all is well" in screen(Seen("u", state(unit(), alarms=acknowledged)))[0]


def test_top_with_more_than_fits_ends_with_the_last_line() -> None:
    units = [unit(f"u{i}", level="bad", line="away") for i in range(6)]
    lines = screen(Seen("u", state(*units)), height=14)
    assert len(lines) <= 14 and "more lines" in lines[-1] and lines[-1].startswith("q quits")


def test_top_says_when_nothing_is_heard_and_foreign_text_steers_nothing() -> None:
    seen = Seen("u", {})
    seen.note(Event("state", state(unit("x\x1b[2J[bold]"))), 100.0)
    assert "silent for" not in screen(seen, 101.0)[0] and "silent for 10 s" in screen(seen, 110.0)[0]
    text = "\n".join(screen(seen))
    assert "\x1b" not in text and "[bold]" in text
    assert "none" in "\n".join(screen(Seen("u", state())))


def test_watch_has_a_line_for_each_thing() -> None:
    spectrum = {
        "device": "a", "taken_at_utc": "2026-11-22T11:20:01.5Z", "data_id": "d", "peaks": [{}, {}],
        "elements": [{"element": "Ar", "probability": 0.999}], "metadata": {"saturated_pixels": 3},
    }  # fmt: skip
    assert event_line(Event("spectrum", spectrum)) == "11:20:01  a             Ar >0.99; 2 peaks; 3 px SATURATED  d"
    assert "assigned: d, revision 2" in event_line(Event("change", {"why": "assigned", "data_id": "d", "revision": 2}))
    assert "alarm leak raised at a: x" in event_line(
        Event("alarm", {"name": "leak", "state": "raised", "device": "a", "text": "x"})
    )


def test_watch_and_top_say_what_is_missing() -> None:
    told = CliRunner().invoke(cli, ["watch", "--url", "http://127.0.0.1:9"])
    assert told.exit_code == 2 and "no oesd daemon answers" in told.stderr and told.stderr.count("\n") == 1
    told = CliRunner().invoke(cli, ["top", "--url", "http://127.0.0.1:9"])
    assert told.exit_code == 2 and "needs a terminal" in told.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_the_shells_own(shell: str) -> None:
    told = CliRunner().invoke(cli, ["completion", shell])
    assert told.exit_code == 0 and "_OESD_COMPLETE" in told.stdout


def test_every_command_has_its_line_and_its_help() -> None:
    assert set(SUMMARIES) == set(COMMANDS)
    for name in COMMANDS:
        told = CliRunner().invoke(cli, [name, "--help"])
        assert told.exit_code == 0 and "Usage:" in told.stdout, name
