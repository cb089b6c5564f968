"""The store's part that keeps the books: losses, runs, and the ledger read from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import TypeVar

from oesd.model import Loss, RunRecord
from oesd.store import accounts, labels, ledger, runs
from oesd.store.accounts import HourAccount, RunAccount
from oesd.store.database import Connection
from oesd.store.ledger import Tally
from oesd.store.runs import HostTime

T = TypeVar("T")


class Bookkeeping(ABC):
    """What a store can tell and is told of runs and their slots."""

    @abstractmethod
    def write(self, task: Callable[[Connection], T], /) -> Future[T]:
        """Run a task in the writer's next transaction; never blocks."""

    @abstractmethod
    def read(self, query: Callable[[Connection], T], /) -> T:
        """Run a query on one consistent state; raises StoreError."""

    @abstractmethod
    def now(self) -> datetime:
        """The time that changes are stamped with."""

    def record_loss(self, loss: Loss, *, run: RunRecord | None = None) -> Future[None]:
        """Record slots that ended without a stored spectrum, leaving out those that are accounted for already.

        Parameters
        ----------
        run : RunRecord, optional
            The beginning of their run, stored with them; of no effect when it is known already.
        """

        def record(connection: Connection) -> None:
            if run is not None:
                runs.insert_run(connection, run)
            ledger.insert_loss(connection, loss)

        return self.write(record)

    def begin_run(self, run: RunRecord) -> Future[None]:
        """Record the beginning of a run; twice is once."""
        return self.write(lambda connection: runs.insert_run(connection, run))

    def end_run(self, run: RunRecord) -> Future[None]:
        """Record the end of a run, and how many slots had come due; an end that is recorded stays as it is."""
        return self.write(lambda connection: runs.end_run(connection, run))

    def label_run(self, run: RunRecord) -> Future[None]:
        """Record the labels that a run which is on has from now on."""
        return self.write(lambda connection: labels.label_run(connection, run, self.now()))

    def settle_runs(self, started: HostTime) -> Future[int]:
        """Account for the slots that earlier daemons left open when they were killed; the future has their number.

        To be asked once, at the start; again does nothing. See :mod:`oesd.store.runs`.
        """
        return self.write(lambda connection: runs.settle_runs(connection, started))

    def ledger_hours(
        self, device_name: str | None = None, *, since: datetime | None = None, until: datetime | None = None
    ) -> list[HourAccount]:
        """What became of the scheduled slots by spectrometer and hour, the first hour first."""
        return self.read(lambda connection: accounts.load_hours(connection, device_name, since, until))

    def run_accounts(
        self, limit: int = 100, *, device_name: str | None = None, since: datetime | None = None
    ) -> list[RunAccount]:
        """What became of the scheduled slots by run, the last begun first; runs ended before ``since`` left out."""
        return self.read(lambda connection: accounts.load_runs(connection, limit, device_name, since))

    def losses(self, limit: int = 100) -> list[Loss]:
        """Losses, the last recorded first."""
        return self.read(lambda connection: ledger.list_losses(connection, limit))

    def tally(self) -> Tally:
        """The sums as they are now; they always add up."""
        return self.read(ledger.load_tally)

    def run(self, run_id: str, device_name: str) -> RunRecord | None:
        """A run of a spectrometer, None when it was not announced."""
        return self.read(lambda connection: runs.load_run(connection, run_id, device_name))
