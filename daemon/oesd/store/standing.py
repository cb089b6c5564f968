"""How each entry stands: which engine and recipe made its latest result, so that only what is out of date is redone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oesd.model import Recipe
from oesd.store.bundle import unpack_bundle
from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us
from oesd.store.sealed_results import whole_payload

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """An entry and what its latest result was made with.

    Attributes
    ----------
    entry_no : int
        Its place in the order in which entries were stored.
    state : {"waiting", "processed", "failed"}
    made_with : tuple of str, or None
        Engine version and line-table version; None without a result that can be read.
    recipe : Recipe or None
    """

    entry_no: int
    data_id: str
    device_name: str
    taken_at_utc: datetime
    state: str
    made_with: tuple[str, str] | None
    recipe: Recipe | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries: those with these ids, else all that fit the bounds."""

    data_ids: tuple[str, ...] = ()
    since: datetime | None = None
    device_name: str | None = None


def list_standings(connection: Connection, wanted: Wanted, after_no: int = 0, limit: int = _PAGE) -> list[Standing]:
    """A page of entries, the first stored first, going on after an entry number; empty when there are no more."""
    conditions = ["e.entry_no > :after"]
    values: dict[str, Any] = {"after": after_no, "limit": limit}
    if wanted.data_ids:
        conditions.append(f"e.data_id IN ({', '.join(f':id{i}' for i in range(len(wanted.data_ids)))})")
        values |= {f"id{i}": data_id for i, data_id in enumerate(wanted.data_ids)}
    if wanted.since is not None:
        conditions.append("e.taken_at_us >= :since")
        values["since"] = to_us(wanted.since)
    if wanted.device_name is not None:
        conditions.append("e.device_name = :device")
        values["device"] = wanted.device_name
    rows = connection.execute(
        "SELECT e.entry_no, e.data_id, e.device_name, e.taken_at_us, p.state, r.revision, r.payload "  # noqa: S608  (fixed texts)
        "FROM entries e JOIN processing p USING (entry_no) "
        "LEFT JOIN results r ON r.entry_no = e.entry_no AND r.revision = p.revision "
        f"WHERE {' AND '.join(conditions)} ORDER BY e.entry_no LIMIT :limit",
        values,
    )
    return [_standing(connection, row) for row in rows.fetchall()]


def _standing(connection: Connection, row: Sequence[Any]) -> Standing:
    entry_no, data_id, device_name, taken_at_us, state, revision, payload = row
    made_with, recipe = (None, None) if payload is None else _made_with(connection, entry_no, revision, payload)
    return Standing(entry_no, data_id, device_name, from_us(taken_at_us), state, made_with, recipe)


def _made_with(
    connection: Connection, entry_no: int, revision: int, payload: bytes
) -> tuple[tuple[str, str] | None, Recipe | None]:
    """Versions and recipe of a result; of one that cannot be read none, so that it is made again."""
    try:
        whole = whole_payload(connection, entry_no, revision, payload)
        analysis: Mapping[str, Any] = unpack_bundle(whole)[0]["analysis"]
        return (analysis["engine_version"], analysis["line_table_version"]), Recipe.from_dict(analysis["recipe"])
    except (ValueError, KeyError, TypeError):
        return None, None
