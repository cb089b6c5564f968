"""What the page asks for once a second: one small document, cheap to make however long the daemon has run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from oesd.model import utc_text
from oesd.store import EntrySummary, Store
from oesd.store.newest import device_names

# The engine is at most this many entries behind before the page falls back to showing nothing new.
_LOOK_BACK = 25


def live_document(store: Store, status: Mapping[str, Any]) -> dict[str, Any]:
    """State of the daemon, and per spectrometer the newest entry and the newest one with a result.

    The page fetches a spectrum only when its data id or its revision is another than the one it shows.
    """
    return {
        "now_utc": utc_text(datetime.now(UTC)),
        "status": dict(status),
        "devices": [_device_document(store, name) for name in device_names(store)],
    }


def summary_document(entry: EntrySummary) -> dict[str, Any]:
    """Return an entry of a list as JSON-ready values."""
    return {**asdict(entry), "elements": list(entry.elements), "taken_at_utc": utc_text(entry.taken_at_utc)}


def _device_document(store: Store, name: str) -> dict[str, Any]:
    entries = store.entries(_LOOK_BACK, device_name=name)
    processed = next((entry for entry in entries if entry.revision), None)
    return {
        "device_name": name,
        "newest": summary_document(entries[0]) if entries else None,
        "shown": None if processed is None else summary_document(processed),
    }
