from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from oesd.listening import CannotListen, PortInUse
from oesd.web.server import Server


def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


def endless(_: Request) -> Response:
    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(ticks(), media_type="text/event-stream")


def application() -> Starlette:
    return Starlette(routes=[Route("/", hello), Route("/events", endless)])


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server(application(), max_connections=8)
    started.start()
    yield started
    started.stop()


def test_serves_as_soon_as_start_returns(server: Server) -> None:
    assert httpx.get(f"http://127.0.0.1:{server.port}/").text == "hello"


def test_it_shows_that_its_loop_goes_on() -> None:
    beats: list[tuple[str, float]] = []
    enough = threading.Event()

    def beat(name: str, within_s: float) -> None:
        beats.append((name, within_s))
        if len(beats) > 1:
            enough.set()

    started = Server(application(), beat=beat)
    started.start()
    try:
        assert enough.wait(10)
        assert set(beats) == {(f"web {started.port}", 60.0)}
    finally:
        started.stop()


def test_port_in_use_is_one_line_that_says_what_to_do(server: Server) -> None:
    second = Server(application(), port=server.port, option="--hub-port")
    with pytest.raises(PortInUse) as caught:
        second.start()
    assert str(caught.value) == f"port {server.port} is in use on 127.0.0.1; choose another with --hub-port"
    second.stop()


def test_a_foreign_address_is_refused_in_one_line() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on port 0 of 192\.0\.2\.1"):
        Server(application(), "192.0.2.1").start()
    with pytest.raises(CannotListen, match="is not an address of this computer"):
        Server(application(), "no-such-host.invalid").start()


def test_ipv6_loopback() -> None:
    server = Server(application(), "::1")
    try:
        server.start()
    except CannotListen:
        pytest.skip("this machine has no IPv6")
    assert httpx.get(f"http://[::1]:{server.port}/").text == "hello"
    server.stop()


def test_the_port_is_free_again_after_stop() -> None:
    for _ in range(3):
        server = Server(application())
        server.start()
        port = server.port
        server.stop()
        again = Server(application(), port=port)
        again.start()
        again.stop()


def test_stop_is_quick_with_open_streams_and_idle_connections() -> None:
    server = Server(application())
    server.start()
    before = {thread.name for thread in threading.enumerate()}
    assert f"web-{server.port}" in before
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        assert client.get("/").text == "hello"  # stays open, idle
        with client.stream("GET", "/events") as events:
            assert next(events.iter_bytes()).startswith(b"data: tick")
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 4.0
    assert f"web-{server.port}" not in {thread.name for thread in threading.enumerate()}


def test_a_request_that_outlasts_the_server_is_let_go_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    begun, over = threading.Event(), threading.Event()

    def slow(_: Request) -> Response:
        begun.set()
        over.wait(20)
        return PlainTextResponse("late")

    server = Server(Starlette(routes=[Route("/slow", slow)]))
    server.start()
    asking = socket.create_connection(("127.0.0.1", server.port))
    with asking:
        asking.sendall(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n")
        assert begun.wait(10)
        server.ask_to_stop()
        deadline_s = time.monotonic() + 10
        while "timeout graceful shutdown exceeded" not in caplog.text and time.monotonic() < deadline_s:
            time.sleep(0.02)
        over.set()
        server.stop()
    assert "timeout graceful shutdown exceeded" in caplog.text
    assert not [record for record in caplog.records if record.exc_info]


def test_stop_twice_and_stop_without_start_are_harmless() -> None:
    server = Server(application())
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_no_server_name_is_told(server: Server) -> None:
    assert "server" not in httpx.get(f"http://127.0.0.1:{server.port}/").headers


def test_a_head_too_large_is_refused(server: Server) -> None:
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers={"X-Long": "x" * 200_000})
        assert answer.status_code == 400
    except (httpx.WriteError, httpx.ReadError):
        pass  # closed while it was still being sent


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 20_000, b"nonsense\r\n\r\n"])
def test_what_is_no_request_is_refused_in_our_form(server: Server, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(head)
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    first, _, body = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 400 ") and b"content-type: application/json" in first
    assert json.loads(body)["detail"].startswith("Invalid HTTP request received.")


def test_who_says_nothing_gives_way_to_who_comes(server: Server) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(12)]
    try:
        assert httpx.get(f"http://127.0.0.1:{server.port}/").status_code == 200
        idle[0].settimeout(5)
        with suppress(ConnectionResetError):
            assert idle[0].recv(1) == b""  # the first that came is the first that goes
    finally:
        for connection in idle:
            connection.close()


def test_who_is_being_served_stays_and_others_are_turned_away(server: Server) -> None:
    url = f"http://127.0.0.1:{server.port}"
    with ExitStack() as open_streams:
        answers = [open_streams.enter_context(httpx.stream("GET", f"{url}/events")) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 7
        assert [httpx.get(url).status_code for _ in range(3)] == [503] * 3
        assert all(next(answer.iter_bytes()).startswith(b"data:") for answer in answers)
    deadline_s = time.monotonic() + 10
    while httpx.get(url).status_code != 200:
        assert time.monotonic() < deadline_s


def test_a_client_that_does_not_read_is_cut_off() -> None:
    over = threading.Event()

    async def flood() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
                await asyncio.sleep(0)
        finally:
            over.set()

    started = Server(Starlette(routes=[Route("/", lambda _: StreamingResponse(flood()))]), write_deadline_s=0.5)
    started.start()
    try:
        with socket.create_connection(("127.0.0.1", started.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert over.wait(10)
    finally:
        started.stop()


class TestSlowHeads:
    @pytest.fixture
    def server(self) -> Iterator[Server]:
        started = Server(application(), head_deadline_s=0.3)
        started.start()
        yield started
        started.stop()

    def closed_within(self, connection: socket.socket, deadline_s: float) -> bool:
        connection.settimeout(deadline_s)
        try:
            return connection.recv(1024) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def test_silence_is_closed(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            assert self.closed_within(connection, 5.0)

    def test_a_dripping_head_is_closed(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-A: ")
            assert self.closed_within(connection, 5.0)

    def test_a_dripping_second_head_is_closed_too(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while b"hello" not in received:
                received += connection.recv(1024)
            connection.sendall(b"GET / HTTP/1.1\r\nX-A: ")
            assert self.closed_within(connection, 4.0)

    def test_a_long_answer_is_not_cut(self, server: Server) -> None:
        with httpx.stream("GET", f"http://127.0.0.1:{server.port}/events") as events:
            began = time.monotonic()
            for _ in events.iter_bytes():
                if time.monotonic() - began > 0.8:
                    return
        pytest.fail("the stream ended")
