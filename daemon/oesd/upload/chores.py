"""What the forwarder does between records: overrides, changes made there, the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from oesd.model import utc_from_text
from oesd.store.patches import OverridePatch
from oesd.upload.answers import RemoteEntry
from oesd.upload.clock_offset import ClockOffset
from oesd.upload.errors import UploadError
from oesd.upload.gate import Gate
from oesd.upload.means import Means
from oesd.upload.overrides import send_override
from oesd.upload.remote import keep_remote

_STAGE = 4  # of a confirmed record: all of these ask the API for results
_OVERLAP = timedelta(minutes=2)
_FIRST_LOOK_BACK = timedelta(days=1)
_IDS_AT_ONCE = 100
_AHEAD = timedelta(days=1)  # of our clock, that theirs may be
_LEAST_INTERVAL = timedelta(seconds=1)
_MOST_PAGES = 200
_ROUND = 100


class Chores:
    """Small things that never hold up records: a failure that every record would meet closes the gate, others wait."""

    def __init__(self, means: Means, gate: Gate) -> None:
        self._means = means
        self._gate = gate
        self.clock = ClockOffset()
        self._looked_at: datetime | None = None
        self._to_fetch: list[tuple[str, str]] = []

    def turn(self, now: datetime, stopping: Callable[[], bool]) -> int:
        """Do what is due; the number of overrides tried and results fetched."""
        done = self._send_overrides(now, stopping)
        if not self._means.pace.chores:
            return done
        if self._open(now, stopping) and self.clock.is_due(now):
            self._read_clock(now)
        if self._means.pace.results and self._open(now, stopping):
            done += self._fetch_changes(now, stopping)
        return done

    def state(self) -> dict[str, Any]:
        """State for people: the clock, and how many results differ from ours."""
        return {"clock": self.clock.state(), "remote": self._means.store.remote.counts()}

    def _open(self, now: datetime, stopping: Callable[[], bool]) -> bool:
        return not stopping() and self._gate.width(now, 1) > 0

    def _send_overrides(self, now: datetime, stopping: Callable[[], bool]) -> int:
        patches = self._means.outbox.patches_due(now)
        for patch in patches:
            if not self._open(now, stopping):
                break
            self._means.alive()
            self._send_one(patch, now)
        return len(patches)

    def _send_one(self, patch: OverridePatch, now: datetime) -> None:
        try:
            send_override(self._means, patch, now)
        except UploadError as failure:
            if failure.whole_queue:  # else it waits by itself
                self._gate.failed(failure, _STAGE, patch.data_id, now)
        else:
            self._gate.passed(_STAGE, _STAGE, now)

    def _read_clock(self, now: datetime) -> None:
        try:
            self.clock.asked(now, self._means.api.gateway_time())
        except UploadError:
            self.clock.asked(now, None)  # an API without a clock is no failure: nothing is said of the offset then

    def _fetch_changes(self, now: datetime, stopping: Callable[[], bool]) -> int:
        """Fetch results that were changed there since the last look: a person may have named a peak."""
        due = self._looked_at is None or now - self._looked_at >= timedelta(seconds=self._means.pace.changes_s)
        try:
            if due and not self._to_fetch:
                self._to_fetch = self._changed(now)
                self._looked_at = now
            return self._fetch(now, stopping)
        except UploadError as failure:
            self._looked_at = now
            if failure.whole_queue:
                self._gate.failed(failure, _STAGE, "changes", now)
            return 0

    def _changed(self, now: datetime) -> list[tuple[str, str]]:
        """Data ids, remote and local, of what changed."""
        if not self._means.outbox.counts().get("processed"):
            return []
        since = now - _FIRST_LOOK_BACK if self._looked_at is None else self._looked_at - _OVERLAP
        changed = self._all_changed(since, now + _AHEAD)
        ids, ours = list(changed), dict[str, str]()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            ours |= self._means.store.remote.of(ids[start : start + _IDS_AT_ONCE])
        return [pair for pair in ours.items() if self._is_news(changed[pair[0]], pair[1])]

    def _all_changed(self, since: datetime, until: datetime) -> dict[str, RemoteEntry]:
        """Entries that changed in an interval: one that may hold more than a page is asked for in halves."""
        found: dict[str, RemoteEntry] = {}
        intervals, asked = [(since, until)], 0
        while intervals and asked < _MOST_PAGES:
            since, until = intervals.pop()
            asked += 1
            self._means.alive()
            page = self._means.api.find_entries(changed_since=since, changed_until=until)
            found |= {entry.data_id: entry for entry in page}
            if _may_be_cut(page) and until - since > _LEAST_INTERVAL and not _beyond(page, until):
                middle = since + (until - since) / 2
                intervals += [(middle, until), (since, middle)]
        return found

    def _is_news(self, entry: RemoteEntry, data_id: str) -> bool:
        known = self._means.store.remote.load(data_id)
        if known is None:
            return True
        try:
            changed_at = utc_from_text(entry.last_updated)
        except ValueError:
            return True
        best = self.clock.best
        ahead = timedelta(milliseconds=best.offset_ms - best.bound_ms if best else 0.0)
        return changed_at - ahead >= known.fetched_at_utc

    def _fetch(self, now: datetime, stopping: Callable[[], bool]) -> int:
        fetched = 0
        while self._to_fetch and self._open(now, stopping):
            remote_id, data_id = self._to_fetch.pop()
            self._means.alive()
            document = self._means.api.get_oes(remote_id)
            if document is not None:
                keep_remote(self._means.store, data_id, document, now)
                fetched += 1
        return fetched


def _may_be_cut(page: Sequence[RemoteEntry]) -> bool:
    """Whether there may be more than a page: nobody says how long one is, but that it is a round number."""
    return len(page) >= _ROUND and len(page) % _ROUND == 0


def _beyond(page: Sequence[RemoteEntry], until: datetime) -> bool:
    """Whether an API pays no heed to the end of an interval."""
    for entry in page:
        with suppress(ValueError):
            if utc_from_text(entry.last_updated) > until + _LEAST_INTERVAL:
                return True
    return False
