"""Runs by what a person writes of them: the newest ones, one by its id or its beginning; of any age."""

from __future__ import annotations

from oesd.model import RunRecord
from oesd.store.database import Connection
from oesd.store.runs import RUN_COLUMNS, run_of_row

SEVERAL = 100
"""More than this that fit are not told apart: a person writes more of the id."""
_OF_DEVICE = "(device_name = ? OR ? = '')"


def newest_runs(connection: Connection, limit: int, device_name: str = "") -> list[RunRecord]:
    """The runs of a spectrometer, or of all, the last begun first."""
    return _runs(connection, "1 = 1", (), device_name, limit)


def newest_of_each(connection: Connection, device_name: str = "") -> list[RunRecord]:
    """The last run of each spectrometer, the last begun first."""
    last = "run_no IN (SELECT max(run_no) FROM runs GROUP BY device_name)"
    return _runs(connection, last, (), device_name, SEVERAL)


def runs_of_id(connection: Connection, run_id: str, device_name: str = "") -> list[RunRecord]:
    """The run of an id, of each spectrometer that was in it."""
    return _runs(connection, "run_id = ?", (run_id,), device_name, SEVERAL)


def runs_beginning_with(connection: Connection, beginning: str, device_name: str = "") -> list[RunRecord]:
    """Runs whose ids begin so, :data:`SEVERAL` at most."""
    return _runs(connection, "substr(run_id, 1, ?) = ?", (len(beginning), beginning), device_name, SEVERAL)


def _runs(
    connection: Connection, where: str, values: tuple[str | int, ...], device_name: str, limit: int
) -> list[RunRecord]:
    rows = connection.execute(
        f"SELECT {RUN_COLUMNS} FROM runs WHERE {where} AND {_OF_DEVICE} "  # noqa: S608  (fixed texts)
        "ORDER BY run_no DESC LIMIT ?",
        (*values, device_name, device_name, limit),
    )
    return [run_of_row(tuple(row)) for row in rows.fetchall()]
