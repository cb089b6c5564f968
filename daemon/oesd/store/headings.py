"""What the captures of a run have in common is written once: run, boot, labels, scans and averaging.

::

    captures.heading_no -> headings.text    JSON; "varies" names what each capture has for itself
            .header                         JSON list of just that

Captures from before schema step 8 have no heading: their header is JSON with all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from oesd.model import Capture
from oesd.store.database import Connection

SCHEMA = """
CREATE TABLE headings (
    heading_no  INTEGER PRIMARY KEY,
    text        TEXT NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER headings_no_update BEFORE UPDATE ON headings
    BEGIN SELECT RAISE(ABORT, 'headings are never changed'); END;
CREATE TRIGGER headings_no_delete BEFORE DELETE ON headings
    BEGIN SELECT RAISE(ABORT, 'headings are never changed'); END;
ALTER TABLE captures ADD COLUMN heading_no INTEGER REFERENCES headings;
"""
HEADER = "c.header, (SELECT text FROM headings WHERE headings.heading_no = c.heading_no)"
"""Columns of captures ``c`` that :func:`head_of` takes."""
LIKE_HEADER = "coalesce((SELECT text FROM headings WHERE headings.heading_no = c.heading_no), c.header)"
"""Where run and labels of captures ``c`` are to be looked for."""
USUAL: dict[str, Any] = {"scans": 1, "boxcar_half_width_px": 0}
"""What a header that leaves it out means."""
_SHARED = ("run_id", "boot_id", "scans", "boxcar_half_width_px")
_OWN = (
    "sequence", "slot", "monotonic_ns", "detector_temperature_c", "board_temperature_c", "clock_offset_ms",
    "clock_bound_ms",
)  # fmt: skip


def pack_header(capture: Capture) -> tuple[str, str]:
    """What a capture has for itself, and the heading of that; what is not known, or is as usual, is left out."""
    own = {name: value for name in _OWN if (value := getattr(capture, name)) is not None}
    shared = {name: value for name in _SHARED if (value := getattr(capture, name)) != USUAL.get(name)}
    heading = {"varies": list(own), **shared, "labels": dict(capture.labels)}
    return compact_json(list(own.values())), compact_json(heading)


def heading_text(run_id: str, labels: Mapping[str, str]) -> str:
    """The heading of a file, which has nothing for itself."""
    return compact_json({"varies": [], "run_id": run_id, "labels": dict(labels)})


def heading_number(connection: Connection, text: str) -> int:
    """Number of a heading, which is stored if it is new."""
    row = connection.execute("SELECT heading_no FROM headings WHERE text = ?", (text,)).fetchone()
    if row is None:
        row = connection.execute("INSERT INTO headings (text) VALUES (?) RETURNING heading_no", (text,)).fetchone()
    return int(row[0])


def head_of(header: str, heading: str | None) -> dict[str, Any]:
    """Run, sequence, slot, clocks, temperatures and labels of a capture, as far as they are known.

    Raises
    ------
    ValueError
        When the texts make no sense.
    """
    own = json.loads(header)
    if heading is None:
        if not isinstance(own, dict):
            raise ValueError("a header without its heading")
        return own
    varies, shared = _heading(heading)
    if not isinstance(own, list):
        raise ValueError("a header of another heading")
    return {**shared, "labels": dict(shared.get("labels", ())), **dict(zip(varies, own, strict=True))}


def head_or_none(header: str | None, heading: str | None) -> dict[str, Any]:
    """The same; empty for a damaged one, or none."""
    try:
        return head_of(header, heading) if header else {}
    except (ValueError, KeyError, TypeError):
        return {}


@lru_cache(maxsize=64)
def _heading(text: str) -> tuple[list[str], dict[str, Any]]:
    shared = json.loads(text)
    return shared.pop("varies"), shared


def compact_json(values: Mapping[str, Any] | list[Any]) -> str:
    """JSON as the tables keep it: without spaces, every letter as it is."""
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
