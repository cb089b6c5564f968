"""The store: everything durable in one place.

Every ``save_`` and ``record_`` method returns a future at once and never blocks on the disk; the future resolves after
the commit, and only then may anyone say "stored". Readers see each commit whole. See README.md for the promises.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from oesd.model import Analysis, Capture, Entry, ModelledDark, Result, RunRecord, SpectrumFile
from oesd.store import captures, entries, files, modelled, results, runs
from oesd.store.analysis_form import pack_analysis
from oesd.store.assigning import assign, clear
from oesd.store.bookkeeping import Bookkeeping
from oesd.store.database import Connection
from oesd.store.directory import LockedDirectory
from oesd.store.errors import StoreError, StoreFull, UnknownEntry
from oesd.store.library import Library
from oesd.store.outbox import Outbox
from oesd.store.place import Place, name_place, place_of
from oesd.store.readers import Readers
from oesd.store.reading import Reading
from oesd.store.remote import RemoteResults
from oesd.store.room import Room
from oesd.store.sources import load_sources
from oesd.store.writer import Writer

T = TypeVar("T")
_TO_OPEN = 1 << 16  # bytes: the index of the log is made in pieces of 32 KiB (sqlite.org/walformat.html), and a head


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _failed(error: StoreError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


class Store(Reading, Bookkeeping):
    """One data directory, open; a context manager.

    Parameters
    ----------
    directory : LockedDirectory
        Ours alone until :meth:`close`. Use :meth:`open`.
    place : Place
        Where its tables are.
    clock : callable
        The time that revisions and file entries are stamped with.
    """

    def __init__(self, directory: LockedDirectory, place: Place, clock: Callable[[], datetime] = _utc_now) -> None:
        self._directory = directory
        self._place = place
        self._clock = clock
        self._refused = ""
        place.prepare()
        name_place(place)
        self._writer = Writer(place.open_writer, place.rest)
        self._readers = Readers(place.open_reader)
        self.outbox = Outbox(self)
        self.library = Library(self)
        self.remote = RemoteResults(self)

    @classmethod
    def open(cls, directory: Path, url: str | None = None, *, clock: Callable[[], datetime] = _utc_now) -> Store:
        """Open the store in a directory, making both if need be.

        Parameters
        ----------
        url : str or None
            As :func:`~oesd.store.place.place_of` takes it: "" for an SQLite file, ``postgresql://...``, or None for
            wherever the directory says.

        Raises
        ------
        StoreInUse
            Within a second, when another store has the directory or the database.
        StoreFull
            When the disk has not even room for what SQLite keeps beside an open file.
        StoreNewer, StoreDamaged, StoreError
            When it is of a newer version, no store of ours, or cannot be used; it is left as it is.
        """
        held = LockedDirectory.take(directory)
        try:
            return cls(held, place_of(directory, url), clock)
        except StoreError as error:
            held.release()
            if type(error) is StoreError and (free := shutil.disk_usage(directory).free) < _TO_OPEN:
                raise StoreFull(
                    f"{directory}: its disk is full ({free} bytes free), so the store cannot be opened: free some MB "
                    f"there; all that was stored is kept ({error})"
                ) from error
            raise

    def close(self) -> None:
        """Write what is queued, then let go of the directory."""
        self._writer.close()
        self._readers.close()
        self._directory.release()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The two ways to the tables.

    def write(self, task: Callable[[Connection], T], /) -> Future[T]:
        """Run a task in the writer's next transaction; never blocks.

        Parameters
        ----------
        task : callable
            Gets the write connection; must not end the transaction.

        Returns
        -------
        Future
            Resolved after the commit. An error of the task is its own; StoreFull and other StoreErrors mean that
            nothing of it was stored; StoreBusy that 2,000 writes were waiting and this one was refused.
        """
        return self._writer.submit(task)

    def read(self, query: Callable[[Connection], T], /) -> T:
        """Run a query on one consistent state; raises StoreError."""
        return self._readers.read(query)

    @property
    def waiting(self) -> int:
        """Number of writes that wait for the disk; at 2,000 further ones are refused."""
        return self._writer.waiting

    @property
    def database(self) -> Path:
        """The SQLite file; not there when the tables are in PostgreSQL."""
        return self._directory.database

    @property
    def where(self) -> str:
        """Where the tables are, for people: a file, or a URL with ``***`` for its password."""
        return str(self._place)

    @property
    def has_files(self) -> bool:
        """Whether the tables are files of the data directory, beside which others may be kept."""
        return self._place.has_files

    @property
    def directory(self) -> Path:
        """The data directory."""
        return self._place.directory

    def room(self, free: Callable[[Path], int]) -> Room:
        """How much room there is; ``free`` tells the bytes free on a directory's disk."""
        return self.read(lambda connection: self._place.room(connection, free))

    def now(self) -> datetime:
        """The time that revisions, file entries and tombstones are stamped with."""
        return self._clock()

    def refuse(self, why: str) -> None:
        """Take no capture and no file from now on, for this reason; "" takes them again."""
        self._refused = why

    @property
    def refused(self) -> str:
        """Why nothing is taken in now, "" when it is."""
        return self._refused

    # Captures and entries.

    def save_capture(
        self,
        capture: Capture,
        entry: Entry | None,
        *,
        upload: bool,
        run: RunRecord | None = None,
        short: Capture | None = None,
        modelled_dark: ModelledDark | None = None,
    ) -> Future[None]:
        """Store a capture, its device and, for a sample, its entry and the entry's place in the outbox: all or none.

        Saving the same again is no error and changes nothing. The future has SlotTaken when the capture's slot has
        another spectrum, or is recorded as lost.

        Parameters
        ----------
        run : RunRecord, optional
            The beginning of the capture's run, stored with it; of no effect when it is known already.
        short : Capture, optional
            The shorter exposure of a bracketed sample: slot -1, named by the entry.
        modelled_dark : ModelledDark, optional
            The entry's dark when it is a prediction, stored before it; of no effect when it is stored already.
        """
        if self._refused:
            return _failed(StoreFull(self._refused))
        packed = captures.pack_capture(capture)
        beside = None if short is None else captures.pack_capture(short)
        predicted = None if modelled_dark is None else modelled.pack_modelled(modelled_dark)

        def save(connection: Connection) -> None:
            entries.require_named(entry, short)
            if run is not None:
                runs.insert_run(connection, run)
            if predicted is not None:
                modelled.insert_modelled(connection, predicted)
            number = captures.insert_capture(connection, packed)
            short_no = None if beside is None else captures.insert_capture(connection, beside)
            if entry is not None:
                entries.insert_entry(connection, entry, capture, number, upload, short_no)

        return self.write(save)

    def save_file(self, data_id: str, spectrum: SpectrumFile, data: bytes, filename: str) -> Future[None]:
        """Store a file, byte for byte, and the spectrum read from it as an entry of its own; twice is once."""
        if self._refused:
            return _failed(StoreFull(self._refused))
        packed = files.pack_file(data_id, spectrum, data, filename, self._clock())
        return self.write(lambda connection: files.insert_file(connection, packed))

    def import_file(self, data_id: str, spectrum: SpectrumFile, data: bytes, filename: str) -> Future[str | None]:
        """Store a file as :meth:`save_file` does, unless it is there: the future has the id of the entry that has it.

        That is the entry of the same bytes, or of the capture that the file was written from.
        """
        if self._refused:
            return _failed(StoreFull(self._refused))
        packed = files.pack_file(data_id, spectrum, data, filename, self._clock())
        return self.write(lambda connection: files.import_file(connection, packed))

    # Results.

    def save_result(
        self, data_id: str, analysis: Analysis, metadata: Mapping[str, Any], readings: bytes = b""
    ) -> Future[Result]:
        """Store an analysis as the entry's next revision and let the forwarder have the entry.

        Peaks keep the ids of the same lines in the revision before; ids are never used twice in an entry. When the
        engine says the same as in the latest revision there is no new one. The future has the result, overrides
        applied.

        Parameters
        ----------
        metadata : mapping
            JSON-ready; becomes ``spectral_metadata`` of the API.
        readings : bytes
            Its named traces (:func:`~oesd.store.named_traces.pack_readings`), stored in the same transaction.

        Raises
        ------
        UnknownEntry, StoreDamaged
            At once, when there is no such entry or its raw data cannot be read.
        """
        sources = self.read(lambda connection: load_sources(connection, data_id))
        if sources is None:
            raise UnknownEntry(data_id)
        packed, kept, now = pack_analysis(analysis, sources.measurement), dict(metadata), self._clock()
        return self.write(
            lambda connection: results.add_revision(
                connection, data_id, analysis, packed, kept, sources.known, now, readings
            )
        )

    def fail_result(self, data_id: str, reason: str) -> Future[None]:
        """Mark an entry as one that the engine cannot process, and let the forwarder have it all the same."""
        return self.write(lambda connection: results.mark_failed(connection, data_id, reason))

    def attempt(self, data_id: str) -> Future[bool]:
        """Note that the analysis of an entry begins that an earlier process left; False when it was noted twice."""
        return self.write(lambda connection: results.note_attempt(connection, data_id))

    def assign(self, data_id: str, peak_id: str, candidate_key: str, *, now: datetime) -> Result:
        """Put a person's word on a peak of the latest result; durable when this returns.

        Raises
        ------
        UnknownEntry, UnknownPeak, UnknownCandidate
            When there is no such entry, peak (or result), or candidate; nothing is changed.
        """
        return self.write(lambda connection: assign(connection, data_id, peak_id, candidate_key, now)).result()

    def clear(self, data_id: str, peak_id: str, *, now: datetime) -> Result:
        """Take back a person's word on a peak, or one that no peak matches any more; durable when this returns.

        Raises
        ------
        UnknownEntry, UnknownPeak
            When there is no such entry, or neither such a peak (or result) nor such an override.
        """
        return self.write(lambda connection: clear(connection, data_id, peak_id, now)).result()
