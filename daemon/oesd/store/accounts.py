"""The ledger as it is read: what became of the scheduled slots, by hour or by run.

Read from ``slot_hours``, which has a few rows per spectrometer and hour whatever the pace: months take as long as days.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from oesd.model import RunRecord, utc_text
from oesd.store.database import Connection
from oesd.store.moments import from_us, to_us, to_us_or_none
from oesd.store.runs import RUN_COLUMNS, run_of_row
from oesd.store.slots import HOUR_US, STORED

if TYPE_CHECKING:
    from oesd.store import Store

RUNS_LIMIT = 1000
_EVER = 1 << 62
By = Literal["hour", "run"]
BY: Mapping[str, By] = {"hour": "hour", "run": "run"}
"""The ways to divide the ledger, by their names."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Slots that came due: each is stored, or lost for a reason."""

    stored: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def due(self) -> int:
        """All of them."""
        return self.stored + sum(self.lost.values())

    def to_api(self) -> dict[str, Any]:
        """JSON-ready, with the sum."""
        return {"due": self.due, "stored": self.stored, "lost": dict(self.lost)}


@dataclass(frozen=True, slots=True)
class HourAccount:
    """One spectrometer in one hour, UTC.

    A stored slot counts in the hour in which its spectrum was taken, a lost one in that in which it was due, by the
    host's clock at that time.
    """

    device_name: str
    hour_utc: datetime
    slots: Slots

    def to_api(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"device_name": self.device_name, "hour_utc": utc_text(self.hour_utc), **self.slots.to_api()}


@dataclass(frozen=True, slots=True)
class RunAccount:
    """One run of one spectrometer; ``ending`` says how the end was found when nobody told it."""

    run: RunRecord
    ending: str
    slots: Slots

    def to_api(self) -> dict[str, Any]:
        """JSON-ready."""
        run = self.run
        return {
            "device_name": run.device_name,
            "run_id": run.run_id,
            "began_at_utc": utc_text(run.began_at_utc),
            "ended_at_utc": utc_text(run.ended_at_utc) if run.ended_at_utc else None,
            "ending": self.ending,
            "period_us": run.period_us,
            "cause": run.cause,
            "labels": dict(run.labels),
            **self.slots.to_api(),
        }


def load_hours(
    connection: Connection, device_name: str | None, since: datetime | None, until: datetime | None
) -> list[HourAccount]:
    """Accounts of the hours that lie at least partly in an interval, in order of time, then of name."""
    first = -_EVER if since is None else to_us(since) // HOUR_US
    last = _EVER if until is None else (to_us(until) - 1) // HOUR_US
    rows = connection.execute(
        "SELECT hour, device_name, fate, sum(slots) FROM slot_hours "
        "WHERE hour >= ?1 AND hour <= ?2 AND (device_name = ?3 OR ?3 IS NULL) "
        "GROUP BY hour, device_name, fate ORDER BY hour, device_name, fate",
        (first, last, device_name),
    )
    accounts: dict[tuple[int, str], list[tuple[str, int]]] = {}
    for hour, name, fate, slots in rows:
        accounts.setdefault((hour, name), []).append((fate, slots))
    return [HourAccount(name, from_us(hour * HOUR_US), _slots(fates)) for (hour, name), fates in accounts.items()]


def load_runs(connection: Connection, limit: int, device_name: str | None, since: datetime | None) -> list[RunAccount]:
    """Accounts of the runs that had not ended before a moment, the last begun first."""
    runs = connection.execute(
        f"SELECT ending, {RUN_COLUMNS} FROM runs WHERE (device_name = ?1 OR ?1 IS NULL) "  # noqa: S608  (fixed texts)
        "AND (ended_at_us >= ?2 OR ended_at_us IS NULL OR ?2 IS NULL) ORDER BY run_no DESC LIMIT ?3",
        (device_name, to_us_or_none(since), limit),
    ).fetchall()
    return [_run_account(connection, ending, run_of_row(tuple(row))) for ending, *row in runs]


def _run_account(connection: Connection, ending: str, run: RunRecord) -> RunAccount:
    fates = connection.execute(
        "SELECT fate, sum(slots) FROM slot_hours WHERE run_id = ? AND device_name = ? GROUP BY fate",
        (run.run_id, run.device_name),
    )
    return RunAccount(run, ending, _slots(fates))


def _slots(fates: Iterable[tuple[str, int]]) -> Slots:
    numbers = dict(fates)
    return Slots(numbers.pop(STORED, 0), numbers)


def total(accounts: Sequence[HourAccount] | Sequence[RunAccount]) -> Slots:
    """Sum of accounts."""
    lost: dict[str, int] = {}
    for account in accounts:
        for reason, slots in account.slots.lost.items():
            lost[reason] = lost.get(reason, 0) + slots
    return Slots(sum(account.slots.stored for account in accounts), lost)


def ledger_document(store: Store, by: By, device_name: str | None, since: datetime | None) -> dict[str, Any]:
    """Build what ``GET /ledger`` and ``oesd ledger`` show, JSON-ready: the accounts and their sum."""
    accounts = (
        store.ledger_hours(device_name, since=since)
        if by == "hour"
        else store.run_accounts(RUNS_LIMIT, device_name=device_name, since=since)
    )
    return {
        "by": by,
        "now_utc": utc_text(datetime.now(UTC)),
        "since_utc": utc_text(since) if since else None,
        "accounts": [account.to_api() for account in accounts],
        "total": total(accounts).to_api(),
    }
