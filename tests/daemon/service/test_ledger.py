"""The ledger of real daemons that are killed: every slot has its fate, and the sums add up."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from tests.support.daemons import Daemon, oesd, until

from oesd.model import utc_from_text


def runs(daemon: Daemon) -> list[dict[str, Any]]:
    """Runs of the running daemon, the oldest first, as the API has them."""
    accounts: list[dict[str, Any]] = daemon.get("/ledger?by=run")["accounts"]
    return accounts[::-1]


def test_a_killed_daemon_s_slots_are_accounted_for_by_the_next(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Daemon.simulated(data) as killed:
        until(lambda: len(runs(killed)) == 2 and min(r["stored"] for r in runs(killed)) >= 3)
        assert [run["ended_at_utc"] for run in runs(killed)] == [None, None]
        killed.end(signal.SIGKILL)
    offline = json.loads(oesd("ledger", "--runs", "--json", "--data", data).stdout)
    assert [run["ended_at_utc"] for run in offline["accounts"]] == [None, None]
    with Daemon.simulated(data) as daemon:
        until(lambda: len(runs(daemon)) == 4)
        told = oesd("ledger", "--data", data).stdout
        assert "daemon down" in told and "journalctl" in told
        assert daemon.end(signal.SIGTERM) in (0, 1)
    document = json.loads(oesd("ledger", "--runs", "--json", "--data", data).stdout)
    second, first = document["accounts"][:2], document["accounts"][2:]
    for run in first:
        assert run["ending"].endswith("counted on the monotonic clock of the same boot")
        assert run["lost"].keys() <= {"daemon down", "not stored"}
        assert run["lost"]["daemon down"] >= 1
        assert run["due"] == run["stored"] + sum(run["lost"].values())
        lasted_s = _seconds(run["ended_at_utc"]) - _seconds(run["began_at_utc"])
        assert abs(run["due"] - lasted_s / (run["period_us"] / 1e6)) <= 1.1
    for run in second:
        assert run["ended_at_utc"] and not run["ending"]
    by_hour = json.loads(oesd("ledger", "--hours", "--json", "--data", data).stdout)
    assert by_hour["total"] == document["total"]
    # Nothing is left to be settled by a third daemon.
    with Daemon.simulated(data) as third:
        until(lambda: len(runs(third)) == 6)
        assert runs(third)[:4] == (first[::-1] + second[::-1])
        third.end(signal.SIGTERM)


def _seconds(text: str) -> float:
    return utc_from_text(text).timestamp()
