"""Worker processes for analyses: a thread here and a child process each, so that all cores compute.

Not :mod:`multiprocessing`: nothing is forked or pickled, a job that hangs or crashes costs its own process and is
named, and no child outlives us.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Protocol, TypeVar

from oesd.processing import wire

K = TypeVar("K")
_TRIES = 2
#: Linear algebra in one thread: each core has its own worker, and the order of sums must not depend on the machine.
_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class CrewError(Exception):
    """The workers cannot be had, or are lost; one line for a person."""


class WorkerDied(CrewError):
    """A job ended its process twice, or did not end in time."""


class Workers(Protocol):
    """Whoever does jobs: processes of our own, or a cluster."""

    @property
    def hands(self) -> int:
        """How many jobs are done at a time."""
        ...

    def submit(self, job: bytes) -> Future[bytes]:
        """Do a job; the future has its answer, or :class:`CrewError`."""
        ...


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    workers: Workers, jobs: Iterable[tuple[K, bytes]], stopped: Callable[[], bool] = lambda: False, *, ahead: int = 4
) -> Iterator[tuple[K, Future[bytes]]]:
    """Have jobs done, in their order, with ``ahead`` for each hand on the way; every future that comes is done.

    Jobs are taken from their source as they are needed. Closing the iterator, or ``stopped``, which is asked a few
    times a second, gives up those that wait.
    """
    waiting: deque[tuple[K, Future[bytes]]] = deque()
    source = iter(jobs)
    try:
        while True:
            while len(waiting) < max(workers.hands, 1) * ahead and (job := next(source, None)) is not None:
                waiting.append((job[0], workers.submit(job[1])))
            if not waiting or stopped():
                return
            key, future = waiting[0]
            if _done(future):
                waiting.popleft()
                yield key, future
    finally:
        for _, future in waiting:
            future.cancel()


def _done(future: Future[bytes]) -> bool:
    try:
        future.exception(timeout=0.25)
    except TimeoutError:
        return future.done()
    except CancelledError:
        return True
    return True


class Crew:
    """Worker processes on this machine; a context manager.

    Parameters
    ----------
    hands : int
        Number of processes; each is started when its first job comes.
    deadline_s : float
        A job that takes longer ends its process.
    command : sequence of str
        What a process runs; the number of its socket is added.
    """

    def __init__(
        self,
        hands: int,
        *,
        deadline_s: float = 60.0,
        command: Iterable[str] = (sys.executable, "-m", "oesd.processing.worker"),
    ) -> None:
        self.hands = hands
        self._deadline_s = deadline_s
        self._command = tuple(command)
        self._jobs: queue.SimpleQueue[tuple[bytes, Future[bytes]] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._children: set[_Child] = set()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._serve, name=f"crew-{i}", daemon=True) for i in range(hands)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: bytes) -> Future[bytes]:
        """Queue a job; never blocks. WorkerDied is the job's own: the others go on."""
        future: Future[bytes] = Future()
        if self._closed.is_set():
            future.set_exception(CrewError("the workers have ended"))
        else:
            self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Give up what waits, end the processes; a job at hand is not waited for."""
        with self._lock:
            self._closed.set()
            for child in self._children:
                child.kill()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Crew:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        child: _Child | None = None
        while (item := self._jobs.get()) is not None:
            job, future = item
            if self._closed.is_set():
                future.cancel()
            if future.set_running_or_notify_cancel():
                child = self._do(child, job, future)
        self._end(child)

    def _do(self, child: _Child | None, job: bytes, future: Future[bytes]) -> _Child | None:
        """Do a job, with another process when the first one dies of it; returns the process that lives."""
        trouble = "the workers have ended"
        for _ in range(_TRIES):
            try:
                child = child or self._born()
                if child is None:
                    break
                future.set_result(child.ask(job, self._deadline_s))
                return child
            except (EOFError, OSError) as error:
                trouble = f"its analysis ended the worker process ({error})"
                self._end(child)
                child = None
                if isinstance(error, TimeoutError):
                    break
        future.set_exception(WorkerDied(trouble))
        return None

    def _born(self) -> _Child | None:
        with self._lock:
            if self._closed.is_set():
                return None
            child = _Child(self._command)
            self._children.add(child)
            return child

    def _end(self, child: _Child | None) -> None:
        if child is not None:
            with self._lock:
                self._children.discard(child)
            child.end()


class _Child:
    """One process behind a socket pair."""

    def __init__(self, command: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair()
        self._channel = ours
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [*command, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **_ONE_THREAD},
                )
        except OSError:
            ours.close()
            raise

    def ask(self, job: bytes, deadline_s: float) -> bytes:
        """Answer to a job; EOFError or OSError when there will be none."""
        until_s = time.monotonic() + deadline_s
        wire.send(self._channel, job, until_s)
        return wire.receive(self._channel, until_s)

    def kill(self) -> None:
        """End the process, which holds nothing that could be lost; whoever waits for its answer is told."""
        self._process.kill()

    def end(self) -> None:
        """End the process and let go of it."""
        self.kill()
        self._process.wait()
        self._channel.close()
