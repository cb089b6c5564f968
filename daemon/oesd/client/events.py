"""Server-sent events, taken apart (HTML Living Standard, section 9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_LONGEST = 16 * 1024 * 1024
_SPECTRA = ("wavelengths_nm", "scope_corrected", "baseline", "reference")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    kind : str
        ``spectrum``, ``change``, ``alarm`` or ``state``.
    data : dict
        What the server says of it: ``data_id`` in the first two; of a spectrum ``device``, ``taken_at_utc``, ``peaks``,
        ``elements``, and as arrays ``wavelengths_nm``, ``scope_corrected``, ``baseline``.
    id : str
        Where to go on after a break.
    """

    kind: str
    data: dict[str, Any]
    id: str = ""


class NoEvents(ValueError):
    """What came is no stream of events."""


def events_of(pieces: Iterable[bytes]) -> Iterator[Event]:
    """Events of a stream that comes in pieces of any length; comments and what is unfinished at its end are left out.

    Raises
    ------
    NoEvents
        When an event is longer than any of ours, or no JSON object.
    """
    fields: dict[str, list[str]] = {}
    last_id, size = "", 0
    for line in _lines(pieces):
        if line:
            name, _, value = line.partition(":")
            if name:  # a line that begins with a colon is a comment
                fields.setdefault(name, []).append(value.removeprefix(" "))
                size += len(line)
            if size > _LONGEST:
                raise NoEvents("an event that does not end")
            continue
        last_id = fields.get("id", [last_id])[-1]
        if "data" in fields:
            yield _event(fields.get("event", ["message"])[-1], _document(fields["data"]), last_id)
        fields, size = {}, 0


def _event(kind: str, document: dict[str, Any], last_id: str) -> Event:
    """An event; the spectra of one of the kind ``spectrum`` become arrays."""
    if kind == "spectrum":
        try:
            arrays = {name: np.array(document[name], np.float64) for name in _SPECTRA if document.get(name) is not None}
        except (TypeError, ValueError):
            raise NoEvents("an event whose spectrum is none") from None
        document |= arrays
    return Event(kind, document, last_id)


def _document(lines: list[str]) -> dict[str, Any]:
    try:
        document = json.loads("\n".join(lines))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise NoEvents("an event that is no JSON object")
    return document


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines ended by line feed or carriage return and line feed, as every server of ours writes them."""
    left = bytearray()
    for piece in pieces:
        left += piece
        if len(left) > _LONGEST:
            raise NoEvents("a line that does not end")
        if b"\n" in piece:
            *whole, rest = bytes(left).split(b"\n")
            yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)
            left = bytearray(rest)
