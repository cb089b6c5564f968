"""The bus for other processes: a Unix socket, a thread per connection, a session per client.

A client opens one connection that says ``("hello",)`` and gets a token; it stays silent from then on: the *lifeline*.
Its other connections say ``("join", token)`` and then call, one call at a time each. When the lifeline breaks, by
``close`` or by kill -9, the session ends as a process ends for the kernel: its handles are closed, its claims fall, its
blocked reads wake.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from .bus import VirtualBus
from .control import BusControl
from .libusb import BusError, ClientFault, Code
from .wire import Value, WireError, receive, send

_log = logging.getLogger(__name__)

_BUS_CALLS = ("check", "configure", "claim", "release", "reset", "write", "read")
_CONTROL_CALLS = (
    "add", "plug", "unplug", "shutter", "lamp", "light", "temperature", "fault", "clear_faults", "faults_waiting",
    "deny", "busy", "eeprom", "trigger", "resets", "frames", "lamp_line", "hang_on_lamp_line", "strikes", "storm",
    "another_program", "answer", "hostile", "trigger_line",
)  # fmt: skip


class _Session:
    """The handles of one client process."""

    def __init__(self, bus: VirtualBus) -> None:
        self._bus = bus
        self._lock = threading.Lock()
        self._handles: set[int] = set()
        self._ended = False

    def open(self, address: int) -> int:
        handle = self._bus.open(address)
        with self._lock:
            if not self._ended:
                self._handles.add(handle)
                return handle
        self._bus.close(handle)
        raise BusError(Code.NO_DEVICE)

    def close(self, handle: int) -> None:
        with self._lock:
            self._handles.discard(handle)
        self._bus.close(handle)

    def end(self) -> None:
        with self._lock:
            self._ended = True
            handles = list(self._handles)
        for handle in handles:
            self.close(handle)


class BusServer:
    """Serve a bus and its control at a socket path.

    Parameters
    ----------
    bus : VirtualBus
    control : BusControl
    path : Path
        Made by :meth:`start` with mode 0600 and removed by :meth:`stop`.
    """

    def __init__(self, bus: VirtualBus, control: BusControl, path: Path) -> None:
        self._bus = bus
        self._path = path
        self._calls: dict[str, Callable[..., Any]] = {name: getattr(bus, name) for name in _BUS_CALLS}
        self._calls |= {name: getattr(control, name) for name in _CONTROL_CALLS}
        self._calls["frames_made"] = lambda *which: tuple(map(astuple, control.frames_made(*which)))
        self._calls["nodes"] = lambda: tuple(astuple(node) for node in bus.nodes())
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._sessions: dict[bytes, _Session] = {}
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True, name="virtual-bus-accept")

    def start(self) -> None:
        """Bind and serve; ``OSError`` when the path cannot be bound."""
        try:
            self._listener.bind(str(self._path))
        except OSError:
            self._listener.close()
            raise
        self._path.chmod(0o600)
        self._listener.listen()
        self._acceptor.start()

    def stop(self) -> None:
        """End all sessions, close all connections and wait for their threads."""
        _shut(self._listener)
        self._acceptor.join()
        with self._lock:
            connections, sessions = list(self._connections), list(self._sessions.values())
        for session in sessions:
            session.end()
        for connection in connections:
            _shut(connection)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _begin(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True, name="virtual-bus")
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            self._begin(connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._greet(connection)
            except OSError as error:
                _log.debug("client gone: %s", error)
            finally:
                with self._lock:
                    self._connections.discard(connection)

    def _greet(self, connection: socket.socket) -> None:
        match receive(connection):
            case ("hello",):
                self._hold_lifeline(connection)
            case ("join", bytes(token)):
                with self._lock:
                    session = self._sessions.get(token)
                if session is None:
                    raise WireError("unknown session")
                self._answer_calls(connection, session)
            case _:
                raise WireError("neither hello nor join")

    def _hold_lifeline(self, connection: socket.socket) -> None:
        token, session = secrets.token_bytes(16), _Session(self._bus)
        with self._lock:
            self._sessions[token] = session
        try:
            send(connection, ("ok", token))
            receive(connection)  # nothing ever comes: this waits for the end
        finally:
            with self._lock:
                del self._sessions[token]
            session.end()

    def _answer_calls(self, connection: socket.socket, session: _Session) -> None:
        calls = {**self._calls, "open": session.open, "close": session.close}
        while True:
            send(connection, _call(calls, receive(connection)))


def _call(calls: dict[str, Callable[..., Any]], request: Value) -> Value:
    match request:
        case (str(name), *arguments) if name in calls:
            try:
                return ("ok", calls[name](*arguments))
            except ClientFault as fault:
                return ("client", fault.kind, fault.seconds)
            except BusError as error:
                return ("bus", int(error.code))
            except (KeyError, ValueError, TypeError) as error:
                return ("error", f"{name}: {error}")
        case _:
            return ("error", "unknown operation")


def _shut(connection: socket.socket) -> None:
    """Wake whoever waits on a socket; the owner closes it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        _log.debug("socket was closed already")
