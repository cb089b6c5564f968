"""The commands' side of the API, where the daemon has no turn for them yet."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oesd.service.asking import AccessError
from oesd.service.remote import Remote


@contextmanager
def busy(times: int, retry_after: str) -> Iterator[tuple[str, list[int]]]:
    """A server that answers 503 so many times before it gives a file."""
    answered: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answered.append(503 if len(answered) < times else 200)
            body = b'{"detail": "2 exports are under way"}' if answered[-1] == 503 else b"the file"
            self.send_response(answered[-1])
            if answered[-1] == 503:
                self.send_header("retry-after", retry_after)
            self.send_header("content-disposition", 'attachment; filename="one.csv"')
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answered
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_export_waits_for_its_turn() -> None:
    with busy(2, "1") as (url, answered), Remote(url).export([("ids", "x")]) as (name, pieces):
        assert (name, b"".join(pieces)) == ("one.csv", b"the file")
        assert answered == [503, 503, 200]


@pytest.mark.parametrize("retry_after", ["100000", "", "soon", "-1"])
def test_but_not_for_ever_and_not_without_being_told_for_how_long(retry_after: str) -> None:
    with busy(100, retry_after) as (url, answered), pytest.raises(AccessError, match="2 exports are under way"):
        with Remote(url).export([("ids", "x")]):
            pass
    assert answered == [503]
