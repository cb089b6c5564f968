from __future__ import annotations

from typing import Any

from oesd.cli.ledger import ledger_lines
from oesd.cli.runs import run_lines
from oesd.cli.status import status_lines

UNIT: dict[str, Any] = {
    "name": "chamber-a", "model": "USB4000", "serial": "S1", "line": "device gone since 2026-03-01 12:00 UTC",
    "integration_us": 20_000, "scans": 2, "captures": 12,
    "notes": [{"level": "bad", "text": "to do: look at its cable"}, {"level": "", "text": "dark: same 20 ms"}],
}  # fmt: skip
STATE: dict[str, Any] = {
    "version": "0.1.0", "healthy": False, "uptime_s": 7300.0, "data_dir": "/d", "simulated": False,
    "late": ["forwarder"],
    "spectrometers": [UNIT], "problems": {"usb:1": "permission denied"}, "store": "the disk is full",
    "disk": {"level": "full", "line": "the data directory has no room"},
    "runs": {"standing": {"start": "always", "labels": {"project": "P"}, "on": True}, "ordered": {}},
    "tally": {"captured": 30, "stored": 20, "processed": 20, "confirmed": 19, "lost": {"disk full": 10}},
    "day": {"due": 25, "stored": 20, "lost": {"device gone": 5}}, "unrecorded": {"disk full": 5},
    "upload": {"state": "credential blocked", "blocked": "401"},
}  # fmt: skip

WELL: dict[str, Any] = {
    "healthy": True, "spectrometers": [], "problems": {}, "store": "", "late": [], "simulated": True,
    "day": {"due": 0, "stored": 0, "lost": {}}, "unrecorded": {}, "upload": {"state": "off"},
}  # fmt: skip
ALARMS: dict[str, Any] = {
    "raised": 1, "unacknowledged": 2, "worst": "bad", "text": "N2 is high; action mail failed",
    "standing": [
        {"name": "leak", "device": "a", "state": "raised", "level": "bad", "since_utc": "2026-03-01T12:00:00.000Z",
         "text": "N2 is high", "needs_acknowledge": True},
        {"name": "disk", "device": "", "state": "cleared", "level": "wait", "since_utc": None,
         "text": "9.0 GB left", "needs_acknowledge": True},
    ],
    "failed": [{"name": "mail", "text": "leak was not told: no server", "level": "bad"}],
}  # fmt: skip
"""As GET /status has it."""


def test_alarms_that_nobody_acknowledged_and_actions_that_failed_are_not_well() -> None:
    lines = status_lines({**STATE, **WELL, "alarms": ALARMS})
    assert lines[0].startswith("oesd 0.1.0: NEEDS ATTENTION")
    assert lines[2:5] == [
        "problem: alarm leak (a) raised since 2026-03-01 12:00 UTC: N2 is high; oesd alarms --acknowledge leak",
        "alarm disk over, not acknowledged: 9.0 GB left; oesd alarms --acknowledge disk",
        "problem: action mail failed: leak was not told: no server",
    ]


def test_an_operator_reads_what_happened_and_what_to_do() -> None:
    assert status_lines(STATE) == [
        "oesd 0.1.0: NEEDS ATTENTION; up 2 h; data in /d",
        "chamber-a (USB4000 S1): device gone since 2026-03-01 12:00 UTC",
        "    exposure 20 ms x 2, 12 captures",
        "    ! to do: look at its cable",
        "    dark: same 20 ms",
        "problem: usb:1: permission denied",
        "problem: spectra cannot be stored: the disk is full",
        "problem: the data directory has no room",
        "problem: the forwarder thread does not answer",
        "the configuration's own order: always, project=P",
        "last 24 h: 25 slots, 20 stored, 5 lost",
        "lost 5: device gone - the spectrometer was not on USB: look at its cable, hub and power",
        "lost 5: disk full - make room in the data directory's file system, "
        "or let confirmed spectra go ([store] on_full), not in the ledger yet",
        "in all: captured 30, stored 20, processed 20, confirmed 19, lost 10",
        "upload: credential blocked: 401",
    ]


def test_no_spectrometer_and_nothing_wrong() -> None:
    lines = status_lines({**STATE, **WELL})
    assert lines[1] == "SIMULATED: virtual spectrometers"
    assert lines[2] == "no spectrometer is plugged in: oesd devices lists what USB shows"
    assert lines[0].startswith("oesd 0.1.0: all is well") and lines[-1] == "upload: off"


def test_runs() -> None:
    run = {
        "began_at_utc": "2026-03-01T12:00:00.000Z", "ended_at_utc": None, "ending": "", "device_name": "a", "on": True,
        "cause": "order", "labels": {"sample": "GaN-7", "step": "2"}, "period_us": 200_000, "paced": True,
        "due": 5, "stored": 4, "lost": {"paused": 1}, "run_id": "r1",
    }  # fmt: skip
    burst = {**run, "paced": False, "cause": "", "labels": {}, "ended_at_utc": "2026-03-01T12:00:07.123Z", "lost": {}}
    assert run_lines({"runs": [run, burst]}) == [
        "began (UTC)          ended                spectrometer  by     every  due  stored  lost  why       "
        "labels                run",
        "2026-03-01 12:00:00  still open           a             order  0.2 s    5       4     1  paused 1  "
        "sample=GaN-7, step=2  r1",
        "2026-03-01 12:00:00  2026-03-01 12:00:07  a             -      burst    5       4     -            "
        "                      r1",
    ]
    assert run_lines({"runs": [], "standing": {"start": "on order", "labels": {}}}) == [
        "no run since then", "the configuration's own order: on order",
    ]  # fmt: skip


def test_the_ledger_tells_what_a_full_disk_keeps_out_of_it() -> None:
    total = {"due": 2, "stored": 2, "lost": {}}
    document = {"by": "hour", "since_utc": "2026-03-01T00:00:00.000Z", "accounts": [], "total": total}
    lines = ledger_lines({**document, "unrecorded": {"disk full": 7}})
    assert lines[0].startswith("no slot was due")
    assert lines[2] == "beside them 7 slots are lost that the disk cannot take into the ledger yet"
    assert lines[3].startswith("lost 7: disk full - make room")
