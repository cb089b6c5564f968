"""What was encoded lately, as the bytes it is sent as: pages and scripts ask for the same again.

Whole documents; and of documents that are new the arrays that stood in others: every entry of a spectrometer has its
axis, and most have the dark and the reference of the one before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from oesd.model import FloatArray
from oesd.web.answers import encode

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

    def __contains__(self, name: object) -> bool:
        return name in self._kept

    def get(self, name: str, etag: str, make: Callable[[], bytes]) -> bytes:
        """The document of this name and ETag, made when it is not here."""
        with self._lock:
            known = self._kept.get(name)
            if known is not None and known[0] == etag:
                self._kept.move_to_end(name)
                return known[1]
        return self.put(name, etag, make())

    def put(self, name: str, etag: str, made: bytes) -> bytes:
        """Keep a document, and return it."""
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


_LOOKED_AT = 16  # values of an array that tell of most that they are not whole
_LARGEST = 2.0**53
_REPEATED = frozenset({"wavelengths", "dark", "reference"})


def encodable(name: str, values: FloatArray) -> Any:
    """An array of a result as :func:`~oesd.web.answers.encode` takes it; what is not finite becomes null."""
    array = np.ascontiguousarray(values, dtype=np.float64)
    return _fragment(array.tobytes()) if name in _REPEATED else _whole(array)


def _whole(array: FloatArray) -> FloatArray | NDArray[np.int64]:
    """Counts as integers where all of them are: the same numbers, in a sixth of the time to write them."""
    if (
        len(array)
        and np.array_equal(np.rint(array[:_LOOKED_AT]), array[:_LOOKED_AT])
        and (abs(array) <= _LARGEST).all()
    ):
        whole = array.astype(np.int64)
        if np.array_equal(whole, array):
            return whole
    return array


@lru_cache(maxsize=8)
def _fragment(values: bytes) -> orjson.Fragment:
    return orjson.Fragment(encode(_whole(np.frombuffer(values))))
