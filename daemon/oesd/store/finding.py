"""Entries that fit a description, page by page, in the order of storing: what a search of the API or of a command is.

A page is found in at most so many entries, so that no question holds a connection for long: a page may be empty and
yet not the last. Its cursor is a number that later entries and deletions do not move.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from oesd.store.database import Connection
from oesd.store.entries import SUMMARY_COLUMNS, EntrySummary, summary_of_row
from oesd.store.headings import HEADER, LIKE_HEADER, head_or_none
from oesd.store.moments import to_us

_LOOKED_AT = 20_000
_OF_FILE = "(SELECT text FROM headings WHERE headings.heading_no = e.heading_no)"
_HEADER = f"{HEADER}, {_OF_FILE}"
_LIKE_HEADER = f"coalesce({LIKE_HEADER}, {_OF_FILE})"
_ESCAPE = str.maketrans({"%": "\\%", "_": "\\_", "\\": "\\\\"})


@dataclass(frozen=True, slots=True)
class Sought:
    """What an entry must be; what is left out does not matter.

    Attributes
    ----------
    elements : tuple of str
        All of them named in the latest result, overrides applied.
    labels : mapping of str to str
        All of them among the labels of its run.
    since, until : datetime or None
        Taken at or after, and before.
    state : str
        ``waiting``, ``processed`` or ``failed``.
    oldest_first : bool
        The order of storing, else the opposite.
    """

    device_name: str = ""
    run_id: str = ""
    elements: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    state: str = ""
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry as a search lists it; a file is of the run, and has the labels, that its header tells."""

    summary: EntrySummary
    run_id: str
    sequence: int | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A page; ``cursor`` is where the next one begins, None after the last."""

    entries: tuple[FoundEntry, ...]
    cursor: int | None


def find_entries(connection: Connection, sought: Sought, limit: int, cursor: int | None = None) -> Found:
    """Find the next page of entries, at most ``limit`` of them."""
    window, values = _window(sought, cursor)
    ends = connection.execute(f"SELECT count(*), min(entry_no), max(entry_no) FROM ({window}) e", values)  # noqa: S608
    looked_at, first, last = ends.fetchone()
    conditions = _conditions(sought, values)
    order = "ASC" if sought.oldest_first else "DESC"
    rows = connection.execute(
        f"SELECT {SUMMARY_COLUMNS}, e.entry_no, {_HEADER} FROM ({window}) e "  # noqa: S608  (fixed texts)
        "JOIN processing p ON p.entry_no = e.entry_no LEFT JOIN captures c ON c.capture_no = e.sample_no "
        "LEFT JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision "
        f"WHERE {' AND '.join(conditions)} ORDER BY e.entry_no {order} LIMIT :limit",
        {**values, "limit": limit},
    ).fetchall()
    found = tuple(one for one in (_found(row) for row in rows) if _fits(one, sought))
    if len(rows) == limit:
        return Found(found, int(rows[-1][-4]))
    more = looked_at == _LOOKED_AT
    return Found(found, int(last if sought.oldest_first else first) if more else None)


def _window(sought: Sought, cursor: int | None) -> tuple[str, dict[str, Any]]:
    """The entries that are looked at for a page."""
    beyond, order = (">", "ASC") if sought.oldest_first else ("<", "DESC")
    bounds, values = ["1 = 1"], dict[str, Any](looked_at=_LOOKED_AT)
    if cursor is not None:
        bounds.append(f"entry_no {beyond} :cursor")
        values["cursor"] = cursor
    if sought.device_name:
        bounds.append("device_name = :device_name")
        values["device_name"] = sought.device_name
    where = " AND ".join(bounds)
    return f"SELECT * FROM entries WHERE {where} ORDER BY entry_no {order} LIMIT :looked_at", values  # noqa: S608


def _conditions(sought: Sought, values: dict[str, Any]) -> list[str]:
    """Conditions in SQL, their values added; those on JSON texts let a few too many pass."""
    parts = [f'"run_id":{_json(sought.run_id)}'] if sought.run_id else []
    parts += [f"{_json(name)}:{_json(text)}" for name, text in sought.labels.items()]
    likes = [(_LIKE_HEADER, part) for part in parts] + [("r.elements", json.dumps(one)) for one in sought.elements]
    conditions = ["1 = 1"]
    for number, (column, part) in enumerate(likes):
        conditions.append(f"{column} LIKE :like{number} ESCAPE '\\'")
        values[f"like{number}"] = f"%{part.translate(_ESCAPE)}%"
    for name, text in (("since", "e.taken_at_us >= :since"), ("until", "e.taken_at_us < :until")):
        moment = getattr(sought, name)
        if moment is not None:
            conditions.append(text)
            values[name] = to_us(moment)
    if sought.state:
        conditions.append("p.state = :state")
        values["state"] = sought.state
    return conditions


def _found(row: tuple[Any, ...]) -> FoundEntry:
    own, heading, of_file = row[-3:]
    header = head_or_none("[]", of_file) if own is None and of_file else head_or_none(own, heading)
    return FoundEntry(
        summary_of_row(row[:-4]), header.get("run_id", ""), header.get("sequence"), header.get("labels", {})
    )


def _fits(found: FoundEntry, sought: Sought) -> bool:
    labels = all(found.labels.get(name) == text for name, text in sought.labels.items())
    elements = set(sought.elements) <= set(found.summary.elements)
    return labels and elements and sought.run_id in ("", found.run_id)


def _json(text: str) -> str:
    """As the header of a capture is written."""
    return json.dumps(text, ensure_ascii=False)
