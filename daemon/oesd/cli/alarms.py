"""``oesd alarms``: how they stand, and saying that one was seen."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from oesd.cli.errors import expected, fail, printable
from oesd.cli.screen import show

_RAISED = 1


@click.command()
@click.option("--acknowledge", "seen", metavar="NAME", help="Say that this alarm was seen.")
@click.option("--device", default="", metavar="NAME", help="Of one spectrometer; of all when absent.")
@click.option("--by", metavar="NAME", help="Who has seen it; the user's name when absent.")
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to ask.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
def alarms(seen: str | None, device: str, by: str | None, as_json: bool, data: Path | None, url: str | None) -> None:
    """Tell how the alarms and endpoint rules of the running daemon stand; status 1 when one is raised."""
    from oesd.service.access import remote

    try:
        daemon = remote(url, data)
        if seen is not None:
            devices = daemon.acknowledge(seen, device, by or getpass.getuser())
            click.echo(f"{seen}: seen" + (f" ({', '.join(filter(None, devices))})" if any(devices) else ""))
            return
        document = daemon.alarms()
    except expected() as error:
        fail(str(error))
        raise
    show(document, alarm_lines, as_json)
    sys.exit(_RAISED if any(one["state"] == "raised" for one in document["alarms"]) else 0)


def alarm_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """A line for each alarm, each endpoint rule, and each action that failed."""
    if not document["alarms"] and not document["endpoints"]:
        yield "nothing is watched: [[alarm]] and [[endpoint]] in the configuration"
    for one in document["alarms"]:
        waits = "; oesd alarms --acknowledge " + one["name"] if one["needs_acknowledge"] else ""
        yield _line(one, one["state"], one["since_utc"], one["text"] + waits)
    for one in document["endpoints"]:
        yield _line(one, one["state"], one["at_utc"], one["text"] or one["definition"])
    for one in document["actions"]:
        if one["state"] != "ok":
            yield f"action {one['name']}: {one['state']}: {printable(one['text'])}"


def wants_person(status: Mapping[str, Any]) -> bool:
    """Whether a GET /status document tells of an alarm that nobody has acknowledged, or of an action that failed."""
    alarms = status.get("alarms") or {}
    return bool(alarms.get("unacknowledged")) or alarms.get("worst") == "bad"


def standing_lines(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Level and line of each alarm that is on or waits for a person, and of each action that failed.

    Parameters
    ----------
    status : mapping
        As GET /status has it.
    """
    alarms = status.get("alarms") or {}
    failed = [(str(one["level"]), f"action {one['name']} failed: {one['text']}") for one in alarms.get("failed", ())]
    return [*((str(one["level"]), _standing(one)) for one in alarms.get("standing", ())), *failed]


def _standing(one: Mapping[str, Any]) -> str:
    of = f" ({one['device']})" if one["device"] else ""
    word = {"cleared": "over, not acknowledged"}.get(one["state"], one["state"])
    todo = f"; oesd alarms --acknowledge {one['name']}" if one["needs_acknowledge"] else ""
    since = f" since {_minute(one['since_utc'])}" if one["since_utc"] else ""
    return f"alarm {one['name']}{of} {word}{since}: {one['text']}{todo}"


def _line(one: Mapping[str, Any], state: str, at: str | None, text: str) -> str:
    since = f"since {_minute(at)}: " if at else ""
    return printable(f"{one['name']:16} {one['device'] or '-':16} {state:12} {since}{text}")


def _minute(at: str) -> str:
    return f"{at[:16].replace('T', ' ')} UTC"
