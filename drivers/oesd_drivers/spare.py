"""A worker that is ready before it is needed: its start and its imports are what takes longest when a device comes.

It is started while the program is still building what else it needs, and it is what is left of a worker whose device
was closed or unplugged: what comes back is opened at once, without a new process.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .child import Child
from .launch import Launched
from .spectrometer import Address


class Spare:
    """Keeps one idle worker at most; any thread may call.

    Parameters
    ----------
    env : mapping, optional
        Environment variables of the workers besides this process's own.
    first : Launched, optional
        A worker that is on its way already.
    """

    def __init__(self, env: Mapping[str, str] | None = None, first: Launched | None = None) -> None:
        self._environment = dict(env or {})
        self._idle = Child(self._environment, first) if first else None
        self._closed = False
        self._lock = threading.Lock()

    def open_ahead(self, address: Address, backend: str) -> None:
        """Have the idle worker open a spectrometer that is sure to be asked for; whoever opens it waits no more."""
        with self._lock:
            if self._idle is not None:
                self._idle.begin(address, backend)

    def take(self, address: Address) -> Child:
        """Return the idle worker, unless it opens another one's device, or a new one.

        Raises
        ------
        SpectrometerError
            As :class:`~oesd_drivers.child.Child`.
        """
        with self._lock:
            idle = self._idle if self._idle is not None and self._idle.is_free_for(address) else None
            if idle is not None:
                self._idle = None
        if idle is not None and idle.running:
            return idle
        if idle is not None:
            idle.end(kill=True)
        return Child(self._environment)

    def give(self, child: Child) -> None:
        """Keep a worker whose device is closed; it is ended when there is one already, or was left in doubt."""
        with self._lock:
            kept = child.alive and child.sound and self._idle is None and not self._closed
            if kept:
                self._idle = child
        if not kept and child.alive:
            child.end(kill=False)

    def close(self) -> None:
        """End the idle worker, and keep none from now on."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, None
        if idle is not None:
            idle.end(kill=True)  # nobody has its device, and it may be in the middle of its imports
