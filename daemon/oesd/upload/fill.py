"""How many records a batch may hold, by what they weigh: a batch is in memory as a whole, once for each worker."""

from __future__ import annotations

import threading

ENOUGH_BYTES = 2 * 1024 * 1024
_FIRST_GUESS_BYTES = 64 * 1024  # a packed spectrum of 2,048 pixels has 40 kB, one of 3,648 has 70 kB
_FORGET = 0.9


class Fill:
    """Learns the weight of packed records, the heavier at once and the lighter slowly. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._record_bytes = float(_FIRST_GUESS_BYTES)

    def learn(self, packed_bytes: int, records: int) -> None:
        """Note what a batch of so many records weighs."""
        with self._guard:
            each = packed_bytes / records
            self._record_bytes = max(each, _FORGET * self._record_bytes + (1 - _FORGET) * each)

    def most(self, asked: int) -> int:
        """Records for the next batch: as many as were asked for, as far as they are light enough."""
        with self._guard:
            return max(1, min(asked, int(ENOUGH_BYTES / self._record_bytes)))
