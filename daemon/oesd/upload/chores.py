"""What the forwarder does between records: overrides, changes made there, the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from oesd.model import utc_from_text
from oesd.store import StoreDamaged, UnknownEntry
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
_NO_MOMENT = (ValueError, OverflowError)  # year 1 or 9999 with an offset has no UTC


class Chores:
    """Small things that never hold up records: a failure that every record would meet closes the gate, others wait."""

    def __init__(self, means: Means, gate: Gate) -> None:
        self._means = means
        self._gate = gate
        self.clock = ClockOffset()
        self._asked_at: datetime | None = None
        self._seen_to: datetime | None = None
        self._to_fetch: list[tuple[str, str]] = []
        self._again: list[tuple[str, str]] = []  # failed by themselves: tried with the next look

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
        due = self._asked_at is None or now - self._asked_at >= timedelta(seconds=self._means.pace.changes_s)
        try:
            if due and not self._to_fetch:
                self._asked_at = now
                self._to_fetch, self._again = [*self._again, *self._changed(now)], []
            return self._fetch(now, stopping)
        except UploadError as failure:
            if failure.whole_queue:
                self._gate.failed(failure, _STAGE, "changes", now)
            return 0

    def _changed(self, now: datetime) -> list[tuple[str, str]]:
        """Data ids, remote and local, of what changed."""
        if not self._means.outbox.counts().get("processed"):
            return []
        since = self._since(now)
        changed, reached = self._all_changed(since, now + _AHEAD)
        ids, ours = list(changed), dict[str, str]()
        for start in range(0, len(ids), _IDS_AT_ONCE):
            ours |= self._means.store.remote.of(ids[start : start + _IDS_AT_ONCE])
        self._seen_to = max(since, min(now, reached or _newest(changed.values()) or since))
        return [pair for pair in ours.items() if self._is_news(changed[pair[0]], pair[1])]

    def _since(self, now: datetime) -> datetime:
        """From when on to ask: by their clock, as far as changes were seen; at the start by the last result we have."""
        if self._seen_to is not None:
            return self._seen_to - _OVERLAP
        return min(self._means.store.remote.last_fetched() or now, now) - _FIRST_LOOK_BACK

    def _all_changed(self, since: datetime, until: datetime) -> tuple[dict[str, RemoteEntry], datetime | None]:
        """Entries that changed in an interval: one that may hold more than a page is asked for in halves.

        And up to when it was asked, None for all of it.
        """
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
        return found, intervals[-1][0] if intervals else None

    def _is_news(self, entry: RemoteEntry, data_id: str) -> bool:
        """Whether an entry changed after we fetched its result; what cannot be told counts as news."""
        best = self.clock.best
        try:
            known = self._means.store.remote.load(data_id)
            changed_at = utc_from_text(entry.last_updated)
        except (StoreDamaged, *_NO_MOMENT):
            return True
        if known is None or best is None:
            return True
        return changed_at - timedelta(milliseconds=best.offset_ms - best.bound_ms) >= known.fetched_at_utc

    def _fetch(self, now: datetime, stopping: Callable[[], bool]) -> int:
        fetched = 0
        while self._to_fetch and self._open(now, stopping):
            pair = self._to_fetch[-1]
            self._means.alive()
            try:
                fetched += self._fetch_one(*pair, now)
            except UploadError as failure:
                if failure.whole_queue:
                    raise  # this one is the first to go when the queue goes on
                self._again.append(pair)
                self._to_fetch.pop()
                break
            self._to_fetch.pop()
        return fetched

    def _fetch_one(self, remote_id: str, data_id: str, now: datetime) -> int:
        document = self._means.api.get_oes(remote_id)
        if document is None:
            return 0
        with suppress(UnknownEntry):  # let go meanwhile
            keep_remote(self._means.store, data_id, document, now)
        return 1


def _newest(entries: Iterable[RemoteEntry]) -> datetime | None:
    """Last change of some entries by the API's own clock; None when it tells none."""
    moments = []
    for entry in entries:
        with suppress(*_NO_MOMENT):
            moments.append(utc_from_text(entry.last_updated))
    return max(moments, default=None)


def _may_be_cut(page: Sequence[RemoteEntry]) -> bool:
    """Whether there may be more than a page: nobody says how long one is, but that it is a round number."""
    return len(page) >= _ROUND and len(page) % _ROUND == 0


def _beyond(page: Sequence[RemoteEntry], until: datetime) -> bool:
    """Whether an API pays no heed to the end of an interval."""
    for entry in page:
        with suppress(*_NO_MOMENT):
            if utc_from_text(entry.last_updated) > until + _LEAST_INTERVAL:
                return True
    return False
