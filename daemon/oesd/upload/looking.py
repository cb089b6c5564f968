"""Looking at what the server has: nothing else tells whether an upload has arrived."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import Enum, auto

from oesd.store.outbox import OutboxItem
from oesd.upload.errors import AnswerTooLarge, LinkExpired, RecordRefused
from oesd.upload.means import Means

_MOST_EARLIER = 10
_FAILED_PIPELINES = frozenset({"error", "failed", "failure"})


class Found(Enum):
    """What stands under a remote id: our bytes, others, or nothing yet."""

    SAME = auto()
    OTHER = auto()
    NOTHING = auto()


def look_at(means: Means, item: OutboxItem) -> Found:
    """Look for a record's entry and its bytes."""
    listed = means.api.find_entries(data_ids=[item.remote_data_id])
    if any(entry.data_id == item.remote_data_id for entry in listed):
        return compare_bytes(means, item, item.remote_data_id)
    return Found.NOTHING


def compare_bytes(means: Means, item: OutboxItem, data_id: str) -> Found:
    """Compare the bytes of an entry with the record's."""
    try:
        data = means.api.download_raw(data_id, item.size_bytes)
    except AnswerTooLarge:
        return Found.OTHER
    except LinkExpired:
        return Found.NOTHING  # a link without an object behind it
    if data is None:
        return Found.NOTHING
    return Found.SAME if hashlib.sha256(data).hexdigest() == item.sha256 else Found.OTHER


def pipeline_failed(means: Means, item: OutboxItem) -> bool:
    """Whether the server says that it could not process a record's entry."""
    listed = means.api.find_entries(data_ids=[item.remote_data_id])
    return any(e.data_id == item.remote_data_id and e.pipeline_status in _FAILED_PIPELINES for e in listed)


def find_lost(means: Means, item: OutboxItem) -> tuple[str, OutboxItem]:
    """Look for entries that an earlier presign made, whose reply was lost.

    Returns
    -------
    str
        Id of the one that has the record's bytes, "" when none has.
    OutboxItem
        The item, the others among its orphans.
    """
    for data_id in _earlier(means, item):
        if compare_bytes(means, item, data_id) is Found.SAME:
            return data_id, item
        if data_id not in item.orphaned_ids:
            item = replace(item, orphaned_ids=(*item.orphaned_ids, data_id))
    return "", item


def _earlier(means: Means, item: OutboxItem) -> list[str]:
    try:
        entries = means.api.find_entries(keywords=item.record_id)
    except RecordRefused:
        return []  # a server without keyword search: a duplicate is then possible, and carries the same record id
    return [e.data_id for e in entries if e.mentions(item.record_id)][:_MOST_EARLIER]
