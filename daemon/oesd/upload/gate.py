"""Whether the queue may send: one place for pauses, the blocked key, the log on change and the status."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from random import Random
from typing import Any

from oesd.model import utc_text
from oesd.upload.delay import next_delay
from oesd.upload.errors import CredentialBlocked, RetryLater, UploadError

_MANY = 3  # records failing, none passing: no longer these records' own matter
_log = logging.getLogger(__name__)


class Gate:
    """Closed for a while after a failure that every record would meet; opens for one record first. Thread-safe.

    A *stage* is a number that grows along a record's journey. A failure at one stage is over when some record has
    passed that stage: that polls go through says nothing of the bucket.

    Parameters
    ----------
    rng : random.Random
        Jitter of the pauses.
    probe_s : float
        Pause between two tries of a refused key.
    """

    def __init__(self, rng: Random, probe_s: float) -> None:
        self._rng = rng
        self._probe_s = probe_s
        self._guard = threading.Lock()
        self._failures = 0
        self._failing: set[str] = set()
        self._careful = False
        self._failing_stage: int | None = None
        self._failing_as: type[UploadError] | None = None
        self._blocked = ""
        self._opens_at: datetime | None = None
        self._last_success: datetime | None = None
        self._last_error = ""
        self._last_error_at: datetime | None = None

    def width(self, now: datetime, workers: int) -> int:
        """How many records may be sent at once: none while paused, one after a failure, else ``workers``."""
        with self._guard:
            if self._opens_at is not None and now < self._opens_at:
                return 0
            return 1 if self._careful else workers

    @property
    def careful(self) -> bool:
        """Whether one record is to go first, to see."""
        return self._careful

    @property
    def opens_at(self) -> datetime | None:
        """When the present or last pause ends."""
        return self._opens_at

    def passed(self, start: int, end: int, now: datetime) -> None:
        """Note that a record went from stage to stage without a failure; a poll that says "not yet" stays at one."""
        with self._guard:
            self._last_success = now
            was = self._failing_stage
            over = was is not None and (start <= was < end or start == end == was)
            if over or self._blocked:
                self._failing_stage, self._failing_as, self._blocked = None, None, ""
                self._failures, self._careful = 0, False
                self._failing.clear()
                _log.info("upload works again")

    def failed(self, error: UploadError, stage: int, who: str, now: datetime) -> None:
        """Note ``who`` failed, close for as long as that asks, and log it unless the same kind is already known."""
        with self._guard:
            self._failures += 1
            self._failing.add(who)
            self._last_error, self._last_error_at = str(error), now
            if type(error) is not self._failing_as:
                _log.warning("upload failing: %s", error)
            self._failing_as, self._failing_stage = type(error), stage
            if isinstance(error, CredentialBlocked):
                self._blocked = f"credential blocked: {error}"
                self._close(now, self._probe_s)
            elif self._blocked:
                self._close(now, self._probe_s)
            elif error.whole_queue or len(self._failing) >= _MANY:
                asked_s = error.retry_after_s if isinstance(error, RetryLater) else None
                self._close(now, next_delay(self._failures, asked_s, self._rng))

    def _close(self, now: datetime, seconds: float) -> None:
        self._careful = True
        until = now + timedelta(seconds=seconds)
        # A pause is never shortened: another record's success does not undo a Retry-After.
        self._opens_at = until if self._opens_at is None else max(self._opens_at, until)

    def state(self) -> dict[str, Any]:
        """State for people: the words of it, why the key is blocked, last success, last error, end of the pause."""
        with self._guard:
            failing = "failing" if self._failing_stage is not None else "ok"
            return {
                "state": "credential blocked" if self._blocked else failing,
                "blocked": self._blocked,
                "last_success_at": _text(self._last_success),
                "last_error": self._last_error,
                "last_error_at": _text(self._last_error_at),
                "paused_until": _text(self._opens_at),
            }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else utc_text(moment)
