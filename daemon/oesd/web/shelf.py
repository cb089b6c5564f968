"""Uploaded bytes on disk: staged parts, and whole files that are no spectrum.

Names are made of UUIDs, numbers and hashes only; nothing a client says becomes
part of a path. A part counts once its bytes, its name and its directory are synced.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from oesd.model import is_uuid
from oesd.store.directory import make_directory, sync_directory
from oesd.store.ingest import StagedPart

PIECE_BYTES = 1024 * 1024


class PartDamaged(Exception):
    """A staged part, of this number, is not what was received: send it again."""

    def __init__(self, part: int, how: str) -> None:
        super().__init__(f"part {part} is {how} on the disk; send it again")
        self.part = part


class Shelf:
    """The directory of uploaded bytes, 0700, its files 0600."""

    def __init__(self, directory: Path) -> None:
        self._staged = directory / "staged"
        self._files = directory / "files"
        for folder in (directory, self._staged, self._files):
            make_directory(folder)
        self._guard = threading.Lock()
        self._staged_bytes = sum(path.stat().st_size for path in self._staged.iterdir())

    def receive(self, upload_id: str, part: int) -> PartWriter:
        """Open a part for writing; it counts only after :meth:`PartWriter.keep`."""
        return PartWriter(self._staged, f"{_checked(upload_id)}.{part:05d}", self._count)

    def pieces(self, upload_id: str, parts: Sequence[StagedPart]) -> Iterator[bytes]:
        """Bytes of all parts in order, each part checked against its MD5 at its end.

        All parts are opened at once: what is dropped meanwhile is read to its end.

        Raises
        ------
        PartDamaged
            A part is missing, at once; or differs from what was received, while it is read.
        """
        stream = self._stream(upload_id, parts)
        next(stream)  # begun, it closes its files however it ends
        return stream

    def _stream(self, upload_id: str, parts: Sequence[StagedPart]) -> Iterator[bytes]:
        with ExitStack() as stack:
            files = [stack.enter_context(self._open(upload_id, part)) for part in parts]
            yield b""
            for part, file in zip(parts, files, strict=True):
                md5 = hashlib.md5(usedforsecurity=False)
                while piece := file.read(PIECE_BYTES):
                    md5.update(piece)
                    yield piece
                if md5.hexdigest() != part.md5:
                    raise PartDamaged(part.part, "damaged")

    def _open(self, upload_id: str, part: StagedPart) -> BinaryIO:
        try:
            return (self._staged / _part_name(upload_id, part)).open("rb")
        except FileNotFoundError:
            raise PartDamaged(part.part, "missing") from None

    def keep_file(self, data_id: str, pieces: Iterator[bytes]) -> None:
        """Keep a whole file under its data id, synced."""
        with PartWriter(self._files, _checked(data_id), lambda _: None) as writer:
            for piece in pieces:
                writer.write(piece)
            writer.keep_as(_checked(data_id))

    def file(self, data_id: str) -> Path | None:
        """Path of a kept file, None when there is none."""
        path = self._files / _checked(data_id)
        return path if path.is_file() else None

    def drop_file(self, data_id: str) -> None:
        """Remove a kept file."""
        (self._files / _checked(data_id)).unlink(missing_ok=True)

    def drop_parts(self, upload_id: str, parts: Sequence[StagedPart]) -> None:
        """Remove parts: of an upload that is an entry now, or that do not count."""
        for part in parts:
            self._drop(self._staged / _part_name(upload_id, part))

    def sweep(self, needed: set[str]) -> None:
        """Remove what a crash left: half-written files, and parts of uploads that are finished."""
        for path in [*self._staged.iterdir(), *self._files.iterdir()]:
            orphan = path.parent == self._staged and path.name.partition(".")[0] not in needed
            if path.suffix == ".tmp" or orphan:
                self._drop(path)

    @property
    def staged_bytes(self) -> int:
        """How many bytes are staged, kept as a sum: a look at thousands of files takes longer than an upload."""
        return self._staged_bytes

    def _drop(self, path: Path) -> None:
        with suppress(FileNotFoundError):
            size_bytes = path.stat().st_size
            path.unlink()
            if path.parent == self._staged:
                self._count(-size_bytes)

    def _count(self, more_bytes: int) -> None:
        with self._guard:
            self._staged_bytes += more_bytes


class PartWriter:
    """A file being received, under a temporary name until it is kept; removed when it is not."""

    def __init__(self, folder: Path, stem: str, count: Callable[[int], None]) -> None:
        self._folder = folder
        self._count = count
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
        target = self._folder / name
        before_bytes = target.stat().st_size if target.exists() else 0
        self._path.replace(target)
        self._count(self._size_bytes - before_bytes)
        sync_directory(self._folder)


def _part_name(upload_id: str, part: StagedPart) -> str:
    return f"{_checked(upload_id)}.{part.part:05d}.{part.md5}"


def _checked(identifier: str) -> str:
    if not is_uuid(identifier):
        raise ValueError("not a UUID")
    return identifier
