"""Local overrides that the API is still to be told: what is due, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oesd.store.database import Connection
from oesd.store.errors import StoreError
from oesd.store.moments import from_us, to_us

_DUE = """
SELECT e.data_id, o.remote_data_id, v.wavelength_nm, v.wavelength_sigma_nm, v.candidate_key, p.state, p.attempts,
       p.next_attempt_us, p.last_error, p.override_no, v.made_at_us
FROM patches p JOIN overrides v USING (override_no) JOIN outbox o USING (entry_no) JOIN entries e USING (entry_no)
WHERE p.state = 'pending' AND o.state = 'processed' AND o.remote_data_id != ''
      AND NOT (p.next_attempt_us BETWEEN :now + 1 AND :horizon)
ORDER BY p.override_no LIMIT :limit
"""


@dataclass(frozen=True, slots=True)
class OverridePatch:
    """A local override that the API is to be told. ``state`` is ``pending``, ``sent`` or ``refused``."""

    data_id: str
    remote_data_id: str
    wavelength_nm: float
    wavelength_sigma_nm: float
    candidate_key: str
    state: str
    attempts: int
    next_attempt_at_utc: datetime
    last_error: str = ""
    override_no: int = 0
    made_at_utc: datetime | None = None


def patches_due(connection: Connection, when: dict[str, int]) -> list[OverridePatch]:
    """Overrides to send: their entry is processed remotely and no later override replaced them."""
    return [_patch(row) for row in connection.execute(_DUE, when)]


def update_patch(connection: Connection, patch: OverridePatch) -> None:
    """Store how far the sending of an override has come; one that was replaced meanwhile stays so.

    Raises
    ------
    StoreError
        When the override is none that is to be sent.
    """
    row = (patch.state, patch.attempts, to_us(patch.next_attempt_at_utc), patch.last_error, patch.override_no)
    query = "UPDATE patches SET state = ?, attempts = ?, next_attempt_us = ?, last_error = ? "
    found = connection.execute("SELECT state FROM patches WHERE override_no = ?", row[-1:]).fetchone()
    if found is None:
        raise StoreError(f"no override {patch.override_no} is to be sent")
    connection.execute(query + "WHERE override_no = ? AND state != 'replaced'", row)


def _patch(row: tuple[Any, ...]) -> OverridePatch:
    data_id, remote_id, nm, sigma_nm, key, state, attempts, next_attempt_us, last_error, number, made_at_us = row
    due, made_at = from_us(next_attempt_us), from_us(made_at_us)
    return OverridePatch(data_id, remote_id, nm, sigma_nm, key, state, attempts, due, last_error, number, made_at)
