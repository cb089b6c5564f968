"""Errors of the store, named by what the caller does next.

::

    StoreError                 cannot go on as asked; one line for a person
    |-- StoreInUse             another process has the directory: give up, or stop the other one
    |-- StoreNewer             written by a newer oesd: update oesd; nothing was touched
    |-- StoreDamaged           these bytes are not what was stored: leave the record out, restore a backup
    |-- StoreFull              no space: free some; later writes may succeed again
    |-- StoreBusy              too many writes wait for the disk: count a loss, or try later
    |-- StoreClosed            the store was closed before this could be written
    |-- StoreRefused           a rule of the tables forbids this (raw data never change): nothing of it was stored
    |-- SlotTaken              the slot is accounted for already: this is a second one, drop it
    |-- UnknownEntry           no such entry
    |-- UnknownPeak            the entry's latest result has no such peak
    `-- UnknownCandidate       the peak has no such candidate; ``keys`` lists those it has
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

_PRIMARY_CODE = 0xFF


class StoreError(Exception):
    """Root of this package's errors; the message is one line."""


class StoreInUse(StoreError):
    """Another store, here or in another process, holds the directory."""


class StoreNewer(StoreError):
    """The file was written by a newer version; it was not touched."""


class StoreDamaged(StoreError):
    """What was read is not what was stored."""


class StoreFull(StoreError):
    """The disk, or the file's size limit, is full; nothing of this write was stored."""


class StoreBusy(StoreError):
    """More writes are waiting than the queue holds; this one was refused."""


class StoreClosed(StoreError):
    """The store is closed; this was not stored."""


class StoreRefused(StoreError):
    """What was to be written breaks a rule of the tables; nothing of it was stored."""


class SlotTaken(StoreError):
    """The slot of the run is accounted for already, by another spectrum or as a loss; nothing was stored."""


class UnknownEntry(StoreError):
    """No entry has this id."""

    def __init__(self, data_id: str) -> None:
        super().__init__(f"no entry {data_id!r}")
        self.data_id = data_id


class UnknownPeak(StoreError):
    """The latest result of the entry has no peak with this id."""

    def __init__(self, data_id: str, peak_id: str) -> None:
        super().__init__(f"entry {data_id!r} has no peak {peak_id!r}")
        self.peak_id = peak_id


class UnknownCandidate(StoreError):
    """The peak has no candidate with this key; ``keys`` are those it has, in order of preference."""

    def __init__(self, peak_id: str, candidate_key: str, keys: tuple[str, ...]) -> None:
        super().__init__(f"peak {peak_id!r} has no candidate {candidate_key!r}; it has {', '.join(keys) or 'none'}")
        self.keys = keys


def from_sqlite(error: sqlite3.Error, doing: str) -> StoreError:
    """Our error for one of SQLite's.

    Parameters
    ----------
    error : sqlite3.Error
        What SQLite raised.
    doing : str
        What was being done, for the message: ``"write to the store"``.
    """
    kinds = {sqlite3.SQLITE_FULL: StoreFull, sqlite3.SQLITE_CORRUPT: StoreDamaged, sqlite3.SQLITE_NOTADB: StoreDamaged}
    if isinstance(error, sqlite3.IntegrityError):
        return StoreRefused(str(error))
    # Errors of Python's own layer carry no code, or None.
    code = getattr(error, "sqlite_errorcode", None) or 0
    return kinds.get(code & _PRIMARY_CODE, StoreError)(f"cannot {doing}: {error}")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise :class:`StoreError` for what SQLite raises inside."""
    try:
        yield
    except sqlite3.Error as error:
        raise from_sqlite(error, doing) from error
    except UnicodeDecodeError as error:  # SQLite's own texts, such as a damaged schema's, come as UTF-8 or not at all
        raise StoreDamaged(f"cannot {doing}: the file is damaged") from error
