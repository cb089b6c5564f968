"""``oesd watch``: a line for each thing that happens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from oesd.cli.errors import expected, fail, printable
from oesd.cli.tables import chance
from oesd.version import __version__

if TYPE_CHECKING:
    from oesd.client import Client, Event

KINDS = ("spectrum", "change", "alarm")
_LONGEST_NAMES = 8


@click.command()
@click.option("--device", default="", metavar="NAME", help="Spectra of one spectrometer only.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line: kind, and what the daemon says of it.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the daemon to watch.")
@click.option("--url", help="Page of the daemon; http://127.0.0.1:8520 unless --data tells.")
def watch(device: str, as_json: bool, url: str | None, data: Path | None) -> None:
    """Print a line for each spectrum, changed result and alarm until Ctrl-C; a daemon that restarts is waited for."""
    with listened(url, data) as (client, status):
        known = [str(unit["name"]) for unit in status["spectrometers"]]
        if device and device not in known:
            there = f"there are {', '.join(known)}" if known else "there is none"
            click.echo(printable(f"no spectrometer called {device!r} is at work ({there}): waiting for it"), err=True)
        for event in client.live(device=device, kinds=KINDS, points=2):
            click.echo(json.dumps(_plain(event)) if as_json else printable(event_line(event)))


@contextmanager
def listened(url: str | None, data: Path | None) -> Iterator[tuple[Client, Mapping[str, Any]]]:
    """A client of the daemon and its state; errors as one line.

    One that does not run is told at once; one that goes away later is waited for by whoever follows its news.
    """
    from oesd.client import Client, ClientError
    from oesd.service.access import TOKEN, remote

    version: object = __version__
    try:
        daemon = remote(url, data)
        status = daemon.status()
        if "spectrometers" not in status:
            fail(f"{daemon.url}: this is not an oesd daemon")
        version = status.get("version")
        # From another computer its token is needed for reading, too.
        with Client(api_key=os.environ.get(TOKEN, "").strip() if url else "", endpoint=daemon.url) as client:
            yield client, status
    except ClientError as error:
        fail(str(error))
    except expected() as error:
        fail(str(error))
    except (AttributeError, KeyError, TypeError):
        if version == __version__:
            raise
        fail(f"the daemon is oesd {version}, this command {__version__}: restart the daemon with the same oesd")


def _plain(event: Event) -> dict[str, Any]:
    """The event without its spectra, which are no more than two points here."""
    return {"kind": event.kind, **{name: value for name, value in event.data.items() if not hasattr(value, "dtype")}}


def event_line(event: Event) -> str:
    """The line that shows an event."""
    told = event.data
    if event.kind == "spectrum":
        return f"{_clock(told)}  {told.get('device', ''):12}  {found_text(told)}  {told['data_id']}"
    if event.kind == "change":
        return f"{'':8}  {told.get('why', 'changed')}: {told['data_id']}, revision {told.get('revision')}"
    state, where = told.get("state", ""), told.get("device") or ""
    return f"{_clock(told)}  alarm {told.get('name')} {state}{f' at {where}' if where else ''}: {told.get('text', '')}"


def found_text(told: Mapping[str, Any]) -> str:
    """What is in a spectrum, in a few words."""
    found = [*(told.get("elements") or ()), *(told.get("molecules") or ())]
    names = [f"{one['element']} {chance(one['probability'])}" for one in found]
    more = f" and {len(names) - _LONGEST_NAMES} more" if len(names) > _LONGEST_NAMES else ""
    named = ", ".join(names[:_LONGEST_NAMES]) + more or "nothing named"
    saturated = (told.get("metadata") or {}).get("saturated_pixels") or 0
    return f"{named}; {len(told.get('peaks') or ())} peaks" + (f"; {saturated} px SATURATED" if saturated else "")


def _clock(told: Mapping[str, Any]) -> str:
    return str(told.get("taken_at_utc") or told.get("since_utc") or "")[11:19].rjust(8)
