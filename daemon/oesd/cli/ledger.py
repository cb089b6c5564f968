"""``oesd ledger``: what became of every scheduled slot, by hour or by run, and what to do about the lost ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import click

from oesd.cli.durations import DurationType
from oesd.cli.entries import reached, where
from oesd.cli.screen import aligned, echo_report
from oesd.service.advice import ADVICE


@click.command()
@click.option("--device", metavar="NAME", help="One spectrometer only.")
@click.option("--since", type=DurationType(), default="24h", show_default=True, help='How far back, such as "30d".')
@click.option("--hours", "by", flag_value="hour", default="hour", help="By hour and spectrometer (the default).")
@click.option("--runs", "by", flag_value="run", help="By run.")
@click.option("--json", "as_json", is_flag=True, help="The GET /ledger document, for programs.")
@where
def ledger(
    device: str | None, since: float, by: Literal["hour", "run"], as_json: bool, url: str | None, data: Path | None
) -> None:
    """Tell what became of every scheduled slot: stored, or lost and why. Times are UTC."""
    with reached(url, data) as access:
        document = access.ledger(by, device, datetime.now(UTC) - timedelta(seconds=since))
        if as_json:
            click.echo(json.dumps(document))
            return
        echo_report(*ledger_report(document))


def ledger_lines(document: Mapping[str, Any]) -> list[str]:
    """Lines that show a GET /ledger document to a program."""
    rows, lines = ledger_report(document)
    return [*aligned(rows), *lines]


def ledger_report(document: Mapping[str, Any]) -> tuple[list[list[str]], list[str]]:
    """The table of a GET /ledger document, empty when nothing was due, and the lines below it."""
    accounts = document["accounts"]
    if not accounts:
        return [], [f"no slot was due since {_minute(document['since_utc'])} UTC", *_unrecorded_lines(document)]
    rows = _hour_rows(accounts) if document["by"] == "hour" else _run_rows(accounts)
    total = document["total"]
    kept = 100 * total["stored"] / total["due"] if total["due"] else 100.0
    # Rounded down: what is not complete never reads as 100 %.
    head = f"of {total['due']} slots {total['stored']} are stored ({int(kept * 100) / 100:g} %)"
    untold = sorted({account["ending"] for account in accounts if account.get("ending")})
    return rows, [
        *(f"? {ending}" for ending in untold),
        "",
        head + (", none lost" if not total["lost"] else ""),
        *reason_lines(total["lost"]),
        *_unrecorded_lines(document),
    ]


def _hour_rows(accounts: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    head = ["hour (UTC)", "spectrometer", "due", "stored", "lost", "why"]
    return [head] + [[_minute(a["hour_utc"]), a["device_name"], *count_texts(a)] for a in accounts]


def _run_rows(accounts: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    head = ["began (UTC)", "ended", "spectrometer", "every", "due", "stored", "lost", "why"]
    return [head] + [
        [second_text(a["began_at_utc"]), end_text(a), a["device_name"], f"{a['period_us'] / 1e6:g} s", *count_texts(a)]
        for a in accounts
    ]


def end_text(account: Mapping[str, Any]) -> str:
    """When a run ended; ``?`` marks an end that nobody told, found at the next start."""
    if account["ended_at_utc"] is None:
        return "still open"
    return second_text(account["ended_at_utc"]) + ("?" if account["ending"] else "")


def count_texts(account: Mapping[str, Any]) -> list[str]:
    """Due, stored and lost slots of an account, and why."""
    lost = account["lost"]
    why = ", ".join(f"{reason} {slots}" for reason, slots in _most_first(lost))
    return [str(account["due"]), str(account["stored"]), str(sum(lost.values())) if lost else "-", why]


def reason_lines(lost: Mapping[str, int]) -> list[str]:
    """A line for each reason: how many slots, and what can be done."""
    return [
        f"lost {slots}: {reason}" + (f" - {ADVICE[reason]}" if reason in ADVICE else "")
        for reason, slots in _most_first(lost)
    ]


def _unrecorded_lines(document: Mapping[str, Any]) -> list[str]:
    """Losses that stand in no account yet."""
    unrecorded = document.get("unrecorded") or {}
    head = ["", f"beside them {sum(unrecorded.values())} slots are lost that the disk cannot take into the ledger yet"]
    return [*head, *reason_lines(unrecorded)] if unrecorded else []


def _most_first(lost: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(lost.items(), key=lambda item: (-item[1], item[0]))


def _minute(text: str) -> str:
    return text[:16].replace("T", " ")


def second_text(text: str) -> str:
    """ISO 8601 time to the second, for people."""
    return text[:19].replace("T", " ")
