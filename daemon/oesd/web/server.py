"""uvicorn in one thread, on a socket of our own.

The socket is bound before the thread exists, so that a port in use is an error
of the caller and not a line in a log. No signal handlers, no access log, no
reverse-proxy headers; limits on the size and the age of a request's head
(:mod:`oesd.web.connection`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp

from oesd.listening import CannotListen, listen
from oesd.web.certificates import BadCertificate, server_context
from oesd.web.connection import ImpatientH11

HEAD_LIMIT_BYTES = 16 * 1024
START_DEADLINE_S = 10.0
BEAT_S = 60.0  # a page that is slow is no reason to end the daemon; one whose loop stands for a minute has a defect
STOP_GRACE_S = 1
STOP_DEADLINE_S = 5.0

_log = logging.getLogger(__name__)


class Server:
    """An ASGI application served on one address by one thread.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address to listen on. Anything but loopback is the caller's decision.
    port : int
        0 lets the system choose; :attr:`port` tells which one.
    max_connections : int
        Connections beyond this get 503 at once.
    option : str
        What a person gives to choose another port; named in the error.
    head_deadline_s : float
        A connection whose request head takes longer is closed (slowloris).
    beat : callable
        Called once a second from the event loop with a name and the seconds within which it will be called again.
    tls : tuple of Path, optional
        Files of the certificate (with its chain) and of its key, PEM: https instead of http.
    write_deadline_s : float
        A client that takes none of its answer for so long is cut off.
    listener : socket, optional
        A socket that listens there already; host and port only name it then.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        max_connections: int = 32,
        option: str = "--port",
        head_deadline_s: float = 10.0,
        beat: Callable[[str, float], None] = lambda _name, _within_s: None,
        tls: tuple[Path, Path] | None = None,
        write_deadline_s: float = 30.0,
        listener: socket.socket | None = None,
    ) -> None:
        self.host = host
        self._tls = tls
        self._write_deadline_s = write_deadline_s
        self._app = app
        self._wanted_port = port
        self._max_connections = max_connections
        self._option = option
        self._head_deadline_s = head_deadline_s
        self._beat = beat
        self._socket = listener
        self._uvicorn: _Uvicorn | None = None
        self._thread: threading.Thread | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port that is listened on; 0 before :meth:`start`."""
        return self._port

    def start(self) -> None:
        """Listen, and return when requests are answered.

        Raises
        ------
        PortInUse
            Another program listens on the port.
        CannotListen
            The address is not ours, the port needs more rights, or the certificate cannot be used.
        """
        try:
            context = None if self._tls is None else server_context(*self._tls)
        except BadCertificate as problem:
            raise CannotListen(str(problem)) from problem
        if self._socket is None:
            self._socket = listen(self.host, self._wanted_port, self._option)
        self._port = int(self._socket.getsockname()[1])
        name = f"web {self._port}"
        self._uvicorn = _Uvicorn(self._settings(context), lambda: self._beat(name, BEAT_S))
        self._thread = threading.Thread(
            target=self._uvicorn.run, args=([self._socket],), name=f"web-{self._port}", daemon=True
        )
        self._thread.start()
        if not self._uvicorn.ready.wait(START_DEADLINE_S):
            self.stop()
            raise CannotListen(f"the web server on {self.host} port {self._port} did not start")

    def ask_to_stop(self) -> None:
        """Begin to stop without waiting: several servers stop in the time of one."""
        if self._uvicorn is not None:
            self._uvicorn.leave()

    def stop(self) -> None:
        """Close every connection and join the thread, within a few seconds; harmless when not started."""
        if self._thread is None or self._socket is None:
            return
        self.ask_to_stop()
        self._thread.join(STOP_DEADLINE_S)
        if self._thread.is_alive():
            _log.warning("the web server on port %d did not stop within %.0f s", self._port, STOP_DEADLINE_S)
        self._socket.close()
        self._uvicorn = self._thread = self._socket = None

    def _settings(self, context: ssl.SSLContext | None) -> uvicorn.Config:
        return uvicorn.Config(
            cast(Any, self._app),
            loop="asyncio",
            http=cast(Any, partial(ImpatientH11, self._head_deadline_s, self._write_deadline_s)),
            ssl_context_factory=None if context is None else lambda _config, _default: context,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=self._max_connections,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=STOP_GRACE_S,
            h11_max_incomplete_event_size=HEAD_LIMIT_BYTES,
        )


def _is_defect(record: logging.LogRecord) -> bool:
    """Whether uvicorn tells of more than a request that was let go because the server stops."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


logging.getLogger("uvicorn.error").addFilter(_is_defect)


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it serves, leaves at once, and wakes once a second instead of ten times."""

    def __init__(self, config: uvicorn.Config, beat: Callable[[], None]) -> None:
        super().__init__(config)
        self._beat = beat
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._left = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.ready.set()

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # keeps the Date header
            self._beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._left.wait()

    def leave(self) -> None:
        """End the loop; called by another thread, and possibly when it has ended already."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._left.set)
