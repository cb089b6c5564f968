"""The journal's own protocol, so that entries can be asked for by spectrometer, run and event.

``journalctl -u oesd OESD_SERIAL=SIM00001`` shows what concerns one spectrometer. A log call names them with
``extra={"oesd_serial": ..., "oesd_run": ..., "oesd_event": ...}``. The protocol: systemd.io/JOURNAL_NATIVE_PROTOCOL.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_SOCKET = Path("/run/systemd/journal/socket")
_PREFIX = "oesd_"
PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_INFO = 6
_STDERR = 2


def goes_to_journal() -> bool:
    """Whether our stderr is the journal's: the variable alone is inherited by children whose stderr is another."""
    try:
        device, inode = (int(number) for number in os.environ.get("JOURNAL_STREAM", "").split(":"))
        own = os.fstat(_STDERR)
    except (ValueError, OSError):
        return False
    return (own.st_dev, own.st_ino) == (device, inode)


class JournalHandler(logging.Handler):
    """Sends records to the journal with their fields; what it does not take goes to another handler.

    Parameters
    ----------
    otherwise : logging.Handler
        Writes to stderr.
    path : Path
        The journal's socket.
    """

    def __init__(self, otherwise: logging.Handler, path: Path = _SOCKET) -> None:
        super().__init__()
        self._otherwise = otherwise
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        try:
            self._socket.sendto(b"".join(_field(*pair) for pair in self._fields(record)), self._path)
        except OSError:
            self._otherwise.handle(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> Iterator[tuple[str, str]]:
        yield "MESSAGE", self.format(record)
        yield "PRIORITY", str(PRIORITIES.get(record.levelno, _INFO))
        yield "SYSLOG_IDENTIFIER", "oesd"
        yield "OESD_ROOM", record.name
        for name, value in vars(record).items():
            if name.startswith(_PREFIX) and value:
                yield name.upper(), str(value)


def _field(name: str, value: str) -> bytes:
    """A field with its length, as values may hold any byte."""
    data = value.encode("utf-8", "replace")
    return name.encode("ascii") + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
