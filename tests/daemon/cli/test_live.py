"""``oesd top`` and ``oesd watch`` beside a daemon: on a terminal, from another computer, of another version."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import certificate
from tests.support.daemons import DEADLINE_S, OESD, Daemon

from oesd.service.directory import local_token

BACK = b"\x1b[?1049l"  # the screen as it was before

REMOTE = """
data_dir = "{place}/data"
[capture]
every = "500 ms"
integration = "5 ms"
[web]
port = 0
remote = true
remote_host = "127.0.0.1"
remote_port = {port}
names = ["localhost:{port}"]
certificate = "{pair.certificate}"
certificate_key = "{pair.key}"
[simulation]
enabled = true
devices = ["USB4000:SIM1"]
"""


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, *words: str, lines: int = 24, columns: int = 80, env: Mapping[str, str] | None = None) -> None:
        self.shown = b""
        self._terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self._process = subprocess.Popen(
            [*OESD, *words], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", **(env or {})},
        )  # fmt: skip
        os.close(theirs)

    def until(self, what: bytes) -> bytes:
        """Read until something is shown."""
        deadline_s = time.monotonic() + DEADLINE_S
        while what not in self.shown:
            assert time.monotonic() < deadline_s and self._read(), self.shown
        return self.shown

    def runs_for(self, seconds: float) -> bool:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and self._process.poll() is None:
            self._read()
        return self._process.poll() is None

    def press(self, keys: bytes) -> None:
        os.write(self._terminal, keys)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Read to the end; returns the status."""
        while self._read():
            pass
        return self.hang_up()

    def hang_up(self) -> int:
        """Take the terminal away; returns the status."""
        os.close(self._terminal)
        self._terminal = -1
        return self._process.wait(DEADLINE_S)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)
        if self._terminal >= 0:
            os.close(self._terminal)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], 0.2)
        try:
            piece = os.read(self._terminal, 65536) if ready else b""
        except OSError:  # nobody has it open any more
            return False
        self.shown += piece
        return bool(piece) or self._process.poll() is None


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon.simulated(tmp_path_factory.mktemp("live") / "data") as running:
        assert running.url()
        yield running


def test_top_is_ended_by_q_and_not_by_an_arrow(daemon: Daemon) -> None:
    with Screen("top", "--data", str(daemon.data)) as screen:
        screen.until(b"q quits")
        screen.press(b"\x1b[A")  # as a mouse's wheel sends them too
        assert screen.runs_for(1.0)
        screen.press(b"q")
        assert screen.end() == 0
        assert screen.shown.rstrip().endswith(BACK)


def test_top_that_is_killed_gives_the_terminal_back(daemon: Daemon) -> None:
    with Screen("top", "--data", str(daemon.data)) as screen:
        screen.until(b"q quits")
        screen.signal(signal.SIGTERM)
        assert screen.end() == 128 + signal.SIGTERM
        assert screen.shown.rstrip().endswith(BACK)


def test_top_ends_with_its_terminal(daemon: Daemon) -> None:
    """Where nobody tells it by a signal, too: it would look for keys without end."""
    with Screen("top", "--data", str(daemon.data)) as screen:
        screen.until(b"q quits")
        screen.hang_up()


def test_top_on_a_terminal_without_ellipses(daemon: Daemon) -> None:
    """What has no sign in the terminal's encoding is no defect."""
    with Screen("top", "--data", str(daemon.data), columns=30, env={"PYTHONIOENCODING": "ascii"}) as screen:
        screen.until(b"q quits")
        screen.press(b"q")
        assert screen.end() == 0


def test_top_says_that_a_terminal_cannot_be_drawn_on(daemon: Daemon) -> None:
    with Screen("top", "--data", str(daemon.data), env={"TERM": "dumb"}) as screen:
        assert screen.end() == 2
        assert b"there are oesd status and oesd watch" in screen.shown


def test_a_daemon_that_hangs_is_not_well(daemon: Daemon) -> None:
    with Screen("top", "--data", str(daemon.data)) as screen:
        screen.until(b"all is well")
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            screen.until(b"silent for")
            screen.shown = b""
            assert b"all is well" not in screen.until(b"silent for")
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        screen.press(b"q")
        assert screen.end() == 0


def test_a_spectrometer_that_is_not_there_is_named(daemon: Daemon) -> None:
    command = [*OESD, "watch", "--data", str(daemon.data), "--device", "SIM0000I"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stderr is not None
        line = watching.stderr.readline()
        watching.kill()
    assert line.startswith("no spectrometer called 'SIM0000I' is at work (there are ") and "SIM00001" in line


def test_from_another_computer_with_the_token(tmp_path: Path) -> None:
    pair = certificate(tmp_path / "tls", "DNS:localhost")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    (tmp_path / "lab.toml").write_text(REMOTE.format(place=tmp_path, port=port, pair=pair))
    with Daemon(tmp_path / "data", "run", "--config", tmp_path / "lab.toml") as daemon:
        assert daemon.url()
        env = {"SSL_CERT_FILE": str(pair.certificate), "OESD_TOKEN": local_token(daemon.data) + "\n"}
        command = [*OESD, "watch", "--url", f"https://localhost:{port}", "--json"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env}
        ) as watching:
            assert watching.stdout is not None and watching.stderr is not None
            line = watching.stdout.readline()
            watching.kill()
            assert line, watching.stderr.read()
        assert json.loads(line)["kind"] == "spectrum"
        with Screen("top", "--url", f"https://localhost:{port}", env=env) as screen:
            screen.until(b"q quits")
            screen.press(b"q")
            assert screen.end() == 0


class _Strange(http.server.BaseHTTPRequestHandler):
    """Answers as a daemon of years to come may."""

    status: Mapping[str, Any] = {}

    def do_GET(self) -> None:
        body = json.dumps(self.status).encode() if self.path == "/status" else b"{}"
        self.send_response(200 if self.path == "/status" else 503)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"version": "9.9", "spectrometers": [{"called": "a"}]}, b"the daemon is oesd 9.9, this command "),
        ({"hello": 1}, b"this is not an oesd daemon"),
    ],
)
def test_what_another_version_says_is_one_line(status: Mapping[str, Any], said: bytes) -> None:
    handler = type("Handler", (_Strange,), {"status": status})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with Screen("top", "--url", f"http://127.0.0.1:{server.server_address[1]}") as screen:
            assert screen.end() == 2
            server.shutdown()
    assert said in screen.shown and b"defect" not in screen.shown
