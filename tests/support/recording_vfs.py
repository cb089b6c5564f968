"""What SQLite asks of the disk, written down, and refused where a test says so: a shim over its own file layer.

Only the standard library: the shim is made of ctypes callbacks. Every write, sync and truncation of a database and its
log is an event; from the events the content of the files after a power cut can be made: what was synced is there, of
what was not any part may be.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

OK, IOERR_FSYNC, FULL = 0, 1034, 13
SECTOR = 512
_NAMES = ("xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep xCurrentTime "
          "xGetLastError xCurrentTimeInt64 xSetSystemCall xGetSystemCall xNextSystemCall").split()  # fmt: skip
_METHODS = ("xClose xRead xWrite xTruncate xSync xFileSize xLock xUnlock xCheckReservedLock xFileControl xSectorSize "
            "xDeviceCharacteristics xShmMap xShmLock xShmBarrier xShmUnmap xFetch xUnfetch").split()  # fmt: skip


class _Vfs(ctypes.Structure):
    _fields_ = [
        ("iVersion", ctypes.c_int), ("szOsFile", ctypes.c_int), ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p), ("zName", ctypes.c_char_p), ("pAppData", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in _NAMES),
    ]  # fmt: skip


class _Methods(ctypes.Structure):
    _fields_ = [("iVersion", ctypes.c_int), *((name, ctypes.c_void_p) for name in _METHODS)]


class _File(ctypes.Structure):
    _fields_ = [("pMethods", ctypes.POINTER(_Methods))]


_INT, _PTR, _WIDE = ctypes.c_int, ctypes.c_void_p, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_INT, _PTR, _PTR, ctypes.POINTER(_File), _INT, _PTR)
_CLOSE = ctypes.CFUNCTYPE(_INT, _PTR)
_WRITE = ctypes.CFUNCTYPE(_INT, _PTR, _PTR, _INT, _WIDE)
_TRUNCATE = ctypes.CFUNCTYPE(_INT, _PTR, _WIDE)
_DELETE = ctypes.CFUNCTYPE(_INT, _PTR, _PTR, _INT)
_SYNC = ctypes.CFUNCTYPE(_INT, _PTR, _INT)


@dataclass(frozen=True, slots=True)
class Event:
    """What is asked of the disk: ``write``, ``truncate`` (at ``offset``), ``sync``, ``delete``; done, or refused."""

    what: str
    name: str
    offset: int = 0
    data: bytes = b""
    done: bool = True


class Recorder:
    """The events so far, and what is refused.

    Attributes
    ----------
    refuse : callable
        Asked with each event before it is done; a code of SQLite refuses it, 0 lets it pass.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.refuse: Callable[[Event], int] = lambda _: OK
        self.lock = threading.Lock()
        self.names: dict[int, str] = {}
        self.kept: list[object] = []  # callbacks and tables that SQLite points to

    def ask(self, event: Event, do: Callable[[], int]) -> int:
        """Write an event down and do it, unless it is refused."""
        with self.lock:
            code = self.refuse(event)
            if code == OK:
                code = do()
            done = code == OK
            self.events.append(event if done else Event(event.what, event.name, event.offset, event.data, False))
            return code

    def unsynced(self, name: str) -> bool:
        """Whether a file has writes that no sync has covered."""
        for event in reversed(self.events):
            if event.name == name and event.done:
                return event.what != "sync"
        return False


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record everything that databases opened inside ask of the disk; close them before the end."""
    library = ctypes.CDLL("libsqlite3.so.0")
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    usual = library.sqlite3_vfs_find(None)
    recorder = Recorder()
    shim = _Vfs.from_buffer_copy(usual.contents)
    shim.pNext, shim.zName = None, b"recording"
    shim.xOpen = _kept(recorder, _OPEN(_opener(recorder, _OPEN(usual.contents.xOpen), usual)))
    shim.xDelete = _kept(recorder, _DELETE(_deleter(recorder, _DELETE(usual.contents.xDelete), usual)))
    recorder.kept.append(shim)
    _ALIVE.append(recorder)
    assert library.sqlite3_vfs_register(ctypes.byref(shim), 1) == OK
    try:
        yield recorder
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(shim))
        library.sqlite3_vfs_register(usual, 1)


_ALIVE: list[Recorder] = []


def _kept(recorder: Recorder, callback: object) -> int | None:
    recorder.kept.append(callback)
    return ctypes.cast(callback, ctypes.c_void_p).value  # type: ignore[arg-type]


def _opener(recorder: Recorder, opened: Callable[..., int], usual: object) -> Callable[..., int]:
    tables: dict[int, _Methods] = {}

    def open_(_vfs: int, name: int | None, file: ctypes._Pointer[_File], flags: int, out: int) -> int:
        code = opened(ctypes.cast(usual, ctypes.c_void_p).value, name, file, flags, out)  # type: ignore[arg-type]
        if code == OK and name:
            theirs = file.contents.pMethods
            key = ctypes.addressof(theirs.contents)
            if key not in tables:
                tables[key] = _watching(recorder, theirs.contents)
            recorder.names[ctypes.addressof(file.contents)] = Path(ctypes.string_at(name).decode()).name
            file.contents.pMethods = ctypes.pointer(tables[key])
        return code

    return open_


def _deleter(recorder: Recorder, deleted: Callable[..., int], usual: object) -> Callable[..., int]:
    def delete(_vfs: int, name: int, sync: int) -> int:
        event = Event("delete", Path(ctypes.string_at(name).decode()).name)
        return recorder.ask(event, lambda: deleted(ctypes.cast(usual, ctypes.c_void_p).value, name, sync))  # type: ignore[arg-type]

    return delete


def _watching(recorder: Recorder, theirs: _Methods) -> _Methods:
    ours = _Methods.from_buffer_copy(theirs)
    close, write = _CLOSE(theirs.xClose), _WRITE(theirs.xWrite)
    truncate, sync = _TRUNCATE(theirs.xTruncate), _SYNC(theirs.xSync)

    def closes(file: int) -> int:
        recorder.names.pop(file, None)
        return close(file)

    def writes(file: int, data: int, size: int, offset: int) -> int:
        event = Event("write", recorder.names.get(file, ""), offset, ctypes.string_at(data, size))
        return recorder.ask(event, lambda: write(file, data, size, offset))

    def truncates(file: int, size: int) -> int:
        return recorder.ask(Event("truncate", recorder.names.get(file, ""), size), lambda: truncate(file, size))

    def syncs(file: int, flags: int) -> int:
        return recorder.ask(Event("sync", recorder.names.get(file, "")), lambda: sync(file, flags))

    ours.xClose = _kept(recorder, _CLOSE(closes))
    ours.xWrite = _kept(recorder, _WRITE(writes))
    ours.xTruncate = _kept(recorder, _TRUNCATE(truncates))
    ours.xSync = _kept(recorder, _SYNC(syncs))
    recorder.kept.append(ours)
    return ours


class Platter:
    """What a disk holds, event by event: all that was synced, and what waits for its turn."""

    def __init__(self) -> None:
        self._files: dict[str, bytearray] = {}
        self._pending: dict[str, list[Event]] = {}

    def take(self, events: Sequence[Event]) -> None:
        """The next events."""
        for event in events:
            if not event.done:
                continue
            waiting = self._pending.setdefault(event.name, [])
            if event.what == "delete":
                waiting.clear()
                self._files.pop(event.name, None)
            elif event.what == "sync":
                for one in waiting:
                    apply(self._files.setdefault(event.name, bytearray()), one)
                waiting.clear()
            else:
                waiting.append(event)

    def after_a_cut(self, chance: Random) -> dict[str, bytearray]:
        """Content of each file when the power fails now: of what waits, whatever sectors had their turn."""
        files = {name: bytearray(content) for name, content in self._files.items()}
        for name, waiting in self._pending.items():
            if waiting:
                content = files.setdefault(name, bytearray())
                for event in reached_the_disk(waiting, chance):
                    apply(content, event)
        return files


def after_a_power_cut(events: Sequence[Event], chance: Random) -> dict[str, bytearray]:
    """Content of each file after a cut: all that was synced, and of the rest whatever sectors had their turn."""
    platter = Platter()
    platter.take(events)
    return platter.after_a_cut(chance)


def reached_the_disk(waiting: Sequence[Event], chance: Random) -> Iterator[Event]:
    """Some sectors of the writes, in any order; now and then one of them torn, or zeros in its place."""
    share = chance.choice((0.0, 0.3, 0.7, 0.95, 1.0))
    sectors = [
        Event(event.what, event.name, event.offset + at, event.data[at : at + SECTOR])
        for event in waiting
        for at in range(0, max(len(event.data), 1), SECTOR)
    ]
    if share < 1.0:
        chance.shuffle(sectors)
    for sector in sectors:
        if chance.random() < share:
            yield sector
        elif sector.what == "write" and chance.random() < 0.1:
            kept = chance.randrange(len(sector.data) + 1)
            yield Event("write", sector.name, sector.offset, sector.data[:kept] + bytes(len(sector.data) - kept))


def apply(content: bytearray, event: Event) -> None:
    if event.what == "truncate":
        del content[event.offset :]
        return
    if len(content) < event.offset:
        content.extend(bytes(event.offset - len(content)))
    content[event.offset : event.offset + len(event.data)] = event.data
