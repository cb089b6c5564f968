"""The client's side of a bus in another process: :class:`RemoteBus` and :class:`HostControl`."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from .libusb import BusError, Code
from .node import Node
from .wire import Value, WireError, receive, send


class HostError(Exception):
    """The bus host refused an order (unknown device, unknown fault, ...) or is gone."""


class _Client:
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
        self._client = _Client(path)

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
        except WireError as error:
            raise BusError(Code.NO_DEVICE) from error


def connect(path: str | os.PathLike[str]) -> RemoteBus:
    """Join the bus served at a socket path; ``OSError`` when nobody serves there."""
    return RemoteBus(path)


class HostControl:
    """The methods of :class:`~oesd_drivers.virtual.BusControl` on a bus in another process.

    Each raises :class:`HostError` when the host refuses or is gone.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._client = _Client(path)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def add(self, model: str, serial: str) -> None:
        """Make a new device and plug it in."""
        self._call("add", model, serial)

    def plug(self, serial: str) -> None:
        """Plug a device in again, at a new address and the port it had."""
        self._call("plug", serial)

    def unplug(self, serial: str) -> None:
        """Take a device away."""
        self._call("unplug", serial)

    def shutter(self, serial: str, closed: bool) -> None:
        """Block the scene's light from one device, or let it in again; with the lamp on this is a reference."""
        self._call("shutter", serial, closed)

    def lamp(self, serial: str, on: bool) -> None:
        """Switch the halogen lamp between shutter and slit, by the lamp enable line."""
        self._call("lamp", serial, on)

    def light(self, level: float, emitter: str = "") -> None:
        """Dim one emitter of the scene, or all; 0 is off, 1 as the scene has it."""
        self._call("light", level, emitter)

    def temperature(self, serial: str, board_c: float) -> None:
        """Set the temperature of a device's board, and so of an uncooled detector."""
        self._call("temperature", serial, board_c)

    def fault(self, serial: str, kind: str, value: float = 0.0, times: int = 1) -> None:
        """Queue a fault; kinds and the meaning of ``value`` are those of :class:`~.faults.FaultKind`."""
        self._call("fault", serial, str(kind), value, times)

    def clear_faults(self, serial: str) -> None:
        """Forget the faults in waiting."""
        self._call("clear_faults", serial)

    def faults_waiting(self, serial: str) -> int:
        """How many faults have not struck yet."""
        return int(self._call("faults_waiting", serial))

    def deny(self, serial: str, denied: bool) -> None:
        """Take away, or give back, the permission on the device node."""
        self._call("deny", serial, denied)

    def busy(self, serial: str, busy: bool) -> None:
        """Let another program hold the device, or give it back."""
        self._call("busy", serial, busy)

    def eeprom(self, serial: str, slot: int, content: bytes) -> None:
        """Overwrite an EEPROM slot of an OOI device with any 15 bytes."""
        self._call("eeprom", serial, slot, content)

    def trigger(self, serial: str) -> None:
        """Give an edge on a device's trigger input."""
        self._call("trigger", serial)

    def resets(self, serial: str) -> int:
        """How often a device has been reset over USB."""
        return int(self._call("resets", serial))

    def frames(self, serial: str) -> int:
        """How many spectra a device has been asked for."""
        return int(self._call("frames", serial))

    def _call(self, *request: Value) -> Any:
        try:
            return self._client.call(*request)
        except WireError as error:
            raise HostError(str(error)) from error
