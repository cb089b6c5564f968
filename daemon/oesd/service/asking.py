"""What a command may ask for, checked, and how it is told that it was refused."""

from __future__ import annotations

from collections.abc import Sequence

from oesd.model import is_uuid

RECENT = 500


class AccessError(Exception):
    """The data cannot be reached or the request was refused; one line for a person."""


class FileRefused(AccessError):
    """The file is no spectrum that can be read; the next one may be."""


def newest(entries: Sequence[tuple[str, int]]) -> str:
    """Newest entry that has a result; entries come newest first."""
    found = next((data_id for data_id, revision in entries if revision), None)
    if found is None:
        raise AccessError("there is no entry with a result yet")
    return found


def checked(data_id: str) -> str:
    """The data id, once it is one."""
    if not is_uuid(data_id):
        raise AccessError(f"{data_id!r:.80} is no data id: 36 characters such as 0190b0c8-7d3e-7a52-9d0c-3f2f1c1b2a90")
    return data_id
