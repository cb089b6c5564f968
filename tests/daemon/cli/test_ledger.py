from __future__ import annotations

from typing import Any

from oesd.cli.ledger import ledger_lines

HOURS: dict[str, Any] = {
    "by": "hour",
    "since_utc": "2026-03-01T00:00:00.000Z",
    "accounts": [
        {"device_name": "a", "hour_utc": "2026-03-01T12:00:00.000Z", "due": 3600, "stored": 3600, "lost": {}},
        {
            "device_name": "chamber-b",
            "hour_utc": "2026-03-01T12:00:00.000Z",
            "due": 36000,
            "stored": 35990,
            "lost": {"overrun": 2, "device gone": 8},
        },
    ],
    "total": {"due": 39600, "stored": 39590, "lost": {"overrun": 2, "device gone": 8}},
}


def test_hours() -> None:
    assert ledger_lines(HOURS)[:5] == [
        "hour (UTC)        spectrometer    due  stored  lost  why",
        "2026-03-01 12:00  a              3600    3600     -",
        "2026-03-01 12:00  chamber-b     36000   35990    10  device gone 8, overrun 2",
        "",
        "of 39600 slots 39590 are stored (99.97 %)",
    ]
    assert ledger_lines(HOURS)[5].startswith("lost 8: device gone - the spectrometer was not on USB")


def test_what_is_not_complete_never_reads_as_complete() -> None:
    total = {"due": 10_000_000, "stored": 9_999_999, "lost": {"a new reason": 1}}
    lines = ledger_lines({**HOURS, "total": total})
    assert "(99.99 %)" in lines[-2]
    assert lines[-1] == "lost 1: a new reason"


def test_runs() -> None:
    run = {
        "device_name": "a",
        "run_id": "r",
        "began_at_utc": "2026-03-01T12:00:00.000Z",
        "ended_at_utc": "2026-03-01T12:00:07.123Z",
        "ending": "no end was recorded after slot 4",
        "period_us": 500_000,
        "due": 14,
        "stored": 5,
        "lost": {"daemon down": 9},
    }
    open_run = {**run, "ended_at_utc": None, "ending": "", "due": 5, "lost": {}}
    document = {**HOURS, "by": "run", "accounts": [open_run, run]}
    assert ledger_lines(document)[:4] == [
        "began (UTC)          ended                 spectrometer  every  due  stored  lost  why",
        "2026-03-01 12:00:00  still open            a             0.5 s    5       5     -",
        "2026-03-01 12:00:00  2026-03-01 12:00:07?  a             0.5 s   14       5     9  daemon down 9",
        "? no end was recorded after slot 4",
    ]


def test_nothing() -> None:
    assert ledger_lines({**HOURS, "accounts": []}) == ["no slot was due since 2026-03-01 00:00 UTC"]
