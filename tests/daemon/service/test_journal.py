"""The log as the journal gets it: fields, foreign text, and what happens when the journal is not there."""

import logging
import os
import socket
import struct
from pathlib import Path

import pytest

from oesd.service.journal import JournalHandler, goes_to_journal


def fields(datagram: bytes) -> dict[str, str]:
    found, rest = {}, datagram
    while rest:
        name, _, rest = rest.partition(b"\n")
        (length,) = struct.unpack("<Q", rest[:8])
        found[name.decode()] = rest[8 : 8 + length].decode()
        assert rest[8 + length : 9 + length] == b"\n"
        rest = rest[9 + length :]
    return found


@pytest.fixture
def journal(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "journal"))
        listening.settimeout(5)
        yield listening


def record(text: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("oesd.test").makeRecord("oesd.test", logging.WARNING, "", 0, text, args, None, extra=extra)


def test_fields_reach_the_journal(journal: socket.socket, tmp_path: Path) -> None:
    handler = JournalHandler(logging.NullHandler(), tmp_path / "journal")
    handler.handle(record("unit %s:\ntwo lines", "a", oesd_serial="SIM1", oesd_run="", oesd_event="usb error"))
    handler.close()
    assert fields(journal.recv(10_000)) == {
        "MESSAGE": "unit a:\ntwo lines", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "oesd", "OESD_ROOM": "oesd.test",
        "OESD_SERIAL": "SIM1", "OESD_EVENT": "usb error",
    }  # fmt: skip


def test_what_the_journal_does_not_take_goes_to_stderr(tmp_path: Path) -> None:
    kept: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record.getMessage())

    handler = JournalHandler(Kept(), tmp_path / "nobody listens here")
    handler.handle(record("all the same"))
    handler.close()
    assert kept == ["all the same"]


def test_the_variable_alone_does_not_make_it_the_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "8:1", "nonsense", "1:2:3"):
        monkeypatch.setenv("JOURNAL_STREAM", value)
        assert not goes_to_journal()
    own = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{own.st_dev}:{own.st_ino}")
    assert goes_to_journal()
