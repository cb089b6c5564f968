"""What was stored is what is read, or an error that names the record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

from oesd.store.errors import StoreDamaged

SHORT = 16
"""Bytes of a fingerprint that are stored: 2**-128 of damage goes unseen. Captures from before step 9 have all 32."""


def fingerprint(*parts: bytes | str | int | float | None) -> bytes:
    """Sha256, 32 bytes, over values in order; each with its length, so that no two lists of values look alike."""
    told = [part if isinstance(part, bytes) else json.dumps(part).encode() for part in parts]
    sized = [piece for data in told for piece in (len(data).to_bytes(8, "little"), data)]
    return hashlib.sha256(b"".join(sized)).digest()


@contextmanager
def intact(what: str) -> Iterator[None]:
    """Raise :class:`StoreDamaged` naming ``what`` when decoding inside trips over bytes that make no sense."""
    try:
        yield
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise damaged(what) from error


def verify(what: str, stored: bytes, *parts: bytes | str | int | float | None) -> None:
    """Compare a stored fingerprint, or as much of it as was stored, with that of what was read.

    Raises
    ------
    StoreDamaged
        When they differ.
    """
    if len(stored) < SHORT or stored != fingerprint(*parts)[: len(stored)]:
        raise damaged(what)


def damaged(what: str) -> StoreDamaged:
    """The error for a record that is not what was stored."""
    return StoreDamaged(f"{what} is damaged: what is on the disk is not what was stored")
