"""What a search gives."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

_SHOWN = 50
_STATES = {"success": "processed", "running": "waiting", "pending": "waiting", "error": "failed"}
_COLUMNS = ("data_id", "taken_at", "device", "elements", "state")


class Entries(list[dict[str, Any]]):
    """Entries that fit a search, newest first: a list of dicts, which ``pandas.DataFrame`` takes as it is.

    Each has ``data_id``, ``state``, and, as far as the server tells, ``taken_at``, ``device``, ``elements``,
    ``run_id``, ``labels``, ``simulated``; a hub and the cloud tell ``file_name``, ``uploaded_at``, ``last_updated``,
    ``physical_sample``.
    """

    @property
    def data_ids(self) -> list[str]:
        """Ids of the entries: what :meth:`Client.get` and :meth:`Client.export` take."""
        return [entry["data_id"] for entry in self]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        rows = "".join(
            f"<tr>{''.join(f'<td>{_cell(entry, name)}</td>' for name in _COLUMNS)}</tr>" for entry in self[:_SHOWN]
        )
        more = f"<p>and {len(self) - _SHOWN} more</p>" if len(self) > _SHOWN else ""
        return f"<table><tr>{head}</tr>{rows}</table>{more}"


def _cell(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, "")
    return html.escape(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def of_daemon(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as a daemon lists it."""
    names = {"device": "device_name", "taken_at": "taken_at_utc"}
    kept = (
        "data_id",
        "taken_at",
        "device",
        "model",
        "elements",
        "peaks",
        "state",
        "revision",
        "run_id",
        "labels",
        "simulated",
    )
    return {name: entry[names.get(name, name)] for name in kept if names.get(name, name) in entry}


def of_catalogue(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as a hub and the cloud list it."""
    names = {
        "data_id": "data_id",
        "state": "pipeline_status",
        "taken_at": "collected_datetime",
        "device": "source_name",
        "file_name": "raw_name",
        "uploaded_at": "upload_datetime",
        "last_updated": "last_updated",
        "physical_sample": "physical_sample_name",
    }
    found = {ours: entry[theirs] for ours, theirs in names.items() if entry.get(theirs) is not None}
    return found | {"state": _STATES.get(str(found.get("state")), found.get("state"))}
