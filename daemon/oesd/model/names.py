"""Identities and moments: UUIDs that sort by time, and the one way a time is written."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from datetime import UTC, datetime

_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with a ``Z``, milliseconds kept: ``2024-01-15T10:35:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_from_text(text: str) -> datetime:
    """Parse what :func:`utc_text` wrote."""
    return datetime.fromisoformat(text).astimezone(UTC)


def new_id(now_ns: int | None = None) -> str:
    """UUIDv7 (RFC 9562): sorts by the millisecond it was made in.

    Parameters
    ----------
    now_ns : int, optional
        Unix time in ns; the host clock when absent. Order never comes from it.
    """
    milliseconds = ((time.time_ns() if now_ns is None else now_ns) // 1_000_000) & ((1 << 48) - 1)
    value = (milliseconds << 80) | (0x7 << 76) | (secrets.randbits(12) << 64) | (0b10 << 62) | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def is_uuid(text: str) -> bool:
    """Whether a foreign text is a plain lower-case UUID: checked before it meets any path, URL or query."""
    return _UUID.fullmatch(text) is not None
