"""A store that no daemon uses at the moment, for the commands that look at data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from oesd.formats import FormatError
from oesd.model import Recipe
from oesd.processing import Processing
from oesd.processing.explaining import explain
from oesd.processing.importing import Imported, import_file
from oesd.processing.keeping import pack_answers
from oesd.processing.reprocessing import Reader
from oesd.service.asking import RECENT, AccessError, FileRefused, checked, newest
from oesd.service.summary import Summary
from oesd.store import Store, StoreError, Tally
from oesd.store.accounts import RUNS_LIMIT, By, ledger_document
from oesd.web.runs import runs_document


class Offline:
    """A store that no daemon uses at the moment."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._processing = Processing(store, Recipe(), upload=False, beat=lambda _name, _within_s: None)

    def status(self) -> Mapping[str, Any]:
        """The tally alone: nothing runs."""
        return {"state": "no daemon runs", "summary": Summary(self.tally()).lines()}

    def tally(self) -> Tally:
        """The store's tally."""
        return self._store.tally()

    def latest(self) -> str:
        """Data id of the newest entry that has a result."""
        return newest([(entry.data_id, entry.revision) for entry in self._store.entries(RECENT)])

    def entries(self) -> Sequence[str]:
        """Data ids of all entries, oldest first."""
        found: list[str] = []
        page = self._store.entries(1000)
        while page:
            found += [entry.data_id for entry in page]
            page = self._store.entries(1000, before=found[-1])
        return found[::-1]

    def document(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes document of an entry."""
        result = self._store.result(checked(data_id))
        if result is None:
            raise self._absent(data_id)
        return result.to_api()

    def _absent(self, data_id: str) -> AccessError:
        known = self._store.entry(data_id) is not None
        stone = self._store.tombstone(data_id)
        if stone is not None:
            return AccessError(f"{data_id}: {stone.text}")
        return AccessError(f"{data_id}: not processed yet" if known else f"{data_id}: no such entry")

    def assign(self, data_id: str, peak_id: str, candidate_key: str) -> Mapping[str, Any]:
        """Choose a candidate of a peak by hand."""
        try:
            return self._store.assign(checked(data_id), peak_id, candidate_key, now=datetime.now(UTC)).to_api()
        except StoreError as error:
            raise AccessError(str(error)) from None

    def evidence(self, data_id: str) -> Mapping[str, Any]:
        """The GET /oes/{data_id}/evidence document."""
        explained = explain(self._store, checked(data_id))
        if explained is None:
            raise self._absent(data_id)
        return explained

    def keep(self, answers: Mapping[str, bytes]) -> Mapping[str, str]:
        """Store the answers of workers; by data id "" or why it was not stored."""
        return self._processing.keep(pack_answers(answers))

    def import_file(self, data: bytes, filename: str) -> Imported:
        """Store a file of other software as an entry, and analyse it."""
        try:
            imported = import_file(self._store, data, filename)
            if imported.new:
                self._processing.process(imported.data_id)
        except FormatError as error:
            raise FileRefused(str(error)) from None
        except StoreError as error:
            raise AccessError(str(error)) from None
        return imported

    def recipe(self) -> Recipe | None:
        """None: each entry has its own."""
        return None

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """The store itself."""
        yield self._store

    def ledger(self, by: By, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /ledger document."""
        return ledger_document(self._store, by, device_name, since)

    def runs(self, device_name: str | None, since: datetime) -> Mapping[str, Any]:
        """The GET /runs document; what is on is not known without a daemon."""
        return runs_document(self._store, RUNS_LIMIT, device_name, since)
