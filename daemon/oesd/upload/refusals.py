"""Whether a refusal is the record's own matter: not when the server refuses one record after another."""

from __future__ import annotations

import threading

from oesd.store.outbox import OutboxState

_IN_A_ROW = 3


class Refusals:
    """Counts the records that were refused at each step since one was last taken there. Thread-safe.

    A server that refuses everything (a proxy that answers 400, an API that asks for more than it did) would else put a
    week's queue in quarantine within minutes.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._refused: dict[OutboxState, set[str]] = {}

    def taken(self, step: OutboxState) -> None:
        """Note that the server took a record at a step."""
        with self._guard:
            self._refused.pop(step, None)

    def is_its_own(self, step: OutboxState, record_id: str) -> bool:
        """Note a refusal; whether it is this record that the server does not want, as far as is known."""
        with self._guard:
            refused = self._refused.setdefault(step, set())
            if len(refused) < _IN_A_ROW:
                refused.add(record_id)
            return record_id in refused
