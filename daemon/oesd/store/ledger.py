"""Every slot accounted for: what was captured, and what was lost and why.

The sums are kept by triggers in the same transactions as the rows they count, so that they are exact at every moment
and reading them costs the same in a store of a million spectra as in an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from oesd.model import Kind, Loss
from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us
from oesd.store.outbox import FINAL, OutboxState
from oesd.store.slots import account_lost

_UPLOADED = (OutboxState.COMPLETED, OutboxState.UNCERTAIN, OutboxState.CONFIRMED, OutboxState.PROCESSED)
_CONFIRMED = (OutboxState.CONFIRMED, OutboxState.PROCESSED)
_PENDING = tuple(state for state in OutboxState if state not in FINAL and state not in _UPLOADED)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums that add up, always.

    captured = stored + lost; stored = pending + uploaded + quarantined + tombstoned + local, where uploaded includes
    what is confirmed; stored + files = processed + failed + waiting + tombstoned, files among them.

    Attributes
    ----------
    captured : int
        Sample slots that came due: stored or lost.
    stored, darks, references, files : int
        Captures that were stored by kind, and files stored as entries; those that were let go since included.
    processed, failed, waiting : int
        Entries with a result, without one for good, and still to be processed.
    uploaded, confirmed : int
        Entries that the API has, as far as it says; those of them whose bytes were verified there.
    pending, quarantined : int
        Entries not yet uploaded, and set aside as poison.
    local : int
        Samples on the disk that are not to be uploaded.
    tombstoned, tombstoned_files : mapping
        Samples and files that were let go, by reason.
    lost : mapping
        Lost sample slots by reason.
    lost_calibration : mapping
        Lost slots of darks and references by reason; not part of ``captured``.
    """

    captured: int = 0
    stored: int = 0
    darks: int = 0
    references: int = 0
    files: int = 0
    processed: int = 0
    failed: int = 0
    waiting: int = 0
    uploaded: int = 0
    confirmed: int = 0
    quarantined: int = 0
    pending: int = 0
    local: int = 0
    tombstoned: Mapping[str, int] = field(default_factory=dict)
    tombstoned_files: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    lost_calibration: Mapping[str, int] = field(default_factory=dict)


def insert_loss(connection: Connection, loss: Loss) -> None:
    """Record slots that ended without a stored spectrum; those of them that are accounted for already are left out."""
    for part in account_lost(connection, loss):
        _insert(connection, part)


def _insert(connection: Connection, loss: Loss) -> None:
    connection.execute(
        "INSERT INTO losses (device_name, run_id, kind, first_slot, slots, reason, detail, at_us) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            loss.device_name,
            loss.run_id,
            loss.kind.value,
            loss.first_slot,
            loss.slots,
            loss.reason,
            loss.detail,
            to_us(loss.at_utc),
        ),
    )


def list_losses(connection: Connection, limit: int) -> list[Loss]:
    """Losses, the last recorded first."""
    rows = connection.execute(
        "SELECT device_name, run_id, kind, first_slot, slots, reason, detail, at_us FROM losses "
        "ORDER BY loss_no DESC LIMIT ?",
        (limit,),
    )
    return [_loss(*row) for row in rows]


def load_tally(connection: Connection) -> Tally:
    """The sums as they are now."""
    accounts: dict[str, dict[str, int]] = {}
    for account, name, number in connection.execute("SELECT account, name, number FROM ledger"):
        accounts.setdefault(account, {})[name] = number
    captures, processing = accounts.get("captures", {}), accounts.get("processing", {})
    outbox, lost = accounts.get("outbox", {}), accounts.get("lost", {})
    stored, gone = captures.get("sample", 0), accounts.get("tombstoned", {})
    return Tally(
        captured=stored + sum(lost.values()),
        stored=stored,
        darks=captures.get("dark", 0),
        references=captures.get("reference", 0),
        files=sum(accounts.get("files", {}).values()),
        processed=processing.get("processed", 0),
        failed=processing.get("failed", 0),
        waiting=processing.get("waiting", 0),
        uploaded=_of_states(outbox, _UPLOADED),
        confirmed=_of_states(outbox, _CONFIRMED),
        quarantined=outbox.get(OutboxState.QUARANTINED, 0),
        pending=_of_states(outbox, _PENDING),
        local=stored - sum(gone.values()) - sum(outbox.values()),
        tombstoned=gone,
        tombstoned_files=accounts.get("tombstoned files", {}),
        lost=lost,
        lost_calibration=accounts.get("lost calibration", {}),
    )


def _of_states(outbox: Mapping[str, int], states: tuple[OutboxState, ...]) -> int:
    return sum(outbox.get(state, 0) for state in states)


def _loss(device_name: str, run_id: str, kind: str, first_slot: int, slots: int, *rest: Any) -> Loss:
    reason, detail, at_us = rest
    return Loss(device_name, run_id, Kind(kind), first_slot, slots, reason, detail, from_us(at_us))
