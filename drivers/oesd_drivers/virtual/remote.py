"""The client's side of a bus in another process."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from .libusb import BusError, ClientFault, Code
from .node import Node
from .suffering import suffer
from .wire import Value, WireError, receive, send


class HostError(Exception):
    """The bus host refused an order (unknown device, unknown fault, ...) or is gone."""


class Client:
    """One session with a host: a silent lifeline, and a pool of connections that calls borrow."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = os.fspath(path)
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._lifeline = self._connect()
        self._closed = False
        try:
            self._token = _ask(self._lifeline, ("hello",))
        except BaseException:
            self._lifeline.close()
            raise

    def call(self, *request: Value) -> Any:
        """Call an operation; thread safe. :class:`WireError` when the host is gone."""
        connection = self._borrow()
        try:
            answer = _ask(connection, request)
        except OSError as error:
            connection.close()
            raise WireError(f"bus host gone: {error}") from error
        except (BusError, HostError):
            self._give_back(connection)
            raise
        self._give_back(connection)
        return answer

    def close(self) -> None:
        """End the session; calls in progress fail."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in (*idle, self._lifeline):
            connection.close()

    def _borrow(self) -> socket.socket:
        with self._lock:
            if self._closed:
                raise WireError("bus closed")
            if self._idle:
                return self._idle.pop()
        try:
            return self._join()
        except OSError as error:
            raise WireError(f"bus host gone: {error}") from error

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(self._path)
        except OSError:
            connection.close()
            raise
        return connection

    def _join(self) -> socket.socket:
        connection = self._connect()
        try:
            send(connection, ("join", self._token))
        except OSError:
            connection.close()
            raise
        return connection


def _ask(connection: socket.socket, request: Value) -> Any:
    send(connection, request)
    match receive(connection):
        case ("ok", value):
            return value
        case ("bus", int(code)):
            raise BusError(Code(code))
        case ("client", str(kind), float(seconds)):
            raise ClientFault(kind, seconds)
        case ("error", str(text)):
            raise HostError(text)
        case _:
            raise WireError("not an answer")


class RemoteBus:
    """A bus in another process, with the operations of :class:`~oesd_drivers.virtual.backend.Bus`; thread safe.

    When its process ends, however, the host frees what it held. When the host ends, every device is gone
    (``NO_DEVICE``) and :meth:`nodes` is empty.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._client = Client(path)

    def disconnect(self) -> None:
        """End the session: the host closes what this client has open."""
        self._client.close()

    def nodes(self) -> list[Node]:
        """What is plugged in now, by address."""
        try:
            return [Node(*fields) for fields in self._client.call("nodes")]
        except WireError:
            return []

    def open(self, address: int) -> int:
        """Open the node at an address and return a handle."""
        return int(self._call("open", address))

    def close(self, handle: int) -> None:
        """Close a handle and drop its claim; harmless when it, or the host, is gone."""
        try:
            self._client.call("close", handle)
        except WireError:
            return

    def check(self, handle: int) -> None:
        """Raise ``NO_DEVICE`` when the handle's device is gone."""
        self._call("check", handle)

    def configure(self, handle: int) -> None:
        """Set configuration 1; ``BUSY`` while another handle holds the claim."""
        self._call("configure", handle)

    def claim(self, handle: int) -> None:
        """Claim interface 0."""
        self._call("claim", handle)

    def release(self, handle: int) -> None:
        """Give the claim back."""
        self._call("release", handle)

    def reset(self, handle: int) -> None:
        """USB port reset: queued data are lost, settings stay."""
        self._call("reset", handle)

    def write(self, handle: int, endpoint: int, data: bytes) -> int:
        """Bulk write; the number of bytes taken."""
        return int(self._call("write", handle, endpoint, data))

    def read(self, handle: int, endpoint: int, size: int, timeout_ms: int) -> bytes:
        """Bulk read up to ``size`` bytes; a timeout of 0 waits for ever."""
        data: bytes = self._call("read", handle, endpoint, size, timeout_ms)
        return data

    def _call(self, *request: Value) -> Any:
        try:
            return self._client.call(*request)
        except ClientFault as fault:
            suffer(fault)
            raise
        except WireError as error:
            raise BusError(Code.NO_DEVICE) from error


def connect(path: str | os.PathLike[str]) -> RemoteBus:
    """Join the bus served at a socket path; ``OSError`` when nobody serves there."""
    return RemoteBus(path)
