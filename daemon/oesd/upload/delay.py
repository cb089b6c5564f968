"""When to try again: pure functions."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import Random

SHORTEST_S = 1.0
LONGEST_S = 15 * 60.0
LONGEST_RETRY_AFTER_S = 3600.0
_STEEPEST = 16  # 2**16 s is far beyond the longest


def next_delay(attempt: int, retry_after_s: float | None, rng: Random) -> float:
    """Seconds to wait before the next attempt: full jitter between 1 s and 2**attempt s, at most 15 min.

    A server's Retry-After (at most 1 h of it) comes on top, so that nobody comes before it. It is told to all: they
    come spread over half of that time, or 15 min.

    Parameters
    ----------
    attempt : int
        Failed attempts so far, 1 after the first; smaller counts as 1.
    retry_after_s : float or None
        What the server asked for.
    rng : random.Random
        Source of the jitter.
    """
    ceiling = min(LONGEST_S, 2.0 ** min(max(attempt, 1), _STEEPEST))
    asked = 0.0 if retry_after_s is None else min(max(retry_after_s, 0.0), LONGEST_RETRY_AFTER_S)
    return asked + rng.uniform(SHORTEST_S, min(LONGEST_S, max(ceiling, asked / 2)))


def retry_after(value: str | None, date: str | None) -> float | None:
    """Seconds that a Retry-After header asks for (RFC 9110, 10.2.3), at most 1 h; None when it says nothing usable.

    A date is measured against the same answer's ``Date``: the server's clock at both ends, ours at none.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_RETRY_AFTER_S)
    until, at = _http_date(text), _http_date(date or "")
    if until is None or at is None:
        return None
    return min(max((until - at).total_seconds(), 0.0), LONGEST_RETRY_AFTER_S)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
