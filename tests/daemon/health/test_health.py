import socket
from pathlib import Path

import pytest

from oesd.health import Health, Watchdog, notify


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
        notify("STATUS=serial X\nSTOPPING=1\n\udce9")  # of a hostile or broken device
        assert systemd.recv(500) == b"STATUS=serial X STOPPING=1 ?"
        notify("RELOADING=1")
        assert systemd.recv(500).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
    notify("STOPPING=1")  # nobody listens any more: no error


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    notify("READY=1")
    asked: list[str] = []
    Watchdog(Health()).feed(lambda: asked.append("line") or "")
    assert not asked


def test_the_watchdog_is_fed_at_half_its_limit_and_only_while_every_beat_is_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    health = Health(lambda: now[0])
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)

        def told(at_s: float) -> bytes:
            now[0] = at_s
            watchdog.feed(lambda: f"at {at_s:g}")
            try:
                return systemd.recv(500)
            except BlockingIOError:
                return b""

        watchdog = Watchdog(health, lambda: now[0])
        health.beat("unit", 40.0)
        assert told(100.0) == b"WATCHDOG=1\nSTATUS=at 100"
        assert told(101.9) == b""
        assert told(102.0) == b"STATUS=at 102"
        assert told(114.9) == b"STATUS=at 114.9"
        assert told(115.0) == b"WATCHDOG=1"
        late = "the beat of the unit is late: systemd is to restart the service, and people see why"
        assert told(145.0) == b"STATUS=no sign of life from unit; at 145", late
        health.beat("unit", 40.0)
        assert told(145.2) == b"WATCHDOG=1"
