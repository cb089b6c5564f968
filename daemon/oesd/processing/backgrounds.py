"""Which dark and which reference apply to a sample."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from oesd.model import Capture, Entry, Kind, new_id
from oesd.store import Store


class Backgrounds:
    """Chooses the dark and the reference of a sample: the latest stored one of the same exposure."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._latest: dict[tuple[str, Kind, int], Capture | None] = {}
        self._lock = threading.Lock()

    def stored(self, capture: Capture) -> None:
        """A dark or a reference has been committed and serves from now on."""
        with self._lock:
            self._latest[self._key(capture, capture.kind)] = capture

    def entry_for(self, sample: Capture) -> Entry:
        """Make the entry of a sample."""
        dark, dark_reason = self._choose(sample, Kind.DARK)
        reference, reference_reason = self._choose(sample, Kind.REFERENCE)
        return Entry(
            data_id=new_id(),
            sample_id=sample.record_id,
            dark_id=dark.record_id if dark else None,
            reference_id=reference.record_id if reference else None,
            dark_reason=dark_reason,
            reference_reason=reference_reason,
            created_at_utc=datetime.now(UTC),
        )

    def _key(self, capture: Capture, kind: Kind) -> tuple[str, Kind, int]:
        return (capture.device.serial, kind, capture.integration_us)

    def _choose(self, sample: Capture, kind: Kind) -> tuple[Capture | None, str]:
        key = self._key(sample, kind)
        with self._lock:
            known = key in self._latest
            chosen = self._latest.get(key)
        if not known:
            chosen = self._store.latest_capture(sample.device.name, kind, sample.integration_us)
            with self._lock:
                chosen = self._latest.setdefault(key, chosen)
        exposure = f"{sample.integration_us / 1000:g} ms"
        if chosen is None:
            return None, f"no {kind} at {exposure}"
        if chosen.device.serial != sample.device.serial:
            return None, f"the latest {kind} at {exposure} is of another spectrometer"
        if chosen.device.pixels != sample.device.pixels:
            return None, f"the latest {kind} at {exposure} has {chosen.device.pixels} pixels"
        age_s = (sample.taken_at_utc - chosen.taken_at_utc).total_seconds()
        return chosen, f"latest {kind} at {exposure}, {age_s:.0f} s old"
