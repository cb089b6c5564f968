"""GET /ledger: what became of the scheduled slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from oesd.store import Store
from oesd.store.accounts import ledger_document
from oesd.web.answers import JsonAnswer
from oesd.web.asking import Moment, Name
from oesd.web.bodies import Check
from oesd.web.calls import CSV, JSON, About, Call, Query, reading
from oesd.web.negotiation import preferred
from oesd.web.sheets import CSV_TYPE, sheet
from oesd.web.turns import making


class LedgerQuery(Query):
    """Which accounts."""

    by: Literal["hour", "run"] = "hour"
    device_name: Name | None = None
    since: Moment | None = Field(None, description="all there is without it")


def ledger_route(store: Store, unrecorded: Callable[[], Mapping[str, int]], may_read: Check) -> Call:
    """Return the route; ``unrecorded`` is told as :func:`~oesd.web.api.create_api` takes it."""

    def read_ledger(request: Request, query: LedgerQuery) -> Response:
        may_read(request)
        with making:
            document = ledger_document(store, query.by, query.device_name, query.since)
        if preferred(request, (JSON, CSV)) == CSV:
            return Response(_as_sheet(document), media_type=CSV_TYPE, headers={"vary": "accept"})
        return JsonAnswer({**document, "unrecorded": dict(unrecorded())}, headers={"vary": "accept"})

    about = About(
        "ledger", "What became of each scheduled slot", "Ledger", media=(JSON, CSV),
        notes="Of each account, due = stored + lost; as CSV with a column for each reason of a loss.",
    )  # fmt: skip
    return reading("/ledger", read_ledger, LedgerQuery, about)


def _as_sheet(document: Mapping[str, Any]) -> bytes:
    accounts = document["accounts"]
    about = (
        ("hour_utc",) if document["by"] == "hour" else ("run_id", "began_at_utc", "ended_at_utc", "ending", "period_us")
    )
    columns = ("device_name", *about, "due", "stored")
    reasons = sorted({reason for account in accounts for reason in account["lost"]})
    rows = (
        [account[name] for name in columns] + [account["lost"].get(reason, 0) for reason in reasons]
        for account in accounts
    )
    return sheet([*columns, *(f"lost: {reason}" for reason in reasons)], rows)
