"""A consistent copy of a data directory, while it is in use or not.

::

    TARGET.part/segments/     the files that one state of the database names: a second name for each, or a copy
    TARGET.part/golden.json   what people chose, where they did
    TARGET.part/oesd.sqlite   copied in steps out of that state, synced, inspected
    TARGET                    renamed to, synced: whole, or not there

The steps read one state: a reader's transaction is held open around them, or each spectrum stored meanwhile would have
SQLite begin anew. The log cannot be worked in for so long; it grows by what is stored. Files of segments, which may
take hours to another disk, are there before that state is taken; those that a daemon wrote anew meanwhile come after.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from oesd.store.connection import open_untouched
from oesd.store.directory import DATABASE_NAME, GOLDEN_NAME, LOCK_NAME, replace_durably, sync_directory
from oesd.store.disk import Disk, opened
from oesd.store.errors import StoreDamaged, StoreError, StoreFull, from_sqlite
from oesd.store.inspection import Finding, Inspection
from oesd.store.place import place_of
from oesd.store.segments import FOLDER

_STEP_PAGES = 2048
_COPIED_BYTES = 1 << 20
_SPARE_BYTES = 16 * 1024 * 1024
"""What the inspection of the copy needs beside it, and a file system for its own books."""

_SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"

Told = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made: its size, and what did not verify in it."""

    size_bytes: int
    findings: tuple[Finding, ...]


def back_up(directory: Path, target: Path, *, replace: bool = False, told: Told = lambda *_: None) -> Backup:
    """Copy the store of a data directory, verify the copy, and only then give it its name.

    Parameters
    ----------
    directory : Path
        A data directory; a daemon may be at work in it.
    target : Path
        Becomes a data directory that a daemon can be started on. Secrets (keys of APIs) are not in it.
    replace : bool
        Put it in the place of an earlier one; without it a target that exists is an error.

    Returns
    -------
    Backup
        What is damaged in the data is damaged in the copy too, and named: a copy of the rest is better than none.

    Raises
    ------
    StoreFull
        When the disk of the target cannot take it; nothing is left there.
    StoreDamaged
        When the database cannot be copied, or a copy that does not verify would replace an earlier one, which stays.
    StoreError
        Everything else, in one line.
    """
    place = place_of(directory)
    if not place.has_files:
        raise StoreError(
            f"the data are in PostgreSQL, which makes its own copies, beside a daemon too: pg_dump --format=custom "
            f"--file={target}.dump '{place.url}' (pg_restore puts them into an empty database)"
        )
    source, target = directory.absolute() / DATABASE_NAME, target.absolute()
    if not source.is_file():
        raise StoreError(f"{directory}: no data of oesd there")
    _refuse_existing(target, replace)
    part = target.with_name(f"{target.name}.part")
    try:
        with _to_ourselves(part):
            size = _copied(source, part, told)
            with suppress(FileNotFoundError):
                replace_durably(part / GOLDEN_NAME, (source.parent / GOLDEN_NAME).read_text("utf-8", "replace"))
            findings = _inspected(part, told)
            if findings and target.exists():
                raise StoreDamaged(
                    f"{findings[0].about}: {findings[0].text}; the earlier backup stays, oesd verify tells all"
                )
            _put(part, target)
    except OSError as error:
        raise StoreError(f"cannot back up to {target}: {error.strerror or error}") from error
    return Backup(size, findings)


