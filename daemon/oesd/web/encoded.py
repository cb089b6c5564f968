"""Documents that were asked for lately, as the bytes they are sent as: pages and scripts ask for the same again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

LIMIT_BYTES = 2_000_000  # some eight full spectra


class Encoded:
    """The last few documents, by name; each is good for one ETag.

    Parameters
    ----------
    limit_bytes : int
        How much they may take together.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()

    def get(self, name: str, etag: str, make: Callable[[], bytes]) -> bytes:
        """The document of this name and ETag, made when it is not here."""
        with self._lock:
            known = self._kept.get(name)
            if known is not None and known[0] == etag:
                self._kept.move_to_end(name)
                return known[1]
        made = make()
        with self._lock:
            self._drop(name)
            self._kept[name] = (etag, made)
            self._size_bytes += len(made)
            while self._size_bytes > self._limit_bytes:
                self._drop(next(iter(self._kept)))
        return made

    def _drop(self, name: str) -> None:
        _, gone = self._kept.pop(name, ("", b""))
        self._size_bytes -= len(gone)
