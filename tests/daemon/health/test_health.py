import socket
from pathlib import Path

import pytest

from oesd.health import Health, notify, watchdog_period_s


def test_a_broken_promise_is_named_until_it_is_kept() -> None:
    now = [100.0]
    health = Health(lambda: now[0])
    health.beat("unit", 5.0)
    health.beat("other", 50.0)
    assert health.late() == []
    now[0] = 106.0
    assert health.late() == ["unit"]
    health.beat("unit", 5.0)
    assert health.late() == []
    now[0] = 200.0
    health.retire("unit")
    assert health.late() == ["other"]


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        notify("READY=1", "STATUS=measuring")
        assert systemd.recv(500) == b"READY=1\nSTATUS=measuring"
        notify("RELOADING=1")
        assert systemd.recv(500).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    notify("STOPPING=1")  # nobody listens any more: no error


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notify("READY=1")
    assert watchdog_period_s() is None
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert watchdog_period_s() == 15.0
