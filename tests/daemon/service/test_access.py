"""The token stays with the daemon that it belongs to."""

from __future__ import annotations

import json
import os
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
