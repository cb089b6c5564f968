"""The data directory: ours alone, one store at a time.

The lock is an ``flock`` on a file of its own: the kernel drops it with the process, however that dies, so that a
stale lock cannot exist. The process id in the file is for people.
"""

from __future__ import annotations

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from oesd.store.errors import StoreError, StoreInUse

LOCK_NAME = "oesd.lock"
DATABASE_NAME = "oesd.sqlite"
URL_NAME = "oesd.url"
GOLDEN_NAME = "golden.json"
_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_RELEASED = -1


class LockedDirectory:
    """A data directory that this object holds until :meth:`release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / DATABASE_NAME

    @classmethod
    def take(cls, path: Path) -> LockedDirectory:
        """Make the directory if need be, and lock it.

        Raises
        ------
        StoreInUse
            At once when another store has it.
        StoreError
            When it cannot be made, belongs to another user, is writable by others, or a file of ours in it is a link.
        """
        path = path.absolute()
        try:
            _prepare(path)
            lock = _own_file(path / LOCK_NAME)
        except OSError as error:
            raise StoreError(f"cannot use the data directory {path}: {error.strerror or error}") from error
        held = cls(path, lock)
        held._seize()
        return held

    def release(self) -> None:
        """Let go; the lock file stays. A second time is harmless: the number may be somebody else's file by then."""
        lock, self._lock = self._lock, _RELEASED
        if lock != _RELEASED:
            os.close(lock)

    def _seize(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip()
            self.release()
            raise StoreInUse(f"the data directory {self.path} is in use by process {holder or 'unknown'}") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)


def _prepare(path: Path) -> None:
    """Make the directory with mode 0700, or see that an existing one is ours and no one else may write in it."""
    if not make_directory(path):
        _narrow(path)


def _narrow(path: Path) -> None:
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        raise StoreError(f"the data directory {path} is not a directory")
    if found.st_uid != os.geteuid():
        raise StoreError(f"the data directory {path} belongs to another user")
    # Never narrow a directory that holds other things than ours, such as a home or /tmp.
    ours = any((path / name).exists() for name in (DATABASE_NAME, URL_NAME)) or not any(path.iterdir())
    if ours:
        path.chmod(0o700)
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(f"the data directory {path} is writable by other users")


def own_database(path: Path) -> None:
    """Make the SQLite file with mode 0600, or see that what is there is a plain file of ours and not a link.

    Must come before the first connection: closing any descriptor of the file would drop SQLite's locks on it.
    """
    try:
        os.close(_own_file(path))
        for suffix in ("-wal", "-shm"):
            beside = path.with_name(path.name + suffix)
            if beside.is_symlink():
                raise StoreError(f"{beside} is a link")
    except OSError as error:
        raise StoreError(f"cannot use {path}: {error.strerror or error}") from error


def _own_file(path: Path) -> int:
    descriptor = os.open(path, _OPEN, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise StoreError(f"{path} is not a plain file of this user")
    os.fchmod(descriptor, 0o600)
    return descriptor


def make_directory(path: Path) -> bool:
    """Make a directory of mode 0700, and those it is in; their names are durable then. False when it is there."""
    above = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    for folder in (path, *above):
        with suppress(PermissionError):  # one that may be entered and not be read has its name from somebody else
            sync_directory(folder.parent)
    return True


def replace_durably(file: Path, text: str) -> None:
    """Write a small file so that after a power cut the old one is there or the new one, whole; mode 0600."""
    fresh = file.with_name(f"{file.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as open_file:
        open_file.write(text)
        open_file.flush()
        os.fsync(open_file.fileno())
    fresh.replace(file)
    sync_directory(file.parent)


def sync_directory(path: Path) -> None:
    """Make durable what was made, renamed or removed in a directory."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
