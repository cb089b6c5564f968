"""A start that was refused: told at once, tried again ever more seldom; on a real socket of systemd's, as a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oesd.service.unhurried import unhurried, wait_s


def test_refusals_in_a_row_wait_ever_longer(tmp_path: Path) -> None:
    counter, now_s = tmp_path / "refused", time.time()
    assert [wait_s(counter, now_s) for _ in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_refusal_long_after_another_is_a_first_one(tmp_path: Path) -> None:
    counter, now_s = tmp_path / "refused", time.time()
    for _ in range(4):
        wait_s(counter, now_s)
    assert wait_s(counter, now_s + 179) > 0
    assert wait_s(counter, now_s + 181) == 0


@pytest.mark.parametrize("text", ["", "x", "-7", "9" * 5000])
def test_a_count_that_is_none_does_no_harm(tmp_path: Path, text: str) -> None:
    counter = tmp_path / "refused"
    counter.write_text(text)
    assert 0 <= wait_s(counter, time.time()) <= 60


def test_where_nothing_can_be_counted_nobody_waits(tmp_path: Path) -> None:
    assert [wait_s(tmp_path / "absent" / "refused", time.time()) for _ in range(3)] == [0, 0, 0]


def refused(config: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "oesd.cli", "run", "--config", str(config)],
        env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_daemon_says_why_then_waits_and_can_be_stopped(tmp_path: Path) -> None:
    config = tmp_path / "oesd.toml"
    config.write_text("evry = 1\n")
    (tmp_path / "refused").write_text("6")  # the next one waits 32 s
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        environ = {"RUNTIME_DIRECTORY": str(tmp_path), "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with refused(config, environ) as daemon:
            assert daemon.stderr is not None
            assert "evry" in daemon.stderr.readline()
            assert "in 32 s" in systemd.recv(1000).decode()
            assert daemon.poll() is None
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(20) == 2
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize(("place", "status"), [("", 2), ("refused", 0)])
def test_nobody_waits_without_systemd_or_without_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, status: int
) -> None:
    (tmp_path / "refused").write_text("6")
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path) if place else "")
    began_s = time.monotonic()
    with pytest.raises(SystemExit), unhurried():
        sys.exit(status)
    assert time.monotonic() - began_s < 5
    assert (tmp_path / "refused").read_text() == "6"
