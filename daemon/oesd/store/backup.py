"""A consistent copy of a data directory, while it is in use or not.

::

    TARGET.part/segments/     the files that one state of the database names: a second name for each, or a copy
    TARGET.part/golden.json   what people chose, where they did
    TARGET.part/oesd.sqlite   copied in steps out of that state, synced, inspected
    TARGET                    renamed to, synced: whole, or not there

The steps read one state: a reader's transaction is held open around them, or each spectrum stored meanwhile would have
SQLite begin anew. The log cannot be worked in for so long; it grows by what is stored.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from oesd.store.connection import open_untouched
from oesd.store.directory import DATABASE_NAME, GOLDEN_NAME, replace_durably, sync_directory
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
        _clear(part)
        part.mkdir(mode=0o700, parents=True)
        size = _copied(source, part / DATABASE_NAME, told)
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
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Backup(size, findings)


def _refuse_existing(target: Path, replace: bool) -> None:
    if not target.exists() and not target.is_symlink():
        return
    if not replace:
        raise StoreError(f"{target} exists already: give another name, or --replace to put the new one in its place")
    if not (target / DATABASE_NAME).is_file() or target.is_symlink():
        raise StoreError(f"{target} is no backup of oesd: it is not replaced")
    if (target / "oesd.lock").exists():
        raise StoreError(f"{target} has been worked on as a data directory: it is not replaced")


def _clear(part: Path) -> None:
    """Remove what a backup that was killed left."""
    if (part / DATABASE_NAME).is_file():
        shutil.rmtree(part)


def _copied(source: Path, target: Path, told: Told) -> int:
    with closing(open_untouched(source)) as reader, closing(sqlite3.connect(target, isolation_level=None)) as writer:
        os.chmod(target, 0o600)
        try:
            reader.execute("BEGIN")
            (size,) = reader.execute(_SIZE).fetchone()
            names = [row[0] for row in reader.execute("SELECT name FROM segments ORDER BY segment_no")]
            _require_room(target, size)
            size += _segments(source.parent / FOLDER, target.parent / FOLDER, names, told)
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
    return int(size)


def _segments(source: Path, target: Path, names: Sequence[str], told: Told) -> int:
    """Give the files of segments, which nobody ever changes, a second name, or copy them; returns their bytes."""
    if names:
        target.mkdir(mode=0o700)
    size = 0
    for k, name in enumerate(names, start=1):
        with suppress(FileNotFoundError):  # that is damage, which the inspection finds and names
            _second_name(source / name, target / name)
            size += (target / name).stat().st_size
        told("copied", k, len(names))
    if names:
        sync_directory(target)
    return size


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
    if target.exists():
        earlier = target.with_name(f"{target.name}.earlier")
        shutil.rmtree(earlier, ignore_errors=True)
        target.rename(earlier)
        part.rename(target)
        shutil.rmtree(earlier)
    else:
        part.rename(target)
    sync_directory(target.parent)
