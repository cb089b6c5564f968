import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from oesd.acquisition import CommandLight, LightError
from oesd.acquisition.http_light import HttpLight
from oesd.model import Kind


def test_the_command_is_told_what_is_wanted(tmp_path: Path) -> None:
    said = tmp_path / "said"
    light = CommandLight(("sh", "-c", f'echo "$@" > {said}', "sh", "{kind}", "{serial}", "{name}"), 10)
    light.switch(Kind.DARK, "S $(x)", "n")
    assert said.read_text() == "dark S $(x) n\n"


@pytest.mark.parametrize(
    ("words", "timeout_s", "message"),
    [
        (("/no/such/program",), 5, "cannot be run"),
        ((sys.executable, "-c", "import sys; sys.exit('lamp is off')"), 20, "status 1.*lamp is off"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), 0.2, "longer than 0.2 s"),
    ],
)
def test_failures_are_one_line(words: tuple[str, ...], timeout_s: float, message: str) -> None:
    with pytest.raises(LightError, match=message):
        CommandLight(words, timeout_s).switch(Kind.SAMPLE, "S", "n")


class Hook(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        status = {"/no": 503, "/away": 302}.get(self.path, 204)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/light")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Hook.asked.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_hook_is_told_what_is_wanted(hook: str) -> None:
    HttpLight(hook + "/light?show={kind}&who={serial}&name={name}", 5).switch(Kind.DARK, "S/1&x= y", "n")
    assert Hook.asked == ["/light?show=dark&who=S%2F1%26x%3D%20y&name=n"]


@pytest.mark.parametrize(("path", "status"), [("/no", 503), ("/away", 302)])
def test_a_hook_that_does_not_agree_is_a_failure(hook: str, path: str, status: int) -> None:
    with pytest.raises(LightError, match=f"status {status}"):
        HttpLight(hook + path, 5).switch(Kind.DARK, "S", "n")
    assert Hook.asked == [path], "no redirect is followed"


def test_a_hook_that_is_not_there_or_silent_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(LightError, match=r"longer than 0\.2 s"):
            HttpLight(f"http://127.0.0.1:{port}/", 0.2).switch(Kind.DARK, "S", "n")
    with pytest.raises(LightError, match="cannot be reached"):
        HttpLight(f"http://127.0.0.1:{port}/", 0.2).switch(Kind.DARK, "S", "n")
