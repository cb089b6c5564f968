"""Uploaded bytes on disk: staged parts, and whole files that are no spectrum.

Names are made of UUIDs, numbers and hashes only; nothing a client says becomes
part of a path. A part counts once its bytes, its name and its directory are synced.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from oesd.model import is_uuid
from oesd.store.ingest import StagedPart

PIECE_BYTES = 1024 * 1024


class PartDamaged(Exception):
    """A staged part is not what was received: send it again."""


class Shelf:
    """The directory of uploaded bytes, 0700, its files 0600."""

    def __init__(self, directory: Path) -> None:
        self._staged = directory / "staged"
        self._files = directory / "files"
        for folder in (directory, self._staged, self._files):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def receive(self, upload_id: str, part: int) -> PartWriter:
        """Open a part for writing; it counts only after :meth:`PartWriter.keep`."""
        return PartWriter(self._staged, f"{_checked(upload_id)}.{part:05d}")

    def pieces(self, upload_id: str, parts: Sequence[StagedPart]) -> Iterator[bytes]:
        """Bytes of all parts in order, each part checked against its MD5 at its end.

        Raises
        ------
        PartDamaged
            A part is missing or differs from what was received.
        """
        for part in parts:
            md5 = hashlib.md5(usedforsecurity=False)
            for piece in _read(self._staged / _part_name(upload_id, part)):
                md5.update(piece)
                yield piece
            if md5.hexdigest() != part.md5:
                raise PartDamaged(f"part {part.part} is damaged on the disk; send it again")

    def keep_file(self, data_id: str, pieces: Iterator[bytes]) -> None:
        """Keep a whole file under its data id, synced."""
        with PartWriter(self._files, _checked(data_id)) as writer:
            for piece in pieces:
                writer.write(piece)
            writer.keep_as(_checked(data_id))

    def file(self, data_id: str) -> Path | None:
        """Path of a kept file, None when there is none."""
        path = self._files / _checked(data_id)
        return path if path.is_file() else None

    def drop_parts(self, upload_id: str) -> None:
        """Remove the parts of an upload that is an entry now."""
        for path in self._staged.glob(f"{_checked(upload_id)}.*"):
            path.unlink(missing_ok=True)

    def sweep(self, needed: set[str]) -> None:
        """Remove what a crash left: half-written files, and parts of uploads that are finished."""
        for path in [*self._staged.iterdir(), *self._files.iterdir()]:
            orphan = path.parent == self._staged and path.name.partition(".")[0] not in needed
            if path.suffix == ".tmp" or orphan:
                path.unlink(missing_ok=True)

    def staged_bytes(self) -> int:
        """Return how many bytes are staged."""
        total_bytes = 0
        for path in self._staged.iterdir():
            with suppress(FileNotFoundError):  # finished meanwhile
                total_bytes += path.stat().st_size
        return total_bytes


class PartWriter:
    """A file being received, under a temporary name until it is kept; removed when it is not."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder = folder
        self._stem = stem
        self._path = folder / f"{stem}.{secrets.token_hex(8)}.tmp"
        self._file: BinaryIO | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._size_bytes = 0

    def __enter__(self) -> PartWriter:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._path, flags, 0o600), "wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was not kept is removed."""
        if self._file is not None:
            self._file.close()
        self._path.unlink(missing_ok=True)

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        assert self._file is not None
        self._file.write(piece)
        self._md5.update(piece)
        self._size_bytes += len(piece)

    def keep(self, part: int) -> StagedPart:
        """Sync the bytes, give them their name, sync the name."""
        staged = StagedPart(part, self._md5.hexdigest(), self._size_bytes)
        self.keep_as(f"{self._stem}.{staged.md5}")
        return staged

    def keep_as(self, name: str) -> None:
        """Sync the bytes under a name of their own."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(self._folder / name)
        _sync_directory(self._folder)


def _part_name(upload_id: str, part: StagedPart) -> str:
    return f"{_checked(upload_id)}.{part.part:05d}.{part.md5}"


def _checked(identifier: str) -> str:
    if not is_uuid(identifier):
        raise ValueError("not a UUID")
    return identifier


def _read(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece
    except FileNotFoundError as problem:
        raise PartDamaged("a part is missing on the disk; send it again") from problem


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
