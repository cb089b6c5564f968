"""A Dask cluster as workers: the same jobs as bytes, done by the same function on other machines.

The one importer of :mod:`distributed`, the extra ``oesd[cluster]``. Each machine of the cluster needs the same oesd;
one with another version says so, and nothing of it is used.
"""

from __future__ import annotations

import importlib
import logging
import socket
import urllib.parse
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from oesd.processing.crew import CrewError
from oesd.processing.doing import do

_TIMEOUT_S = 5


class Cluster:
    """Workers of a Dask scheduler; a context manager.

    Parameters
    ----------
    address : str
        Of the scheduler: ``tcp://host:8786``, ``tls://host:8786``.

    Raises
    ------
    CrewError
        When the extra is not installed, or no scheduler answers.
    """

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = importlib.import_module("distributed")
        except ImportError:
            raise CrewError("--scheduler needs Dask: pip install 'oesd[cluster]'") from None
        _hushed()
        try:
            _answers(address)
            self._client: Any = distributed.Client(address, timeout=_TIMEOUT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise CrewError(f"no Dask scheduler answers at {address} ({type(error).__name__}: {error})") from None
        self._address = address

    @property
    def hands(self) -> int:
        """Threads of all workers that the scheduler has now; one while it has none, which waits for the first."""
        threads: dict[str, int] = self._client.nthreads()
        return sum(threads.values()) or 1

    def submit(self, job: bytes) -> Future[bytes]:
        """Have a job done by any worker; done again elsewhere when that one is lost."""
        future: Future[bytes] = Future()
        future.set_running_or_notify_cancel()
        asked = self._client.submit(do, job, pure=False, retries=1)
        asked.add_done_callback(lambda done: _settle(future, done))
        return future

    def close(self) -> None:
        """Leave the cluster; what it still does for us is given up."""
        self._client.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _settle(future: Future[bytes], done: Any) -> None:
    """Hand an answer on; runs in a thread of the client."""
    if done.status == "finished":
        future.set_result(done.result())
    elif done.status == "error":
        future.set_exception(CrewError(f"the cluster did not do it: {done.exception()}"))
    else:
        future.set_exception(CrewError(f"the Dask scheduler was lost, or gave it up ({done.status})"))


def _hushed() -> None:
    """What Dask logs of a lost connection our own error says; some of its loggers have a level of their own."""
    for name in list(logging.root.manager.loggerDict):
        if name == "distributed" or name.startswith("distributed."):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _answers(address: str) -> None:
    """Raise OSError at once when nobody listens there: Dask itself would try again until its time is over."""
    place = urllib.parse.urlsplit(address)
    if place.hostname and place.port:
        socket.create_connection((place.hostname, place.port), _TIMEOUT_S).close()
