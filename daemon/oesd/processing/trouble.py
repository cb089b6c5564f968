"""Trouble with the store, said once."""

from __future__ import annotations

import logging
import threading

log = logging.getLogger(__name__)


class Trouble:
    """What is wrong with the store: said once when it begins or changes, and once when it is over."""

    def __init__(self) -> None:
        self._now = ""
        self._lock = threading.Lock()

    @property
    def now(self) -> str:
        """What is wrong at the moment, "" when nothing is."""
        return self._now

    def is_now(self, what: str) -> None:
        """Something could not be stored."""
        with self._lock:
            before, self._now = self._now, what
        if before != what:
            log.error("spectra cannot be stored: %s", what)

    def is_over(self) -> None:
        """Something could be stored."""
        with self._lock:
            before, self._now = self._now, ""
        if before:
            log.info("spectra can be stored again")
