"""The one thread that writes.

Tasks come by a queue, each with a future::

    any thread --task--> [ queue, at most 2000 ] --> writer thread: BEGIN
                                                       SAVEPOINT  task 1  RELEASE
                                                       SAVEPOINT  task 2  (fails: ROLLBACK TO, its future only)
                                                       ...
                                                     COMMIT (synced)
                 <------------- futures -------------

Whatever is queued when the writer comes round goes into one transaction, so that a slow disk makes larger groups and
not a longer queue. When the commit fails, nothing of the group was stored and every future of it says so; the writer
opens the file anew and goes on with the next group.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from oesd.store.database import Connection
from oesd.store.errors import StoreBusy, StoreClosed, StoreError, from_sqlite

log = logging.getLogger(__name__)

T = TypeVar("T")
QUEUE_LIMIT = 2000
GROUP_LIMIT = 500
_DOING = "write to the store"


@dataclass(slots=True, eq=False)
class _Job:
    task: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)
    value: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.error is None:
            self.future.set_result(self.value)
        else:
            self.future.set_exception(self.error)


class Writer:
    """Owner of the write connection and its thread.

    Parameters
    ----------
    connect : callable
        Opens the write connection; called again after an error of the disk.
    rest : callable
        Called with the connection between two groups, when the futures of the one before are resolved.
    """

    def __init__(self, connect: Callable[[], Connection], rest: Callable[[Connection], None] = lambda _: None) -> None:
        self._connect = connect
        self._rest = rest
        self._connection: Connection | None = connect()
        self._queue: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="oesd-store-writer", daemon=True)
        self._thread.start()

    def submit(self, task: Callable[[Connection], T]) -> Future[T]:
        """Queue a task; never blocks.

        Returns
        -------
        Future
            Resolved after the commit that made the task's changes durable. It has StoreBusy when the queue is full
            and StoreClosed after :meth:`close`.
        """
        job = _Job(task)
        with self._wake:
            refused = self._refusal()
            if refused is None:
                self._queue.append(job)  # from here on the writer's alone: it may have failed and be settled already
                self._wake.notify()
        if refused is not None:
            job.future.set_exception(refused)
        return job.future

    def _refusal(self) -> StoreError | None:
        if self._closed:
            return StoreClosed("the store is closed")
        if len(self._queue) >= QUEUE_LIMIT:
            return StoreBusy(f"{QUEUE_LIMIT} writes wait for the disk")
        return None

    @property
    def waiting(self) -> int:
        """Number of tasks in the queue."""
        return len(self._queue)

    def close(self) -> None:
        """Write what is queued, then end the thread."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while group := self._next_group():
            self._write(group)
            for job in group:
                job.settle()
            self._rest_a_moment()
        self._drop_connection()

    def _rest_a_moment(self) -> None:
        if self._connection is not None:
            try:
                self._rest(self._connection)
            except (sqlite3.Error, StoreError) as error:
                log.error("%s", from_sqlite(error, _DOING) if isinstance(error, sqlite3.Error) else error)
                self._drop_connection()

    def _next_group(self) -> list[_Job]:
        """Wait for tasks and take them; empty only when closed and nothing is left."""
        with self._wake:
            self._wake.wait_for(lambda: self._queue or self._closed)
            group = [self._queue.popleft() for _ in range(min(len(self._queue), GROUP_LIMIT))]
            # A future cancelled in the queue is left out; after this none can be cancelled.
            running = [job for job in group if job.future.set_running_or_notify_cancel()]
        return running if running or not group else self._next_group()

    def _write(self, group: list[_Job]) -> None:
        try:
            connection = self._open_connection()
            connection.execute("BEGIN IMMEDIATE")
            if len(group) == 1:
                _attempt_alone(connection, group[0])
            else:
                for job in group:
                    _attempt(connection, job)
            if len(group) > 1 or group[0].error is None:
                connection.execute("COMMIT")
        except (sqlite3.Error, StoreError) as error:
            self._drop_connection()
            for job in group:
                job.error = from_sqlite(error, _DOING) if isinstance(error, sqlite3.Error) else error

    def _open_connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _drop_connection(self) -> None:
        """Close, which rolls back; after a failed sync nothing that this connection believes is to be trusted."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None


def _attempt_alone(connection: Connection, job: _Job) -> None:
    """Run the only task of a transaction, which needs no savepoint; raises as :func:`_attempt`."""
    try:
        job.value = job.task(connection)
    except Exception as error:  # as in _attempt
        if not connection.in_transaction:
            raise _whole_group(error) from error
        connection.rollback()
        job.error = _shown(error)
    else:
        if not connection.in_transaction:
            raise StoreError(f"cannot {_DOING}: a task ended the transaction that it was one of")


def _attempt(connection: Connection, job: _Job) -> None:
    """Run one task in its savepoint, keeping its value or its error.

    Raises
    ------
    sqlite3.Error, StoreError
        When the error took the whole transaction with it (disk full, I/O error): the group is lost.
    """
    connection.execute("SAVEPOINT task")
    try:
        job.value = job.task(connection)
    except Exception as error:  # the top of a task, which is foreign code: its error belongs to its future
        if not connection.in_transaction:
            raise _whole_group(error) from error
        connection.execute("ROLLBACK TO task")
        job.error = _shown(error)
    connection.execute("RELEASE task")


def _whole_group(error: Exception) -> Exception:
    return error if isinstance(error, (sqlite3.Error, StoreError)) else StoreError(f"cannot {_DOING}: {error}")


def _shown(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    shown = from_sqlite(error, _DOING)
    shown.__cause__ = error
    return shown
