"""What can be asked of a store: by the process that has it, and by one that reads beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from oesd.model import Capture, Entry, Measurement, Override, Result, SpectrumFile
from oesd.store import captures, entries, files, results
from oesd.store.database import Connection
from oesd.store.entries import EntrySummary
from oesd.store.files import StoredFile
from oesd.store.finding import Found, Sought, find_entries
from oesd.store.overrides import load_history, load_overrides
from oesd.store.results import ShownResult
from oesd.store.sources import load_measurement
from oesd.store.standing import Standing, Wanted, list_standings
from oesd.store.tombstones import Tombstone, load_tombstone
from oesd.store.trace_reading import Trace, load_trace

T = TypeVar("T")


class Reading(ABC):
    """Every question; each is answered from one consistent state."""

    @abstractmethod
    def read(self, query: Callable[[Connection], T], /) -> T:
        """Run a query on one consistent state; raises StoreError."""

    def capture(self, record_id: str) -> Capture | None:
        """A capture; StoreDamaged when it is not what was stored."""
        return self.read(lambda connection: captures.load_capture(connection, record_id))

    def file(self, data_id: str) -> StoredFile | None:
        """The file of an entry, byte for byte; StoreDamaged when it is not what was stored."""
        return self.read(lambda connection: files.load_file(connection, data_id))

    def spectrum_file(self, data_id: str) -> SpectrumFile | None:
        """The spectrum and the header that were read from an entry's file."""
        return self.read(lambda connection: files.load_spectrum(connection, data_id))

    def entry(self, data_id: str) -> Entry | None:
        """An entry; that of a file is its own sample, without dark and reference ids."""
        return self.read(lambda connection: entries.load_entry(connection, data_id))

    def entries(
        self, limit: int = 100, *, before: str | None = None, device_name: str | None = None
    ) -> list[EntrySummary]:
        """Entries in short, the last stored first, going on after the entry ``before``."""
        return self.read(lambda connection: entries.list_entries(connection, limit, before, device_name))

    def find(self, sought: Sought, limit: int, cursor: int | None = None) -> Found:
        """See :func:`~oesd.store.finding.find_entries`."""
        return self.read(lambda connection: find_entries(connection, sought, limit, cursor))

    def latest_entry(self, device_name: str | None = None) -> str | None:
        """Id of the entry that was stored last."""
        return self.read(lambda connection: entries.latest_entry(connection, device_name))

    def measurement(self, data_id: str) -> Measurement | None:
        """What the engine may know of an entry; StoreDamaged when a part of it is not what was stored."""
        return self.read(lambda connection: load_measurement(connection, data_id))

    def tombstone(self, data_id: str) -> Tombstone | None:
        """What is known of an entry that was let go; None when it was not."""
        return self.read(lambda connection: load_tombstone(connection, data_id))

    def trace(
        self,
        device_name: str,
        wavelength_nm: float,
        tolerance_nm: float,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Trace:
        """The line of a spectrometer nearest to a wavelength, over time; spectra that were thinned away included."""
        return self.read(lambda db: load_trace(db, device_name, wavelength_nm, tolerance_nm, since, until))

    def unprocessed(self, limit: int) -> list[str]:
        """Ids of the entries that wait for a result, the first stored first."""
        return self.read(lambda connection: entries.waiting_entries(connection, limit))

    def standings(self, wanted: Wanted, after_no: int = 0) -> list[Standing]:
        """See :func:`~oesd.store.standing.list_standings`."""
        return self.read(lambda connection: list_standings(connection, wanted, after_no))

    def result(self, data_id: str, revision: int | None = None) -> Result | None:
        """A revision, the latest when None, with the overrides that stand now and the orphaned ones listed."""
        return self.read(lambda connection: results.load_result(connection, data_id, revision))

    def shown(self, data_id: str) -> ShownResult | None:
        """The latest revision as it stands in a document: for who only passes it on, in a third of the time."""
        return self.read(lambda connection: results.load_shown(connection, data_id))

    def mark(self, data_id: str) -> str | None:
        """See :func:`~oesd.store.results.mark`."""
        return self.read(lambda connection: results.mark(connection, data_id))

    def overrides(self, data_id: str) -> list[Override]:
        """The overrides of an entry that stand, in the order they were made."""
        return self.read(lambda connection: load_overrides(connection, data_id))

    def override_history(self, data_id: str) -> list[Override]:
        """Every override ever made on an entry, those replaced since included."""
        return self.read(lambda connection: load_history(connection, data_id))