def _refuse_existing(target: Path, replace: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not replace:
        raise StoreError(f"{target} exists already: give another name, or --replace to put the new one in its place")
    _require_backup(target)
    earlier = _earlier(target)
    if earlier.exists() or earlier.is_symlink():
        _require_backup(earlier)


def _require_backup(there: Path) -> None:
    """See that what would be removed is a backup, and no person's folder or a daemon's data."""
    if not (there / DATABASE_NAME).is_file() or there.is_symlink():
        raise StoreError(f"{there} is no backup of oesd: it is not replaced")
    if (there / LOCK_NAME).exists():
        raise StoreError(f"{there} has been worked on as a data directory: it is not replaced")


def _earlier(target: Path) -> Path:
    return target.with_name(f"{target.name}.earlier")


@contextmanager
def _to_ourselves(part: Path) -> Iterator[None]:
    """Make the folder that the copy is made in; it goes when that fails. What a backup that was killed left goes first.

    Raises
    ------
    StoreError
        When another backup is at work in it, or it is somebody else's: it stays as it is.
    """
    try:
        part.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if part.is_symlink() or not part.is_dir() or any(part.iterdir()):
            _require_backup(part)
    lock = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(f"another backup is being made in {part}: wait for its end") from None
        _clear(part)
        try:
            yield
        except BaseException:
            with suppress(OSError):
                _clear(part)
                part.rmdir()
            raise
    finally:
        os.close(lock)


def _clear(part: Path) -> None:
    """Empty the folder; the database, by which it is known as ours, goes last."""
    for path in sorted(part.iterdir(), key=lambda path: path.name == DATABASE_NAME):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _copied(source: Path, part: Path, told: Told) -> int:
    target = part / DATABASE_NAME
    with closing(open_untouched(source)) as reader, closing(sqlite3.connect(target, isolation_level=None)) as writer:
        os.chmod(target, 0o600)
        try:
            (size,) = reader.execute(_SIZE).fetchone()
            _require_room(target, size)
            _hold_one_state(reader, source.parent / FOLDER, part / FOLDER, told)
            reader.backup(writer, pages=_STEP_PAGES, progress=lambda _, left, all_: told("copied", all_ - left, all_))
            reader.rollback()
            writer.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself, until a daemon starts on it
        except sqlite3.Error as error:
            raise _in_one_line(error, source, target) from error
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return sum(path.stat().st_size for path in part.rglob("*") if path.is_file())


def _hold_one_state(reader: sqlite3.Connection, source: Path, target: Path, told: Told) -> None:
    """Begin to read a state of the database, all files of whose segments are in the copy.

    A daemon may write a segment anew while others are copied, and remove it: then a later state is the one, of which
    nearly everything is there. A file that a later state names all the same is missing, which the inspection finds.
    """
    absent = _segments(source, target, _names(reader), told)
    while True:
        reader.execute("BEGIN")
        names = _names(reader)
        still = _segments(source, target, names, told)
        if still <= absent:
            break
        reader.rollback()
        absent = still
    if target.is_dir():
        for path in target.iterdir():
            if path.name not in names:
                path.unlink()
        sync_directory(target)


def _names(reader: sqlite3.Connection) -> list[str]:
    return [row[0] for row in reader.execute("SELECT name FROM segments ORDER BY segment_no")]


def _segments(source: Path, target: Path, names: Sequence[str], told: Told) -> set[str]:
    """Give the files of segments, which nobody ever changes, a second name, or copy them; returns those not there."""
    if names:
        target.mkdir(mode=0o700, exist_ok=True)
    absent = set()
    for k, name in enumerate(names, start=1):
        if not (target / name).exists():
            try:
                _second_name(source / name, target / name)
            except FileNotFoundError:
                absent.add(name)
        told("copied", k, len(names))
    return absent


def _second_name(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # another disk, or one that knows no second names
        _require_room(target.parent, source.stat().st_size)
        with opened(source) as whole, Disk().create(target) as copy:
            shutil.copyfileobj(whole, copy, _COPIED_BYTES)
            Disk().sync(copy)


def _require_room(target: Path, size_bytes: int) -> None:
    free, needed = shutil.disk_usage(target.parent).free, size_bytes + _SPARE_BYTES
    if free < needed:
        where = target.parent.parent
        raise StoreFull(f"{where} has {free / 1e6:.0f} MB free, the backup needs {needed / 1e6:.0f} MB")


def _in_one_line(error: sqlite3.Error, source: Path, target: Path) -> StoreError:
    found = from_sqlite(error, f"copy {source} to {target.parent.parent}")
    if isinstance(found, StoreDamaged):
        return StoreDamaged(f"{found}; oesd verify says what is damaged")
    return found


def _inspected(part: Path, told: Told) -> tuple[Finding, ...]:
    with Inspection(part) as inspection:
        done = 0

        def further(records: int) -> None:
            nonlocal done
            done += records
            told("verified", done, inspection.total)

        return tuple(inspection.findings(further))


def _put(part: Path, target: Path) -> None:
    sync_directory(part)
    earlier = _earlier(target)
    if target.exists():
        shutil.rmtree(earlier, ignore_errors=True)
        target.rename(earlier)
        part.rename(target)
        sync_directory(target.parent)  # the new one has its name for good before the old one goes
        shutil.rmtree(earlier)
    else:
        part.rename(target)
        sync_directory(target.parent)
