"""``oesd verify`` and ``oesd backup`` as a person runs them: beside a daemon, without one, on what is damaged."""

from __future__ import annotations

import json
from pathlib import Path

from tests.daemon.store.making import stored_entry
from tests.support.daemons import Daemon, oesd, until
from tests.support.stores import rot

from oesd.store import Store


def test_beside_a_daemon(tmp_path: Path) -> None:
    with Daemon.simulated(tmp_path / "data") as daemon:
        until(lambda: daemon.tally()["stored"] >= 3)
        told = oesd("verify", "--data", tmp_path / "data")
        made = oesd("backup", tmp_path / "copy", "--data", tmp_path / "data")
    assert (told.returncode, told.stderr) == (0, "")
    assert "all is well" in told.stdout
    assert (made.returncode, made.stderr) == (0, "")
    assert "verified" in made.stdout
    with Store.open(tmp_path / "copy") as copy:
        assert copy.tally().stored >= 3


def test_damage_is_told_line_by_line_and_by_the_status(tmp_path: Path) -> None:
    with Store.open(tmp_path / "data") as store:
        one = stored_entry(store, 1)
    rot(tmp_path / "data", f"UPDATE captures SET counts = x'00' WHERE record_id = '{one.sample_id}'")
    told = oesd("backup", tmp_path / "copy", "--data", tmp_path / "data")
    assert told.returncode == 1
    assert told.stdout.splitlines()[0].startswith(f"checksum: captures {one.sample_id}: ")
    assert told.stdout.splitlines()[-1].endswith("1 findings, the same as in the data")
    document = json.loads(oesd("verify", "--json", "--data", tmp_path / "data").stdout)
    assert (document["well"], len(document["findings"]), document["checked"]["captures"]) == (False, 1, 2)


def test_nothing_to_check_is_one_line_and_status_2(tmp_path: Path) -> None:
    told = oesd("backup", tmp_path / "copy", "--data", tmp_path)
    assert told.returncode == 2
    assert "no data of oesd there" in told.stderr
    assert told.stderr.count("\n") == 1
