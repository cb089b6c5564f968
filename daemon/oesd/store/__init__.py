"""Durable store: one SQLite file or PostgreSQL, one writer, raw data immutable; see README.md of this folder."""

from oesd.store.accounts import HourAccount, RunAccount, Slots
from oesd.store.entries import EntrySummary
from oesd.store.errors import (
    SlotTaken,
    StoreBusy,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreInUse,
    StoreNewer,
    StoreRefused,
    UnknownCandidate,
    UnknownEntry,
    UnknownPeak,
)
from oesd.store.files import StoredFile
from oesd.store.ledger import Tally
from oesd.store.outbox import Outbox, OutboxItem, OutboxState, UploadPart
from oesd.store.patches import OverridePatch
from oesd.store.runs import HostTime
from oesd.store.store import Store

__all__ = [
    "EntrySummary", "HostTime", "HourAccount", "Outbox", "OutboxItem", "OutboxState", "OverridePatch", "RunAccount",
    "SlotTaken", "Slots", "Store", "StoreBusy", "StoreClosed", "StoreDamaged", "StoreError", "StoreFull", "StoreInUse",
    "StoreNewer", "StoreRefused", "StoredFile", "Tally", "UnknownCandidate", "UnknownEntry", "UnknownPeak",
    "UploadPart",
]  # fmt: skip
