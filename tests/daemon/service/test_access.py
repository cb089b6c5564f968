"""The token stays with the daemon that it belongs to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from oesd.service.access import AccessError, Remote
from oesd.service.directory import DirectoryError, local_token, note_running, running, token_of


class Stranger(BaseHTTPRequestHandler):
    """Answers every request as a daemon that works on a directory of its choice, and keeps what it is sent."""

    directory = ""
    keys: list[str | None] = []  # noqa: RUF012

    def _answer(self) -> None:
        self.keys.append(self.headers.get("X-API-KEY"))
        body = json.dumps({"data_dir": self.directory}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    Stranger.directory, Stranger.keys = str(tmp_path), []
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_whoever_else_answers_gets_no_token(tmp_path: Path, stranger: str) -> None:
    local_token(tmp_path)
    note_running(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(DirectoryError, match="its token stays here"):
        Remote(stranger).capture("dark", "")
    assert set(Stranger.keys) == {None}


def test_the_daemon_of_the_directory_gets_it(tmp_path: Path) -> None:
    token = local_token(tmp_path)
    note_running(tmp_path, "http://127.0.0.1:8520")
    assert token_of("http://127.0.0.1:8520/", tmp_path) == token == local_token(tmp_path)
    assert (tmp_path / "daemon.json").stat().st_mode & 0o777 == 0o600


def test_no_token_is_made_in_a_foreign_directory(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError):
        token_of("http://127.0.0.1:8520", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("note", ["", "[]", '{"pid": "x"}', '{"pid": 999999999, "url": "u"}', '{"url": "u"}'])
def test_a_note_that_says_nothing_is_no_daemon(tmp_path: Path, note: str) -> None:
    (tmp_path / "daemon.json").write_text(note)
    assert running(tmp_path) is None


def test_our_own_note_is_believed(tmp_path: Path) -> None:
    note_running(tmp_path, "http://127.0.0.1:5")
    found = running(tmp_path)
    assert found is not None
    assert (found.pid, found.url) == (os.getpid(), "http://127.0.0.1:5")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_token_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is None:
        (tmp_path / "api-token").mkdir()
    else:
        (tmp_path / "api-token").write_bytes(content)
    with pytest.raises(DirectoryError, match="api-token"):
        local_token(tmp_path)


def test_what_is_no_daemon_is_named(stranger: str) -> None:
    with pytest.raises(AccessError, match="not an oesd daemon"):
        Remote(stranger).latest()


def test_a_token_that_a_full_disk_left_empty_is_made_anew(tmp_path: Path) -> None:
    """An empty one let nobody order anything, until a person removed the file."""
    (tmp_path / "api-token").touch(0o600)
    token = local_token(tmp_path)
    assert len(token) > 30 and local_token(tmp_path) == token
    assert (tmp_path / "api-token").stat().st_mode & 0o777 == 0o600


def test_a_link_to_a_token_on_a_disk_that_is_not_mounted_stays(tmp_path: Path) -> None:
    (tmp_path / "api-token").symlink_to(tmp_path / "later" / "token")
    with pytest.raises(DirectoryError, match="cannot be read"):
        local_token(tmp_path)
    assert (tmp_path / "api-token").is_symlink()


def test_a_token_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    words = "from oesd.service.directory import *; import resource, signal, pathlib, sys\n"
    words += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    words += "try: local_token(pathlib.Path(sys.argv[1]))\nexcept DirectoryError as e: sys.exit(7)"
    assert subprocess.run([sys.executable, "-c", words, tmp_path], check=False).returncode == 7
    assert len(local_token(tmp_path)) > 30


def test_the_number_of_a_dead_daemon_that_another_user_has_now_is_no_daemon(tmp_path: Path) -> None:
    """Who listens at the port of a daemon that was killed must not be sent its token."""
    if os.geteuid() != 0:
        pytest.skip("needs another user's process")
    with subprocess.Popen(["sleep", "60"], user=65534) as other:
        note_running(tmp_path, "http://127.0.0.1:8520")
        note = (tmp_path / "daemon.json").read_text().replace(str(os.getpid()), str(other.pid))
        (tmp_path / "daemon.json").write_text(note)
        assert running(tmp_path) is None
        os.chown(tmp_path / "daemon.json", 65534, -1)
        assert running(tmp_path) is not None
        other.kill()


def test_a_token_follows_no_redirect() -> None:
    asked: list[str | None] = []

    class Sends(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("X-API-KEY"))
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/elsewhere")  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Sends) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(AccessError, match="302"):
            Remote(f"http://127.0.0.1:{server.server_port}", "canary-0123456789").status()
        server.shutdown()
    assert asked == ["canary-0123456789"]
