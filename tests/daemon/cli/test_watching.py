"""What the commands print of traces, alarms, back-tests and comparisons; in one line what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.daemon.cli.test_status import STATE, WELL
from tests.daemon.service.test_watching import CONFIG, stored

from oesd.cli.alarms import alarm_lines
from oesd.cli.backtest import run_lines
from oesd.cli.commands import cli
from oesd.cli.compare import comparison_lines
from oesd.cli.trace import named_lines
from oesd.config import parse_config
from oesd.service.golden import Golden
from oesd.service.watch_desk import WatchDesk
from oesd.service.watching import Watching
from oesd.store import Store
from oesd.store.named_traces import NamedSeries
from oesd.web import Server, create_api


def test_a_named_trace_is_a_table_with_errors_and_limits() -> None:
    ones = np.ones(3, np.int64)
    values, sigmas = np.array([5.0, 0.1, np.nan]), np.array([0.5, 0.2, np.nan])
    series = NamedSeries(ones, 10**15 * ones, ones, ones, values, sigmas, np.array([0, 1, 3], np.uint8))
    lines = list(named_lines(series))
    assert lines[0] == "taken_at_utc,value,sigma,upper,state"
    assert lines[1] == "2001-09-09T01:46:40.000Z,5,0.5,,measured"
    assert lines[2].startswith("2001-09-09T01:46:40.000Z,0.1,0.2,0.4")
    assert lines[3] == "2001-09-09T01:46:40.000Z,,,,undefined"
    nothing = NamedSeries(
        *(np.zeros(0, np.int64) for _ in range(4)), *(np.zeros(0) for _ in range(2)), np.zeros(0, np.uint8)
    )
    assert list(named_lines(nothing)) == []


def test_alarms_are_lines_with_what_to_do() -> None:
    alarm = {
        "name": "leak", "device": "a", "state": "raised", "since_utc": "2026-01-01T10:00:00.000Z", "text": "n2 is 5\x1b[2J",  # noqa: E501
        "needs_acknowledge": True,
    }  # fmt: skip
    failed = {"name": "mail", "state": "failed", "text": "no server"}
    lines = list(alarm_lines({"alarms": [alarm], "endpoints": [], "actions": [failed, {**failed, "state": "ok"}]}))
    assert len(lines) == 2
    assert "raised       since 2026-01-01 10:00 UTC: n2 is 5" in lines[0]
    assert lines[0].endswith("; oesd alarms --acknowledge leak"), "to be copied"
    assert "\x1b" not in lines[0]
    assert "nothing is watched" in next(alarm_lines({"alarms": [], "endpoints": [], "actions": []}))


@pytest.mark.parametrize("seen", [False, True])
def test_status_needs_attention_until_an_alarm_is_acknowledged(tmp_path: Path, seen: bool) -> None:
    with Store.open(tmp_path) as store:
        watching = Watching(parse_config(CONFIG, "test"), store)
        watching.start()
        stored(store, watching, 0, 1.0)
        watching.stop()
        if seen:
            watching.acknowledge("low", "", "mk")
        alarms = WatchDesk(store, watching).summary()
        app = create_api(
            store, status=lambda: {**STATE, **WELL, "alarms": alarms}, healthy=lambda: True, token="t" * 32
        )
        server = Server(app, "127.0.0.1", 0)
        server.start()
        try:
            told = CliRunner().invoke(cli, ["status", "--url", f"http://127.0.0.1:{server.port}"])
        finally:
            server.stop()
    assert told.exit_code == (0 if seen else 1), told.output
    head, _, line = told.output.splitlines()[:3]
    if seen:
        assert "all is well" in head and line.startswith("alarm low (chamber-a) acknowledged since 2026-")
    else:
        assert "NEEDS ATTENTION" in head and line.startswith("problem: alarm low (chamber-a) raised since 2026-")
        assert line.endswith("; oesd alarms --acknowledge low")


def test_a_back_test_says_where_it_is_otherwise_than_live() -> None:
    run = {
        "run_id": "r1", "device": "a", "began_utc": "2026-01-01T10:00:00.000Z", "fired": {"run_s": 20.0, "why": "low"},
        "same_as_live": False, "measured": "live", "state": "reached", "values": 30,
    }  # fmt: skip
    lines = list(run_lines({"runs": [run, {**run, "fired": None, "same_as_live": None}], "sentence": "one of two"}))
    assert "at 20.00 s: low; OTHERWISE THAN LIVE" in lines[0]
    assert "not (reached, 30 values)" in lines[1]
    assert lines[-1] == "one of two"


def test_a_comparison_is_a_table_of_species() -> None:
    one = {
        "species": "Ar", "run": 2.0, "golden": 1.0, "difference": 1.0, "sigma": 0.1, "p_corrected": 1e-9,
        "different": True, "lines": ["Ar_750.4"],
    }  # fmt: skip
    document = {
        "run": "r1", "golden": "r0", "device": "a", "aligned": {"sentence": "0 s"}, "species": [one], "notes": [],
        "sentence": "1 of 1 species differ",
    }  # fmt: skip
    lines = list(comparison_lines(document))
    assert lines[3].startswith(" * Ar")
    assert lines[-1] == "1 of 1 species differ"


def test_without_a_daemon_the_chosen_run_is_compared_with(tmp_path: Path) -> None:
    with Store.open(tmp_path) as store:
        watching = Watching(parse_config(CONFIG, "test"), store)
        for run in (1, 2):
            for second in range(4):
                stored(store, watching, second, 10.0, run)
    asked = ["compare", "latest", "--data", str(tmp_path), "--json"]
    refused = CliRunner().invoke(cli, asked)
    assert refused.exit_code != 0 and "no run of chamber-a is golden" in refused.stderr
    Golden(tmp_path).keep("runs", {"chamber-a": {"run_id": "run-1"}})
    told = json.loads(CliRunner().invoke(cli, asked).stdout)
    assert (told["run"], told["golden"]) == ("run-2", "run-1")
    named = json.loads(CliRunner().invoke(cli, [*asked, "--golden", "run-2"]).stdout)
    assert named["golden"] == "run-2"
