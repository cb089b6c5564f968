"""How a command reaches the data: through the running daemon, or the store itself when none runs.

Only one process may write a store, so a running daemon is always asked and never bypassed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from oesd.model import Recipe
from oesd.processing.importing import Imported
from oesd.processing.reprocessing import Reader
from oesd.service.asking import AccessError, FileRefused
from oesd.service.directory import check_readable, running
from oesd.service.offline import Offline
from oesd.service.remote import HOW_TO_START, Remote
from oesd.store import Store
from oesd.store.accounts import By
from oesd.store.place import place_of

__all__ = ["Access", "AccessError", "FileRefused", "Offline", "Remote", "daemon_or_directory", "reach", "remote"]

TOKEN = "OESD_TOKEN"  # noqa: S105 - the name of a variable, not a token
"""Environment variable with the token of the daemon that ``--url`` names: for who may not read its data directory."""
DEFAULT_URL = "http://127.0.0.1:8520"


class Access(Protocol):
    """What commands ask for."""

    def status(self) -> Mapping[str, Any]:
        """The daemon's state, or the store's tally when none runs."""
        ...

    def latest(self) -> str:
        """Data id of the newest entry that has a result."""
        ...

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        ...

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        ...

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand; returns the updated document."""
        ...

    def evidence(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes/{data_id}/evidence document: why its elements are named."""
        ...

    def keep(self, answers: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the answers of workers (:mod:`oesd.processing.jobs`); by data id "" or why it was not stored."""
        ...

    def import_file(self, data: bytes, filename: str) -> Imported:
        """Store a file of other software as an entry, and have it analysed; FileRefused when it is no spectrum."""
        ...

    def recipe(self) -> Recipe | None:
        """Today's recipe; None when each entry has its own."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """The store to read from."""
        ...

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document: what became of the scheduled slots since a moment."""
        ...

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document: the runs that had not ended before a moment."""
        ...


def remote(url: str | None, data: Path | None) -> Remote:
    """Reach the daemon at a URL, else that of a data directory, else the one at the usual place."""
    if data is not None and url is None:
        check_readable(data)
    found = running(data) if data is not None and url is None else None
    if data is not None and url is None and found is None:
        raise AccessError(f"{data}: no daemon runs on it: {HOW_TO_START}")
    return Remote(url or (found.url if found else DEFAULT_URL), os.environ.get(TOKEN, "") if url else "")


def daemon_or_directory(url: str | None, data: Path | None) -> Remote | Path:
    """Where a command reads that goes through much data: the files beside a daemon, else the daemon itself.

    A directory that is named is read; so is that of the daemon at the usual place, where we may. The daemon is asked
    when it is named by its URL, or keeps its directory to itself.

    Raises
    ------
    AccessError
        When neither is there.
    """
    if data is not None and url is None:
        check_readable(data)
        return data
    daemon = remote(url, None)
    if url is not None:
        return daemon
    directory = Path(str(daemon.status().get("data_dir", "")))
    return directory if os.access(directory, os.R_OK | os.X_OK) else daemon


@contextmanager
def reach(url: str | None, data: Path | None) -> Iterator[Access]:
    """Reach the daemon at a URL or of a data directory, else the directory itself.

    Raises
    ------
    AccessError, StoreError
        One line that says what to give.
    """
    if data is None or url is not None or running(data) is not None:
        yield remote(url, data)
        return
    check_readable(data)
    if not place_of(data).exists():
        raise AccessError(f"{data}: no data of oesd there")
    store = Store.open(data)
    try:
        yield Offline(store)
    finally:
        store.close()
