"""A reload of a daemon at work, seen from outside and as systemd is told of it."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.daemons import Daemon, until

from oesd.config import ConfigError, parse_config
from oesd.model import Capture
from oesd.service.daemon import Service
from oesd.service.sections import without_restart
from oesd.store import Store

CONFIG = """
data_dir = "{data}"
[web]
port = 0
[simulation]
enabled = true
[capture]
integration = "{integration}"
every = "{every}"
[[spectrometer]]
serial = "SIM00001"
every = "{own}"
[identify]
ambient = {ambient}
"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """What systemd would be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        yield listener


def heard(told: socket.socket) -> list[str]:
    found = []
    with suppress(BlockingIOError):
        while True:
            found.append(told.recv(4096).decode())
    return found


def started(tmp_path: Path) -> Daemon:
    words = "run", "--config", tmp_path / "lab.toml"
    return Daemon(
        tmp_path / "data", *words, env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "2000000"}
    )


def write(tmp_path: Path, **changes: str) -> None:
    values = {
        "data": str(tmp_path / "data"),
        "integration": "10 ms",
        "every": "200 ms",
        "own": "200 ms",
        "ambient": "[]",
    }
    (tmp_path / "lab.toml").write_text(CONFIG.format(**values | changes))


def captures(data: Path, serial: str) -> list[Capture]:
    """Every capture of a spectrometer, oldest first."""
    with Store.open(data) as store:
        entries = [store.entry(one.data_id) for one in store.entries(1000)]
        found = [store.capture(entry.sample_id) for entry in entries if entry is not None]
    mine = [one for one in found if one is not None and one.device.serial == serial]
    return sorted(mine, key=lambda sample: sample.taken_at_utc)


def gaps_s(taken: list[Capture]) -> list[float]:
    return [(after.taken_at_utc - before.taken_at_utc).total_seconds() for before, after in pairwise(taken)]


def test_it_touches_nothing_but_what_it_changes(tmp_path: Path, told: socket.socket) -> None:
    write(tmp_path)
    with started(tmp_path) as daemon:
        until(lambda: daemon.tally()["stored"] >= 10)
        assert heard(told)[0].startswith("READY=1\nSTATUS=measuring 2/2"), "ready means that both measure"
        for changes in ({"ambient": '["Ar"]'}, {"ambient": '["Ar"]', "own": "100 ms"}):
            write(tmp_path, **changes)
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: "READY=1" in heard(told))
            wanted = daemon.tally()["stored"] + 15
            until(lambda wanted=wanted: daemon.tally()["stored"] >= wanted)
        assert daemon.tally()["lost"] == {}
        assert daemon.end(signal.SIGTERM) == 0
    left, right = captures(tmp_path / "data", "SIM00001"), captures(tmp_path / "data", "SIM00002")
    assert len({one.run_id for one in right}) == 1, "no change is its business: it goes on in its run"
    assert [one.slot for one in right] == list(range(len(right)))
    assert len({one.run_id for one in left}) == 2, "the first change is none of its business, the second is"
    assert max(gaps_s(left)) < 2 * 0.2, "its device stays open"
    assert max(gaps_s(right)) < 2 * 0.2


def test_an_exposure_longer_than_the_watchdog_is_finished(tmp_path: Path, told: socket.socket) -> None:
    write(tmp_path, integration="3 s", every="4 s", own="4 s")
    with started(tmp_path) as daemon:
        until(lambda: daemon.tally()["stored"] >= 2)
        write(tmp_path, integration="2500 ms", every="4 s", own="4 s")
        heard(told)
        daemon.process.send_signal(signal.SIGHUP)
        words: list[str] = []
        silent_s, last_s = 0.0, time.monotonic()
        while "READY=1" not in words:
            if fresh := heard(told):
                silent_s, last_s = max(silent_s, time.monotonic() - last_s), time.monotonic()
                words += fresh
            assert time.monotonic() - last_s < 30
            time.sleep(0.05)
        assert any(word.startswith("RELOADING=1\nMONOTONIC_USEC=") for word in words[:2])
        assert silent_s < 2, "systemd would have killed it"
        stored = daemon.tally()["stored"]
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(30) == 0
        assert any("EXTEND_TIMEOUT_USEC" in one for one in heard(told))
    assert len(captures(tmp_path / "data", "SIM00001")) * 2 >= stored


def test_what_waits_for_a_restart_and_what_counts_at_once_fit_together() -> None:
    now = parse_config('[simulation]\nenabled = true\n[dark]\nhow = "switch"\n', "now")
    fresh = parse_config('[web]\nport = 1234\n[capture]\nevery = "2 s"\n[store]\nurl = "postgresql://h/d"\n', "new")
    merged, waits = without_restart(fresh, now)
    assert (merged.capture, merged.web, merged.simulation) == (fresh.capture, now.web, now.simulation)
    assert merged.store.url.reveal() == ""
    assert waits == ["web", "simulation", "store.url"]
    with pytest.raises(ConfigError, match=r"needs a restart, as simulation changed, too: light: how = .switch. needs"):
        without_restart(now, parse_config("", "real"))
    database = parse_config('[store]\nurl = "postgresql://h/d"\n', "now")
    with pytest.raises(ConfigError, match=r"needs a restart, as store.url changed, too: on_full: must be .stop."):
        without_restart(parse_config('[store]\non_full = "drop_confirmed"\n', "new"), database)


def test_a_room_that_fails_to_stop_keeps_no_other_from_it(tmp_path: Path) -> None:
    """A disk that had gone read-only: the note could not be removed, and the store was never closed."""
    service = Service(parse_config(f'data_dir = "{tmp_path}"\n[web]\nport = 0\n[simulation]\nenabled = true', "test"))
    service.start()

    def fail() -> None:
        raise OSError("read-only file system")

    service._open.callback(fail)
    with pytest.raises(OSError, match="read-only"):
        service.stop()
    with Store.open(tmp_path) as store:  # it was let go
        assert store.tally().captured == store.tally().stored
    service.stop()
