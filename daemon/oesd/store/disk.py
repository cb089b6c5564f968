"""Files beside the database, in the few steps whose order matters after a power cut."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from oesd.store.directory import sync_directory

_OURS = os.O_NOFOLLOW | os.O_CLOEXEC


def opened(path: Path) -> BinaryIO:
    """A plain file, never a link, to be read; raises OSError."""
    return open(path, "rb", opener=lambda name, flags: os.open(name, flags | _OURS))


def pieces_of(path: Path, *pieces: tuple[int, int]) -> list[bytes]:
    """So many bytes from each place of a plain file, never a link, fewer at its end; raises OSError."""
    file = os.open(path, os.O_RDONLY | _OURS)
    try:
        return [os.pread(file, length, place) for place, length in pieces]
    finally:
        os.close(file)


class Disk:
    """What sealing asks of the disk, each an instant in which the power may fail; every method raises OSError."""

    def folder(self, path: Path) -> None:
        """Make a folder of ours, durably, unless it is there."""
        if not path.is_dir():
            path.mkdir(mode=0o700)
            self.sync_folder(path.parent)

    def create(self, path: Path) -> BinaryIO:
        """Make a file that is not there yet, to be written."""
        return open(path, "xb", opener=lambda name, flags: os.open(name, flags | _OURS, 0o600))

    def write(self, file: BinaryIO, data: bytes) -> None:
        """Append data; durable after :meth:`sync`."""
        file.write(data)

    def sync(self, file: BinaryIO) -> None:
        """Return when all that was written is on the disk."""
        file.flush()
        os.fsync(file.fileno())

    def rename(self, path: Path, name: str) -> None:
        """Give a file its name; durable after :meth:`sync_folder`."""
        path.rename(path.with_name(name))

    def remove(self, path: Path) -> None:
        """Remove a file; one that has gone already is no error."""
        with suppress(FileNotFoundError):
            path.unlink()

    def sync_folder(self, path: Path) -> None:
        """Make durable what was made, renamed or removed in a folder."""
        sync_directory(path)
